update truth.discrepancy d
set closed_at = now(), closed_because = c.because
from closing c
where d.discrepancy_id = c.discrepancy_id;
