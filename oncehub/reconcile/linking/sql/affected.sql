-- What changed itself, numbered in the order of its key, which spares whoever writes it later to sort by
-- that.
insert into drawn
select source, stream, source_key
from dirty_record
where source <> %(register)s
order by source, stream, source_key;

-- Beside it: what was linked to, refused for, or ruled to be, a person of the register who changed, and what
-- states the number of one who is gone.
insert into drawn
select source, stream, source_key
from (
    select k.source, k.stream, k.source_key
    from founder f join truth.link k using (person_key)
    where k.source <> %(register)s
    union
    select d.source, d.stream, d.source_key
    from founder f join truth.discrepancy d using (person_key)
    where d.closed_at is null and (d.kind = 'wrong_person' or d.kind = 'invalid' and d.believed is null)
    union
    select r.source, r.stream, r.source_key
    from founder f join truth.ruling r using (person_key)
    union
    select r.source, r.stream, r.source_key
    from founder f
    join record.person g using (source, stream, source_key)
    join record.person r on r.personal_id = g.personal_id and r.source <> g.source and r.deleted_at is null
    where not f.registered
    union
    select r.source, r.stream, r.source_key
    from several s join truth.joined j on j.survivor = s.person_key
    join truth.ruling r on r.person_key = j.person_key
) beside
where not exists (
    select from dirty_record d
    where (d.source, d.stream, d.source_key) = (beside.source, beside.stream, beside.source_key)
);
