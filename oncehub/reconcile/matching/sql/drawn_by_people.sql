-- Records that share a key with a person who changed, or that the model has linked to, or named as possible
-- for, one.
insert into drawn
select source, stream, source_key
from (
    select m.source, m.stream, m.source_key
    from changed_key join truth.blocking_key k using (key) join truth.blocked_record m using (entry)
    union
    select m.source, m.stream, m.source_key
    from changed_person join truth.match_candidate m using (person_key)
    union
    select k.source, k.stream, k.source_key
    from changed_person join truth.link k using (person_key)
    where k.method = 'model'
) d
where not exists (
    select from affected a where (a.source, a.stream, a.source_key) = (d.source, d.stream, d.source_key)
);
truncate changed_person, changed_key, candidate_person, evidence_record;
