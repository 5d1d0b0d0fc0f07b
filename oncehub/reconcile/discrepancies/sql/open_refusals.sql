-- Refused links: records that bear somebody else's number are discrepancies of the number's owner.
insert into found
select
    person_key, attribute, source, stream, source_key, 'wrong_person', to_jsonb(value), null, stated_at, null
from verdict
where somebody_else;

-- The open ones, and open cancelled numbers, of the records that were linked anew; those of other records
-- stay open. A discrepancy about the same number that was open while the record was linked becomes the
-- refusal.
create temporary table open_before on commit drop as
select d.discrepancy_id, d.person_key, d.attribute, d.source, d.stream, d.source_key, d.kind
from affected a join truth.discrepancy d using (source, stream, source_key)
where d.closed_at is null and (
    d.kind = 'wrong_person'
    or (d.kind, d.attribute) = ('invalid', 'personal_id') and d.golden_value is null
    or exists (
        select from found f
        where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
            = (d.source, d.stream, d.source_key, d.attribute, d.person_key)
    )
);
