"""Whether records that differ from the contract are dealt with as the connector says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from oncehub.config.connector import FlagDeletes, SequenceChanges, Stream, TombstoneDeletes
from oncehub.config.syntax.paths import path_through
from oncehub.conformance.readers import ReplayedPages
from oncehub.conformance.records import with_value, without_value
from oncehub.conformance.subject import Landed, Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.connect.formats import at
from oncehub.connect.page import Page
from oncehub.errors import ContractStopped
from oncehub.normalize.contract.contract import load_contract

Kind = Literal["unknown", "changed_type", "missing"]
Change = Callable[[Any], Any]

_CHANGED = 3
_UNKNOWN = "oncehub_unknown"


@dataclass(frozen=True)
class _Edited:
    """The first reading with some records that differ.

    Attributes:
        keys: of those records.
    """

    pages: Sequence[Page]
    keys: Collection[str]


def unknown_field(subject: Subject) -> str:
    """Records with a field that the contract does not know do what `contract.unknown` says."""
    return _shown(subject, "unknown", _UNKNOWN, lambda record: with_value(record, _UNKNOWN, "x"))


def changed_type(subject: Subject) -> str:
    """Records with a value of another type do what `contract.changed_type` says."""
    if subject.spec.read.format == "csv":
        raise NotShown("every value of CSV is a text")
    field = _field(subject, required=False)
    return _shown(subject, "changed_type", field, lambda record: with_value(record, field, {"x": "x"}))


def missing_field(subject: Subject) -> str:
    """Records without a required field do what `contract.missing` says."""
    field = _field(subject, required=True)
    return _shown(subject, "missing", field, lambda record: without_value(record, field))


def _shown(subject: Subject, kind: Kind, field: str, change: Change) -> str:
    before = subject.landed()
    edited = _edited(subject, before, change)
    mode = getattr(subject.spec.contract, kind)
    subject.scratch.empty()
    try:
        report = subject.land(ReplayedPages(edited.pages))
    except ContractStopped:
        if mode != "stop":
            raise
        return f"{mode}: the run stopped before records that differ in `{field}` landed"
    after = Landed(subject.contents(), report, subject.scratch.refused())
    if wrong := _wrong(mode, edited.keys, before, after):
        raise Fault(kind, f"contract.{kind} is {mode}, but of records that differ in `{field}` {wrong}")
    return f"{mode}: so it was with {len(edited.keys)} records that differ in `{field}`, and the rest landed"


def _wrong(mode: str, keys: Collection[str], before: Landed, after: Landed) -> str | None:
    """What is not as the mode says; the mapping may still refuse what lacks a value."""
    if before.contents.unlike(after.contents) - set(keys):
        return "others did not land as before"
    if mode == "stop":
        return "none stopped the run"
    refused = after.refused - before.refused
    if refused != (len(keys) if mode == "quarantine" else 0):
        return f"{refused} of {len(keys)} were kept aside"
    noted = after.report.drift - before.report.drift
    if (noted > 0) != (mode == "evolve"):
        return "the difference was noted" if noted else "the difference was not noted"
    return None


def _edited(subject: Subject, before: Landed, change: Change) -> _Edited:
    """Change some of the records that landed, each wherever it comes."""
    known = subject.known()
    usable = [key for key, each in known.latest.items() if each.lives and key in before.contents.rows]
    keys = set(usable[:_CHANGED])
    if not keys:
        raise NotShown("no record landed")
    chosen = [each.content for each in known.stated if each.key in keys]
    pages = [
        replace(page, records=[change(record) if record in chosen else record for record in page.records])
        for page in known.pages
    ]
    return _Edited(pages, keys)


def _field(subject: Subject, *, required: bool) -> str:
    """A field at the top of all records that is neither key, time nor mark, and required or not."""
    files = subject.scratch.settings.schemas / "sources" / subject.connector.source
    contract = load_contract(files / f"{subject.stream}.json")
    asked = set(map(path_through, contract.schema.get("required", ())))
    fields: Iterable[str] = contract.schema.get("properties", {})
    living = [each.content for each in subject.known().latest.values() if each.lives][:_CHANGED]
    for field in map(path_through, fields):
        types = contract.types(contract.at(field))
        fits = (field in asked) is required and types and "object" not in types
        stated = required or all(at(record, field) is not None for record in living)
        if fits and stated and field not in _own_fields(subject.spec):
            return field
    raise NotShown(f"the contract has no {'required' if required else 'optional'} field to show it on")


def _own_fields(spec: Stream) -> set[str]:
    """Fields at the top of records that reading itself needs."""
    paths = [*spec.key, spec.updated.field, "parent"]
    if isinstance(spec.deletes, FlagDeletes | TombstoneDeletes):
        paths.append(spec.deletes.field)
    if isinstance(spec.changes, SequenceChanges):
        paths.append(spec.changes.field)
    return {path.partition(".")[0] for path in paths}
