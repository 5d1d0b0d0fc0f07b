"""Names a person's relatives and household, whom the personal numbers in the person's believed data lead to.

The database finds them, one step away: `share.relatives_under`, `share.household_under`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from oncehub.config.agreements import Agreement
from oncehub.config.procedures import HOUSEHOLD_MEMBERS, Item, relationship_attribute

LIFE_STATUS: Final = "person.life_status"


def is_covered(item: Item, agreement: Agreement) -> bool:
    """Whether the agreement covers what fills an item and, for a relative, the relationship attribute."""
    if item.of and (
        item.of not in agreement.relatives or relationship_attribute(item.of) not in agreement.attributes
    ):
        return False
    return bool(item.fills) and set(item.fills) <= set(agreement.attributes)


def wanted_of_relatives(items: Iterable[Item], agreement: Agreement) -> dict[str, set[str]]:
    """Return the relatives that covered items are about, by relation, with what those items need of them.

    A relative is not looked for where the relationship attribute has no value, or sources without authority
    disagree on it, nor found outside the agreement's population.
    """
    wanted: dict[str, set[str]] = {}
    for item in items:
        if item.of and item.attribute and is_covered(item, agreement):
            wanted.setdefault(item.of, {LIFE_STATUS}).add(item.attribute)
    return wanted


def wanted_of(items: Iterable[Item], agreement: Agreement) -> set[str]:
    """Return the attributes of the person that covered items need: their own, and relationship attributes."""
    return {
        name
        for item in items
        if is_covered(item, agreement)
        for name in ((relationship_attribute(item.of),) if item.of else item.fills)
    }


def wanted_of_members(items: Iterable[Item], agreement: Agreement) -> set[str] | None:
    """Return what items that list a household need of each member; None where no covered item lists it."""
    listing = [item for item in items if item.of == HOUSEHOLD_MEMBERS and is_covered(item, agreement)]
    if not listing:
        return None
    return {relationship_attribute(HOUSEHOLD_MEMBERS)}.union(*(item.fills for item in listing))
