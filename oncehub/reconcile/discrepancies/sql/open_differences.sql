-- The touched people's open discrepancies, except refused links and cancelled numbers, which linking settles
-- (of the kinds below, only those have no golden value).
create temporary table open_before on commit drop as
select d.discrepancy_id, d.person_key, d.attribute, d.source, d.stream, d.source_key, d.kind
from touched_person t join truth.discrepancy d using (person_key)
where d.closed_at is null and d.kind <> 'wrong_person'
    and (d.kind <> 'invalid' or d.golden_value is not null);
