-- The changed records, numbered in the order of their keys, so that later statements need not sort them.
insert into drawn
select source, stream, source_key
from dirty_record
where source <> %(register)s
order by source, stream, source_key;

-- Unchanged records that a change of the register affects: those linked to, refused for, or with an override
-- for, a person who changed, and those that state the number of a person who is gone.
insert into drawn
select source, stream, source_key
from (
    select k.source, k.stream, k.source_key
    from founder f join truth.link k using (person_key)
    where k.source <> %(register)s
    union
    select d.source, d.stream, d.source_key
    from founder f join truth.discrepancy d using (person_key)
    where d.closed_at is null and (d.kind = 'wrong_person' or d.kind = 'invalid' and d.golden_value is null)
    union
    select r.source, r.stream, r.source_key
    from founder f join truth.link_override r using (person_key)
    union
    select r.source, r.stream, r.source_key
    from founder f
    join record.person g using (source, stream, source_key)
    join record.person r on r.personal_id = g.personal_id and r.source <> g.source and r.deleted_at is null
    where not f.registered
    union
    select r.source, r.stream, r.source_key
    from several s
    join truth.merged_person j on j.survivor = s.person_key
    join truth.link_override r on r.person_key = j.person_key
) beside
where not exists (
    select from dirty_record d
    where (d.source, d.stream, d.source_key) = (beside.source, beside.stream, beside.source_key)
);
