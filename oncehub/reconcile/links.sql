-- The people who lose or gain a record, or of whom a record changed: settling them is the next phase. What is
-- written in the order of its key, here and below, costs half of what comes as a join leaves it.
insert into truth.pending
select person_key from founder
union
select k.person_key from affected a join truth.link k using (source, stream, source_key)
union
select person_key from verdict where not somebody_else
order by person_key
on conflict do nothing;

delete from truth.link k
using affected a
where (k.source, k.stream, k.source_key) = (a.source, a.stream, a.source_key) and not exists (
    select from verdict v
    where (v.source, v.stream, v.source_key) = (a.source, a.stream, a.source_key) and not v.somebody_else
);

update truth.link k
set person_key = v.person_key, method = v.method, probability = v.probability, linked_at = now()
from verdict v
where (k.source, k.stream, k.source_key) = (v.source, v.stream, v.source_key) and not v.somebody_else
    and (k.person_key, k.method, k.probability) is distinct from (v.person_key, v.method, v.probability);

insert into truth.link (source, stream, source_key, person_key, method, probability)
select source, stream, source_key, person_key, method, probability
from verdict v
where not somebody_else and not exists (
    select from truth.link k
    where (k.source, k.stream, k.source_key) = (v.source, v.stream, v.source_key)
)
order by source, stream, source_key;

delete from truth.unlinked u
using affected a
where (u.source, u.stream, u.source_key) = (a.source, a.stream, a.source_key) and (
    not exists (
        select from stating s
        where (s.source, s.stream, s.source_key) = (a.source, a.stream, a.source_key)
    )
    or exists (
        select from verdict v
        where (v.source, v.stream, v.source_key) = (a.source, a.stream, a.source_key) and not v.somebody_else
    )
);

insert into truth.unlinked (source, stream, source_key)
select s.source, s.stream, s.source_key
from stating s
where not exists (
    select from verdict v
    where (v.source, v.stream, v.source_key) = (s.source, s.stream, s.source_key) and not v.somebody_else
)
on conflict do nothing;
