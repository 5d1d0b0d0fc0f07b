"""The cases of the suite: each shows one thing of a stream, or says why it could not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from oncehub.conformance.cases.agreement import agreement
from oncehub.conformance.cases.changes import late_rows, same_time, since, until
from oncehub.conformance.cases.deletes import deletes
from oncehub.conformance.cases.differing import changed_type, missing_field, unknown_field
from oncehub.conformance.cases.injected_faults import survives, waits_no_longer
from oncehub.conformance.cases.reading import reads, samples, totals
from oncehub.conformance.cases.repeating import doubles, order, twice
from oncehub.conformance.cases.resuming import resumes, survives_kills
from oncehub.conformance.fault_injection import INJECTED_FAULTS
from oncehub.conformance.subject import Subject

Case = Callable[[Subject], str]
"""Returns what was seen.

Raises:
    Fault: when something is wrong.
    NotShown: when there is nothing to show it on.
    OncehubError: when the source could not be read.
"""

CASES: Final[dict[str, Case]] = {
    "samples": samples,
    "reads": reads,
    "agreement": agreement,
    "totals": totals,
    "doubles": doubles,
    "twice": twice,
    "order": order,
    "resumes": resumes,
    "killed": survives_kills,
    "since": since,
    "until": until,
    "same_time": same_time,
    "late_rows": late_rows,
    "deletes": deletes,
    **{each.name: partial(survives, injected=each) for each in INJECTED_FAULTS},
    "long_wait": waits_no_longer,
    "unknown_field": unknown_field,
    "changed_type": changed_type,
    "missing_field": missing_field,
}
"""By name, in the order in which they are tried; most need the first reading, which is `reads`."""
