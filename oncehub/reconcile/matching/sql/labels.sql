-- Draws the linked records to train on. The evidence for a label's person comes from the person's other
-- records only: no record is evidence for itself.
create temporary table label on commit drop as
select row_number() over () as id, *
from (
    select source, stream, source_key, person_key
    from truth.link
    where method = any(%(methods)s)
    order by hashtextextended(source || E'\x1f' || stream || E'\x1f' || source_key, %(seed)s), source_key
    limit %(most)s
) drawn;
insert into unmatched select id, source, stream, source_key from label;
insert into candidate_person select id, person_key from label;
insert into evidence_record
select l.id, k.source, k.stream, k.source_key
from label l join truth.link k using (person_key)
where k.method <> 'model' and (k.source, k.stream, k.source_key) <> (l.source, l.stream, l.source_key);
analyze unmatched, candidate_person, evidence_record;
