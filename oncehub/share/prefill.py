"""A procedure's form answered from what is believed: the items filled, and those still to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from oncehub.model.errors import PersonNotLiving
from oncehub.model.procedures import Item, Procedure
from oncehub.model.sharing import Agreement
from oncehub.share.lookup import Believed, Person, find_person
from oncehub.share.relatives import LIFE_STATUS, covered, find_relatives, living, tie, wanted_of
from oncehub.store.connection import Connection

Reason = Literal[
    "asked",
    "not_known",
    "conflicting",
    "too_old",
    "not_allowed",
    "needs_consent",
    "relative_unknown",
    "relative_not_living",
]
"""Why an item is asked: it always is; nothing is held; sources disagree; stated too long ago; outside the
agreement; the citizen has not consented; nobody is held as the relative; who is, is not held as living."""


@dataclass(frozen=True)
class FilledItem:
    """An item filled from the hub.

    Attributes:
        title: of the item, in Vietnamese.
        as_of: when the source stated the value, ISO 8601 UTC.
        confirm: the citizen must confirm it.
        disputed: a source without authority states another value.
    """

    title: str
    value: Any
    source: str | None
    as_of: str | None
    confirm: bool
    disputed: bool


@dataclass(frozen=True)
class AskedItem:
    """An item that the citizen must still give; `question` is its wording where the procedure has one."""

    title: str
    reason: Reason
    question: str | None = None


@dataclass(frozen=True)
class FilledForm:
    """A procedure's form for one person; every item of the version is in `items` or in `ask`.

    Attributes:
        person_key: whose; never leaves the hub.
        released: qualified names of the person's attributes that filled items, or led to a relative, sorted.
        relatives: key of each relative consulted -> qualified names of theirs that left, sorted.
    """

    person_key: str
    items: dict[str, FilledItem]
    ask: dict[str, AskedItem]
    released: tuple[str, ...]
    relatives: dict[str, tuple[str, ...]]


def find_for_form(
    connection: Connection,
    procedure: Procedure,
    day: date,
    agreement: Agreement,
    search: Mapping[str, str],
) -> Person | None:
    """Return the person with their life status and what the form of `day` may hold; see `find_person`."""
    wanted = wanted_of(procedure.items_on(day).values(), agreement)
    return find_person(connection, agreement, search, sorted(wanted | {LIFE_STATUS}))


def require_living(person: Person) -> None:
    """Check that a form may be opened for the person.

    Raises:
        PersonNotLiving: when the person is believed deceased or missing.
    """
    if not living(person):
        raise PersonNotLiving("the register does not hold this person as living; no form can be filled")


def prefill(
    connection: Connection, person: Person, procedure: Procedure, day: date, agreement: Agreement
) -> FilledForm:
    """Answer the form of `day` for a person that `find_for_form` found; only what the agreement covers."""
    fields = procedure.items_on(day)
    relatives = find_relatives(connection, person, fields.values(), agreement)
    items: dict[str, FilledItem] = {}
    ask: dict[str, AskedItem] = {}
    for name, item in fields.items():
        answer = _answer(item, person, relatives, agreement)
        if isinstance(answer, FilledItem):
            items[name] = answer
        else:
            ask[name] = answer
    told = _told(fields, items, ask, person, relatives)
    return FilledForm(person.key, items, ask, told.pop(person.key), told)


def _answer(
    item: Item, person: Person, relatives: Mapping[str, Person | None], agreement: Agreement
) -> FilledItem | AskedItem:
    title = item.title.vi
    if item.attribute is None:
        return AskedItem(title, "asked", item.ask.vi if item.ask else None)
    if not covered(item, agreement):
        return AskedItem(title, "not_allowed")
    if item.of:
        relative = relatives[item.of]
        if relative is None:
            return AskedItem(title, _why_nobody(person.attributes[tie(item.of)]))
        if not item.even_if_deceased and not living(relative):
            return AskedItem(title, "relative_not_living")
        person = relative
    believed = person.attributes[item.attribute]
    if reason := _why_asked(believed, item.max_age):
        return AskedItem(title, reason)
    return FilledItem(title, believed.value, believed.source, believed.as_of, item.confirm, believed.disputed)


def _why_nobody(named: Believed) -> Reason:
    return "relative_unknown" if named.stands else "conflicting"


def _why_asked(believed: Believed, max_age: timedelta | None) -> Reason | None:
    if believed.value is None:
        return "not_known"
    if not believed.stands:
        return "conflicting"
    if max_age and (believed.as_of is None or _age(believed.as_of) > max_age):
        return "too_old"
    return None


def _age(as_of: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(as_of)


def _told(
    fields: Mapping[str, Item],
    filled: Mapping[str, FilledItem],
    asked: Mapping[str, AskedItem],
    person: Person,
    relatives: Mapping[str, Person | None],
) -> dict[str, tuple[str, ...]]:
    """Return what left of the person, and of each relative; a reason may tell that one is not living."""
    told: dict[str, set[str]] = {person.key: set()}
    for relation, relative in relatives.items():
        if relative:
            told[person.key].add(tie(relation))
            told.setdefault(relative.key, set())
    for name, item in fields.items():
        about = relatives.get(item.of) if item.of else person
        if about is None or item.attribute is None:
            continue
        if name in filled:
            told[about.key].add(item.attribute)
        elif asked[name].reason == "relative_not_living":
            told[about.key].add(LIFE_STATUS)
    return {key: tuple(sorted(attributes)) for key, attributes in told.items()}
