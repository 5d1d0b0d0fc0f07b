-- The records that tell of the wanted people, as this run links them; what a model has linked tells of
-- nobody.
insert into teller
select w.id, v.source, v.stream, v.source_key
from wanted w join verdict v using (person_key)
where not v.somebody_else
union all
select w.id, k.source, k.stream, k.source_key
from wanted w join truth.link k using (person_key)
where k.method <> 'model' and not exists (
    select from affected a where (a.source, a.stream, a.source_key) = (k.source, k.stream, k.source_key)
);
analyze teller;
