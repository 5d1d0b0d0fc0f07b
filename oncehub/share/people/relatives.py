"""Names a person's relatives, one step away, whom the personal numbers in the person's believed data lead to.

Members of a household are found in `oncehub.share.people.household`.
"""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2 import sql

from oncehub.config.agreements import Agreement
from oncehub.config.procedures import Item, relationship_attribute
from oncehub.share.people.lookup import Person

LIFE_STATUS = "person.life_status"
NOT_LIVING = ("deceased", "missing")


def living(person: Person) -> bool:
    """Whether the person, found with their life status, is not believed deceased or missing."""
    return person.attributes[LIFE_STATUS].value not in NOT_LIVING


def living_condition(person: str) -> sql.Composed:
    """Build the condition that a row of `truth.person`, of that name, fulfils when they are `living`."""
    return sql.SQL("coalesce({}.life_status not in {}, true)").format(
        sql.Identifier(person), sql.Literal(NOT_LIVING)
    )


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
    disagree on it, nor found outside the agreement's population; see `share.relatives_under`.
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
