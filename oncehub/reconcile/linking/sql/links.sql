-- The link of each affected record before and now, for all statements below.
create temporary table moved on commit drop as
select
    a.source, a.stream, a.source_key, a.entry, s.entry is not null as stated,
    k.person_key as person_before, k.method as method_before, k.probability as probability_before,
    v.person_key, v.method, v.probability
from affected a
left join (select entry from stating) s using (entry)
left join truth.link k using (source, stream, source_key)
left join (
    select entry, person_key, method, probability from verdict where not somebody_else
) v using (entry);
analyze moved;

-- The people to settle: those who lose or gain a record, or of whom a record changed. Rows written in the
-- order of their key, here and below, cost half as much as unordered ones; `entry` has that order, except for
-- the few drawn in.
insert into truth.pending
select person_key from founder
union
select person_before from moved where person_before is not null
union
select person_key from moved where person_key is not null
order by person_key
-- Locks people who are pending already until these links are committed, so that they are not settled by the
-- old ones.
on conflict (person_key) do update set person_key = excluded.person_key;

delete from truth.link k
using moved m
where (k.source, k.stream, k.source_key) = (m.source, m.stream, m.source_key)
    and m.person_before is not null and m.person_key is null;

update truth.link k
set person_key = m.person_key, method = m.method, probability = m.probability, linked_at = now()
from moved m
where (k.source, k.stream, k.source_key) = (m.source, m.stream, m.source_key)
    and m.person_before is not null and m.person_key is not null
    and (m.person_before, m.method_before, m.probability_before)
        is distinct from (m.person_key, m.method, m.probability);

insert into truth.link (source, stream, source_key, person_key, method, probability)
select source, stream, source_key, person_key, method, probability
from moved
where person_before is null and person_key is not null
order by entry;

delete from truth.unlinked u
using moved m
where (u.source, u.stream, u.source_key) = (m.source, m.stream, m.source_key)
    and (m.person_key is not null or not m.stated);

insert into truth.unlinked (source, stream, source_key)
select source, stream, source_key
from moved
where person_key is null and stated
order by entry
on conflict do nothing;
