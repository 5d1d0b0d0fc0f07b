-- Closes the discrepancies of `open_before` that were not found again, with the reason.
analyze open_before;
analyze found;

update truth.discrepancy o
set closed_at = now(), closed_because = c.because
from (
    select d.discrepancy_id, {reason} as because
    from open_before b
    join truth.discrepancy d using (discrepancy_id)
    {beside}
    where not exists (
        select from found f
        where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
            = (b.source, b.stream, b.source_key, b.attribute, b.person_key)
    )
) c
where o.discrepancy_id = c.discrepancy_id;
