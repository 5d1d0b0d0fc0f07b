"""Whether what the source sends is what contract and mapping say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from oncehub.conformance.subject import Subject
from oncehub.conformance.verdict import Fault
from oncehub.normalize.batch import Batch, Rejected
from oncehub.normalize.contract.differences import Drift

# A register of people has some records that are wrong by themselves; more of one kind is no accident.
_ACCIDENTS: Final = 0.05

_BY_KIND: Final = {
    "unknown": ("unknown_field", "add it to the contract, or say contract.unknown: ignore"),
    "changed_type": ("changed_type", "let the contract allow the type, or ask the agency what changed"),
    "missing": ("missing_field", "do not require it, or ask the agency why it is gone"),
}
_BY_KEYWORD: Final = {
    "required": _BY_KIND["missing"],
    "type": _BY_KIND["changed_type"],
    "additionalProperties": _BY_KIND["unknown"],
}
_BY_REASON: Final = {
    "the time of statement cannot be read": (
        "unreadable_time",
        "correct `updated.format` and `updated.zone`, or ask the agency",
    ),
    "holds U+0000": ("nul_characters", "ask the agency to send no NUL characters"),
    "the key is empty": ("empty_key", "choose another `key`, or ask the agency"),
}


@dataclass(frozen=True)
class Difference:
    """One way in which records differ from what was agreed.

    Attributes:
        fault: its short name.
        records: how many show it.
        place: where and how.
        advice: what to do.
    """

    fault: str
    records: int
    place: str
    advice: str


def agreement(subject: Subject) -> str:
    """Records meet their contract and can be mapped, but for a few that are wrong by themselves."""
    read = subject.known()
    normalizer = subject.normalizer()
    # All at once, as a difference is noted with the first batch that shows it only.
    batches = [
        normalizer.normalize(
            [record for page in read.pages if page.kind == kind for record in page.records],
            deletions=kind == "deletions",
        )
        for kind in {page.kind for page in read.pages}
    ]
    stop = next((batch.stop for batch in batches if batch.stop), None)
    if stop:
        raise Fault("contract_stopped", f"the contract stops the run: {stop}")
    differences = differences_in(batches)
    most = max(1.0, _ACCIDENTS * len(read.stated))
    for each in differences:
        if each.records > most:
            raise Fault(
                each.fault, f"{each.place} in {each.records} of {len(read.stated)} records: {each.advice}"
            )
    few = "; ".join(f"{each.records} differ: {each.place}" for each in differences[:3])
    return f"{len(read.stated)} records" + (f"; {few}" if few else " all land")


def differences_in(batches: Iterable[Batch]) -> list[Difference]:
    """All differences that some batches show, the most frequent first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for batch in batches:
        for rejected in batch.rejected:
            counts[_of_rejected(rejected)] += 1
        for drift in batch.drift:
            counts[_of_drift(drift)] += drift.records
    return [
        Difference(fault, records, place, advice) for (fault, place, advice), records in counts.most_common()
    ]


def _of_rejected(rejected: Rejected) -> tuple[str, str, str]:
    place = f"{rejected.path}: {rejected.reason}"
    if rejected.stage == "contract":
        keyword = rejected.reason.partition("'")[2].partition("'")[0]
        fault, advice = _BY_KEYWORD.get(keyword, ("unfit_records", "correct the contract, or ask the agency"))
    else:
        fault, advice = _BY_REASON.get(
            rejected.reason, ("unfit_records", "correct the mapping, or ask the agency")
        )
    return fault, place, advice


def _of_drift(drift: Drift) -> tuple[str, str, str]:
    fault, advice = _BY_KIND[drift.kind]
    return fault, f"{drift.path}: {drift.kind} (found: {drift.found})", advice
