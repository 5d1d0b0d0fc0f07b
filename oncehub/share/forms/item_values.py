"""What fills an item of a form, or why it is missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from oncehub.config.entities import unqualified
from oncehub.config.procedures import HOUSEHOLD_MEMBERS, Item, relationship_attribute
from oncehub.share.people.lookup import Believed, Person

Reason = Literal[
    "citizen_provides",
    "not_known",
    "conflicting",
    "too_old",
    "not_allowed",
    "needs_consent",
    "relative_unknown",
    "relative_not_living",
    "too_many",
]
"""Why an item is missing: the citizen always gives it; the hub has no value; sources disagree; the value was
stated too long ago; it is outside the agreement; the citizen has not consented; the relative is not known;
the relative is not recorded as living; the household has more members than are listed."""


def reason(status: str) -> Reason:
    """Return a status of `share.item_status` that fills no item as the reason that it is."""
    return next(each for each in get_args(Reason) if each == status)


@dataclass(frozen=True)
class Part:
    """An attribute of a person, by qualified name, and its believed value."""

    person_key: str
    attribute: str
    believed: Believed


@dataclass(frozen=True)
class Known:
    """What fills an item.

    Attributes:
        parts: what the value is made of, at least one; of a list of people also the ties that make them one.
    """

    value: Any
    parts: tuple[Part, ...]

    @property
    def as_of(self) -> str | None:
        """When its oldest part was stated, ISO 8601 UTC; None where that of one is not known."""
        moments = [part.believed.as_of for part in self.parts]
        known = [moment for moment in moments if moment is not None]
        return min(known, key=datetime.fromisoformat) if len(known) == len(moments) else None


def value_of(person: Person, attribute: str) -> Known:
    """Return what fills an item with one attribute, of the person or of a relative."""
    believed = person.attributes[attribute]
    return Known(believed.value, (Part(person.key, attribute, believed),))


def members_of(item: Item, person: Person, members: Collection[Person]) -> Known:
    """Return what fills an item that lists a household, sorted by the listed values."""
    head = relationship_attribute(HOUSEHOLD_MEMBERS)
    parts = [Part(person.key, head, person.attributes[head])]
    parts += [
        Part(member.key, name, member.attributes[name])
        for member in members
        for name in (head, *item.attributes)
    ]
    listed = [[member.attributes[name].value for name in item.attributes] for member in members]
    names = [unqualified(name) for name in item.attributes]
    return Known([dict(zip(names, values, strict=True)) for values in sorted(listed)], tuple(parts))
