-- The people who lose or gain a record, or of whom a record changed: settling them is the next phase.
insert into truth.pending
select person_key from founder
union
select k.person_key from affected a join truth.link k using (source, stream, source_key)
union
select person_key from verdict where not somebody_else
on conflict do nothing;

delete from truth.link k
using affected a
where (k.source, k.stream, k.source_key) = (a.source, a.stream, a.source_key) and not exists (
    select from verdict v
    where (v.source, v.stream, v.source_key) = (a.source, a.stream, a.source_key) and not v.somebody_else
);

insert into truth.link (source, stream, source_key, person_key, method)
select source, stream, source_key, person_key, method
from verdict
where not somebody_else
on conflict (source, stream, source_key) do update
set person_key = excluded.person_key, method = excluded.method, linked_at = excluded.linked_at
where (link.person_key, link.method) is distinct from (excluded.person_key, excluded.method);

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
