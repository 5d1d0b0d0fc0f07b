"""Examines a record that breaks its contract: whether it lands, how it is read, and what is noted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

import jsonschema_rs
import orjson

from oncehub.config.connector import Contract as Modes
from oncehub.normalize.contract.agreed_type import ABSENT, in_agreed_type
from oncehub.normalize.contract.differences import Difference, Kind, masked, path_of

Validator: TypeAlias = jsonschema_rs.Draft202012Validator
Mode = Literal["evolve", "ignore", "quarantine", "stop"]
_Place = tuple[str | int, ...]

_JSON_TYPES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_AS_NUMBER: Final = re.compile(r"\+?[0-9]+")
_WORDS: Final[dict[Kind, str]] = {
    "unknown": "is not in the contract",
    "changed_type": "is of a type that the contract does not allow",
    "missing": "is missing",
}


@dataclass(frozen=True)
class Examined:
    """The result of an examination.

    Attributes:
        record: the record as it is read where it lands; the same object where no value was changed.
        differences: the differences to note.
        broken: keyword and path of the flaw that keeps the record from landing.
        stop: why the run must end; such a record is broken too.
    """

    record: Any
    differences: tuple[Difference, ...]
    broken: tuple[str, str] | None
    stop: str | None


@dataclass(frozen=True)
class _Flaw:
    """One error of the validator.

    Attributes:
        kind: None where no mode applies.
        found: the JSON type of the value, or `absent`.
        agreed: for a changed type, the JSON types of the contract.
    """

    place: _Place
    keyword: str
    kind: Kind | None = None
    found: str = ""
    agreed: tuple[str, ...] = ()

    def mode(self, modes: Modes) -> Mode:
        """Return the mode that applies."""
        match self.kind:
            case "unknown":
                return modes.unknown
            case "changed_type":
                return modes.changed_type
            case "missing":
                return modes.missing
            case None:
                return "quarantine"


def examine(validator: Validator, modes: Modes, record: Any) -> Examined:
    """Find how a record that `validator` refuses differs from the contract, and read it as the modes say.

    Of several differences the strictest mode decides: stop, then quarantine.
    """
    flaws = list(_flaws(validator, record))
    changed = [flaw for flaw in flaws if flaw.kind == "changed_type"]
    if changed and modes.changed_type in ("evolve", "ignore"):
        record = _as_agreed(validator, record, changed)
        flaws = [*changed, *(_final(flaw) for flaw in _flaws(validator, record))]
    return _judged(record, flaws, modes)


def _flaws(validator: Validator, record: Any) -> Iterator[_Flaw]:
    for error in validator.iter_errors(record):
        place, keyword = _place(record, error), error.kind.name
        details = error.kind.as_dict()
        if place is None:
            yield _Flaw((), keyword)
        elif keyword in ("additionalProperties", "unevaluatedProperties"):
            holder = _at(record, place)
            for name in details["unexpected"]:
                yield _Flaw((*place, name), keyword, "unknown", _json_type(holder[name]))
        elif keyword == "required":
            yield _Flaw((*place, details["property"]), keyword, "missing", "absent")
        elif keyword == "type" and place:
            found = _json_type(_at(record, place))
            yield _Flaw(place, keyword, "changed_type", found, tuple(details["types"]))
        else:
            yield _Flaw(place, keyword)


def _as_agreed(validator: Validator, record: Any, changed: list[_Flaw]) -> Any:
    """Copy the record with values read in the contract's types, and without values that cannot be read."""
    copy = orjson.loads(orjson.dumps(record))
    places = {flaw.place for flaw in changed}
    for flaw in changed:
        value = in_agreed_type(_at(record, flaw.place), flaw.agreed)
        if value is not ABSENT:
            _at(copy, flaw.place[:-1])[flaw.place[-1]] = value
    unreadable = places & {_place(copy, error) for error in validator.iter_errors(copy)}
    for place in sorted(unreadable, reverse=True):
        # Start with the last, because deleting an item moves those after it.
        del _at(copy, place[:-1])[place[-1]]
    return copy


def _final(flaw: _Flaw) -> _Flaw:
    """A type that is still wrong after values were read in the contract's types keeps the record out."""
    return replace(flaw, kind=None) if flaw.kind == "changed_type" else flaw


def _judged(record: Any, flaws: list[_Flaw], modes: Modes) -> Examined:
    marked = [(flaw, flaw.mode(modes)) for flaw in flaws]
    stopping = next((flaw for flaw, mode in marked if mode == "stop"), None)
    breaking = stopping or next((flaw for flaw, mode in marked if mode == "quarantine"), None)
    return Examined(
        record,
        tuple(_difference(flaw) for flaw, mode in marked if mode == "evolve"),
        (breaking.keyword, _path(breaking)) if breaking else None,
        _reason(stopping) if stopping else None,
    )


def _difference(flaw: _Flaw) -> Difference:
    assert flaw.kind is not None
    return Difference(masked(flaw.place), flaw.kind, flaw.found)


def _reason(flaw: _Flaw) -> str:
    assert flaw.kind is not None
    return f"{_path(flaw)} {_WORDS[flaw.kind]} (found: {flaw.found}); contract.{flaw.kind} is stop"


def _path(flaw: _Flaw) -> str:
    return path_of(masked(flaw.place))


def _place(record: Any, error: jsonschema_rs.ValidationError) -> _Place | None:
    """Return the place of an error in the record; None where the validator's path is ambiguous.

    The validator gives a name of digits as a number, and leaves out an empty name.
    """
    place: list[str | int] = []
    for step in error.instance_path:
        meant = _meant(record, step)
        if len(meant) != 1:
            return None
        place += meant
        record = record[meant[0]]
    same = type(record) is type(error.instance) and record == error.instance
    return tuple(place) if same else None


def _meant(holder: Any, step: str | int) -> list[str | int]:
    """Return the names or the index in `holder` that a step of an error's path may mean."""
    match holder, step:
        case list(), int():
            return [step]
        case dict(), str():
            return [step] if step in holder else []
        case dict(), int():
            return [name for name in holder if _AS_NUMBER.fullmatch(name) and int(name) == step]
    return []


def _at(record: Any, place: _Place) -> Any:
    for step in place:
        record = record[step]
    return record


def _json_type(value: Any) -> str:
    return _JSON_TYPES[type(value)]
