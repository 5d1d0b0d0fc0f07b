"""A procedure's form answered from what is believed: the items filled, and those still to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from oncehub.model.errors import PersonNotLiving
from oncehub.model.sharing import Agreement, Item, Procedure
from oncehub.share.lookup import Believed, Person, find_person
from oncehub.store.connection import Connection

Reason = Literal["asked", "not_held", "not_allowed", "disputed"]
"""Why an item is asked: it always is; nothing held; outside the agreement; sources disagree."""

LIFE_STATUS = "person.life_status"
_NOT_LIVING = ("deceased", "missing")


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
class Form:
    """A procedure's form for one person; every item of the procedure is in `items` or in `ask`.

    Attributes:
        person_key: whose; never leaves the hub.
        released: qualified names of the attributes that filled items, sorted.
    """

    person_key: str
    items: dict[str, FilledItem]
    ask: dict[str, AskedItem]
    released: tuple[str, ...]


def find_for_form(
    connection: Connection, procedure: Procedure, agreement: Agreement, search: Mapping[str, str]
) -> Person | None:
    """Return the person with what the form may hold, and with their life status; see `find_person`."""
    wanted = {item.attribute for item in procedure.items.values() if item.attribute}
    return find_person(
        connection, agreement, search, [*sorted(wanted & set(agreement.attributes)), LIFE_STATUS]
    )


def require_living(person: Person) -> None:
    """Check that a form may be opened for the person.

    Raises:
        PersonNotLiving: when the person is believed deceased or missing.
    """
    if person.attributes[LIFE_STATUS].value in _NOT_LIVING:
        raise PersonNotLiving("the register does not hold this person as living; no form can be filled")


def prefill(person: Person, procedure: Procedure, agreement: Agreement) -> Form:
    """Answer the procedure's form for a person that `find_for_form` found; only what the agreement covers."""
    items: dict[str, FilledItem] = {}
    ask: dict[str, AskedItem] = {}
    for name, item in procedure.items.items():
        answer = _answer(item, person, agreement)
        if isinstance(answer, FilledItem):
            items[name] = answer
        else:
            ask[name] = answer
    released = {attribute for name in items if (attribute := procedure.items[name].attribute)}
    return Form(person.key, items, ask, tuple(sorted(released)))


def _answer(item: Item, person: Person, agreement: Agreement) -> FilledItem | AskedItem:
    title = item.title.vi
    if item.attribute is None:
        return AskedItem(title, "asked", item.ask.vi if item.ask else None)
    if item.attribute not in agreement.attributes:
        return AskedItem(title, "not_allowed")
    believed = person.attributes[item.attribute]
    if believed.value is None:
        return AskedItem(title, "not_held")
    if believed.disputed and not _stands(believed):
        return AskedItem(title, "disputed")
    return FilledItem(title, believed.value, believed.source, believed.as_of, item.confirm, believed.disputed)


def _stands(believed: Believed) -> bool:
    """Tell whether the value holds against others: the word of an authority does."""
    return believed.rule == "authority"
