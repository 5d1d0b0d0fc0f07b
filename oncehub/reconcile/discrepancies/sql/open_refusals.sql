-- Refused links, and cancelled numbers, of the records that were judged again; those of other records stand,
-- whoever else of the person's records changed. What was open about the very number, while the record was
-- linked, is now this.
create temporary table open_before on commit drop as
select d.discrepancy_id, d.person_key, d.attribute, d.source, d.stream, d.source_key, d.kind
from affected a join truth.discrepancy d using (source, stream, source_key)
where d.closed_at is null and (
    d.kind = 'wrong_person'
    or (d.kind, d.attribute) = ('invalid', 'personal_id') and d.believed is null
    or exists (
        select from found f
        where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
            = (d.source, d.stream, d.source_key, d.attribute, d.person_key)
    )
);
