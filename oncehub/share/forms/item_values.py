"""Decides for each item of a form which golden value fills it, or why it is missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from oncehub.config.entities import unqualified
from oncehub.config.procedures import HOUSEHOLD_MEMBERS, Item, relationship_attribute
from oncehub.share.people.household import Household
from oncehub.share.people.lookup import Believed, Person
from oncehub.share.people.relatives import living

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


def value_of(item: Item, person: Person, attribute: str) -> Known | Reason:
    """Return what is known for an item with one attribute, of the person or of a relative."""
    part = Part(person.key, attribute, person.attributes[attribute])
    return _why_asked((part,), item.max_age) or Known(part.believed.value, (part,))


def relative_value_of(item: Item, attribute: str, named: Believed, relative: Person | None) -> Known | Reason:
    """Return what is known for an item about a relative; `relative` is None when none is found."""
    if relative is None:
        return "relative_unknown" if named.stands else "conflicting"
    if not item.even_if_deceased and not living(relative):
        return "relative_not_living"
    return value_of(item, relative, attribute)


def members_of(item: Item, person: Person, household: Household) -> Known | Reason:
    """Return what is known for an item that lists a household, sorted by the listed values."""
    if household.why:
        return household.why
    head = relationship_attribute(HOUSEHOLD_MEMBERS)
    parts = [Part(person.key, head, person.attributes[head])]
    parts += [
        Part(member.key, name, member.attributes[name])
        for member in household.members
        for name in (head, *item.attributes)
    ]
    if reason := _why_asked(parts, item.max_age):
        return reason
    listed = [[member.attributes[name].value for name in item.attributes] for member in household.members]
    names = [unqualified(name) for name in item.attributes]
    return Known([dict(zip(names, values, strict=True)) for values in sorted(listed)], tuple(parts))


def _why_asked(parts: Collection[Part], max_age: timedelta | None) -> Reason | None:
    believed = [part.believed for part in parts]
    if not all(each.consented for each in believed):
        return "needs_consent"
    if any(each.value is None for each in believed):
        return "not_known"
    if not all(each.stands for each in believed):
        return "conflicting"
    if max_age and any(each.as_of is None or _age(each.as_of) > max_age for each in believed):
        return "too_old"
    return None


def _age(as_of: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(as_of)
