-- The records that are evidence about the candidate people, as this run links them; records that a model has
-- linked are none.
insert into evidence_record
select w.id, v.source, v.stream, v.source_key
from candidate_person w join verdict v using (person_key)
where not v.somebody_else
union all
select w.id, k.source, k.stream, k.source_key
from candidate_person w join truth.link k using (person_key)
where k.method <> 'model' and not exists (
    select from affected a where (a.source, a.stream, a.source_key) = (k.source, k.stream, k.source_key)
);
analyze evidence_record;
