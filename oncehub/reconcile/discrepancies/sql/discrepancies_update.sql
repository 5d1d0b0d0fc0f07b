-- The same disagreement keeps its age, whatever became of its kind or values.
update truth.discrepancy d
set kind = f.kind, stated = f.stated, believed = f.believed, stated_at = f.stated_at, as_of = f.as_of
from open_before b
join found f using (source, stream, source_key, attribute, person_key)
where d.discrepancy_id = b.discrepancy_id
    and (d.kind, d.stated, d.believed, d.stated_at, d.as_of)
        is distinct from (f.kind, f.stated, f.believed, f.stated_at, f.as_of);
