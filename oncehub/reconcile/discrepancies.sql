-- What was open about what this run looked at again: all of a touched person's disagreements, and refused
-- links of affected records (those of other records stand, whoever else of the person's records changed).
create temporary table open_before on commit drop as
select d.discrepancy_id, d.person_key, d.attribute, d.source, d.stream, d.source_key
from touched_person t join truth.discrepancy d using (person_key)
where d.closed_at is null and d.kind <> 'wrong_person'
union all
select d.discrepancy_id, d.person_key, d.attribute, d.source, d.stream, d.source_key
from affected a join truth.discrepancy d using (source, stream, source_key)
where d.closed_at is null and d.kind = 'wrong_person';
create unique index on open_before (source, stream, source_key, attribute, person_key);
analyze open_before;
analyze found;
