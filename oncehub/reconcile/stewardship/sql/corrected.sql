-- Closes the correction requests whose claimed value is now the golden value, whatever clerks have decided.
update truth.case_file c
set closed_at = now(), closed_because = 'corrected'
from golden_change s join truth.person p using (person_key)
where c.kind = 'correction_request' and c.closed_at is null
    and truth.survivor(c.person_key) = s.person_key
    and s.kind <> 'removed'
    and to_jsonb(p) -> (c.evidence ->> 'attribute') = c.evidence -> 'claimed';
