-- Refused links of the records that were judged again; those of other records stand, whoever else of the
-- person's records changed.
create temporary table open_before on commit drop as
select d.discrepancy_id, d.person_key, d.attribute, d.source, d.stream, d.source_key
from affected a join truth.discrepancy d using (source, stream, source_key)
where d.closed_at is null and d.kind = 'wrong_person';
