-- What a citizen has said of themselves is believed now: that request is done with, whatever clerks have made
-- of it.
update truth.case_file c
set closed_at = now(), closed_because = 'corrected'
from shift s join truth.person p using (person_key)
where c.kind = 'correction_request' and c.closed_at is null
    and truth.survivor(c.person_key) = s.person_key
    and s.kind <> 'removed'
    and to_jsonb(p) -> (c.evidence ->> 'attribute') = c.evidence -> 'claimed';
