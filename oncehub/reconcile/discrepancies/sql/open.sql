-- Brings the discrepancies that are still there up to date, and opens new ones. The same discrepancy keeps
-- its age, whatever its kind and values are now.
update truth.discrepancy d
set
    kind = f.kind, source_value = f.source_value, golden_value = f.golden_value,
    stated_at = f.stated_at, as_of = f.as_of
from open_before b
join found f using (source, stream, source_key, attribute, person_key)
where d.discrepancy_id = b.discrepancy_id
    and (d.kind, d.source_value, d.golden_value, d.stated_at, d.as_of)
        is distinct from (f.kind, f.source_value, f.golden_value, f.stated_at, f.as_of);

insert into truth.discrepancy
    (person_key, attribute, source, stream, source_key, kind, source_value, golden_value, stated_at, as_of)
select
    f.person_key, f.attribute, f.source, f.stream, f.source_key, f.kind,
    f.source_value, f.golden_value, f.stated_at, f.as_of
from found f
where not exists (
    select from open_before b
    where (b.source, b.stream, b.source_key, b.attribute, b.person_key)
        = (f.source, f.stream, f.source_key, f.attribute, f.person_key)
);
