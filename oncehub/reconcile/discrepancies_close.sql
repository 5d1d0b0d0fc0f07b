update truth.discrepancy d
set closed_at = now()
from open_before b
where d.discrepancy_id = b.discrepancy_id and not exists (
    select from found f
    where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
        = (b.source, b.stream, b.source_key, b.attribute, b.person_key)
);
