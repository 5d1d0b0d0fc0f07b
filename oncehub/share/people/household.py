"""Finds the members of a person's household: people whose believed data name the same head."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from oncehub.config.agreements import Agreement
from oncehub.config.procedures import HOUSEHOLD_MEMBERS, Item, relationship_attribute
from oncehub.share.people.lookup import Opened, Person
from oncehub.share.people.relatives import is_covered

MOST_MEMBERS: Final = 50
"""Members beside the person: more indicate a wrong record, not a household; see `share.household_under`."""

HouseholdReason = Literal["not_allowed", "relative_unknown", "conflicting", "too_many"]
"""The agreement does not cover the item, or not every member, and an incomplete list would be wrong; the head
is unknown; sources disagree on the head; there are more than `MOST_MEMBERS`."""


@dataclass(frozen=True)
class Household:
    """The other members of a household, or the reason why they are withheld.

    Attributes:
        members: without the person, and without people believed deceased or missing.
        is_found: whether a head was found; an answer about the household discloses that.
    """

    members: tuple[Person, ...] = ()
    why: HouseholdReason | None = None
    is_found: bool = True


def wanted_of_members(items: Iterable[Item], agreement: Agreement) -> set[str] | None:
    """Return what items that list a household need of each member; None where no covered item lists it."""
    listing = [item for item in items if item.of == HOUSEHOLD_MEMBERS and is_covered(item, agreement)]
    if not listing:
        return None
    return {relationship_attribute(HOUSEHOLD_MEMBERS)}.union(*(item.fills for item in listing))


def household_of(opened: Opened, person: Person, items: Iterable[Item], agreement: Agreement) -> Household:
    """Return the household that items list, as far as they are covered, or why it is withheld.

    The head is found by the personal number in the person's believed data, and so are those of the others:
    a former number finds the same head; see `share.household_under`.

    Args:
        opened: the request about the person, with what `wanted_of_members` names.
        person: covered by the agreement, found with the relationship attribute; see `wanted_of`.
        items: of the form.
        agreement: on whose behalf.
    """
    if wanted_of_members(items, agreement) is None:
        return Household(why="not_allowed", is_found=False)
    if not person.attributes[relationship_attribute(HOUSEHOLD_MEMBERS)].stands:
        return Household(why="conflicting", is_found=False)
    if opened.household == "known":
        return Household(opened.members)
    why: HouseholdReason = next(
        (reason for reason in get_args(HouseholdReason) if reason == opened.household), "relative_unknown"
    )
    return Household(why=why, is_found=why != "relative_unknown")
