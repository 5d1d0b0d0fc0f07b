-- A second record of a person in a stream that should hold one. The record with the lowest key is kept: keys
-- are given out in order and, unlike the times of statement, do not change. A branch belongs to its head
-- office.
insert into found
select
    s.person_key, {name}, s.source, s.stream, s.source_key, 'duplicate',
    to_jsonb(s.source_key), to_jsonb(s.kept), s.stated_at, null
from (
    select
        person_key, source, stream, source_key, stated_at,
        min(source_key collate "C") over (partition by person_key) as kept
    from statement s
    where (source, stream) = ({source}, {stream})
        and text.identifying({name}, s.{attribute}) is not distinct from s.{attribute}
) s
where s.source_key <> s.kept and not exists (
    select from found f
    where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
        = (s.source, s.stream, s.source_key, {name}, s.person_key)
);
