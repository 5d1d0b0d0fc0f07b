"""The people that somebody's believed data name, one step away: found by the personal number there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg2 import sql

from oncehub.config.agreements import Agreement
from oncehub.config.entities import qualified
from oncehub.config.procedures import HOUSEHOLD_MEMBERS, Item
from oncehub.share.people.lookup import Person, find_person
from oncehub.store.connection import Connection

LIFE_STATUS = "person.life_status"
NOT_LIVING = ("deceased", "missing")


def living(person: Person) -> bool:
    """Tell whether the person, found with their life status, is not held to be deceased or missing."""
    return person.attributes[LIFE_STATUS].value not in NOT_LIVING


def living_condition(person: str) -> sql.Composed:
    """Build the condition that a row of `truth.person`, of that name, fulfils when they are `living`."""
    return sql.SQL("coalesce({}.life_status not in {}, true)").format(
        sql.Identifier(person), sql.Literal(NOT_LIVING)
    )


def tie(relation: str) -> str:
    """Return the attribute that names the relative, e.g. `person.father`; of a household, its head."""
    return "person.household_head" if relation == HOUSEHOLD_MEMBERS else qualified(relation)


def covered(item: Item, agreement: Agreement) -> bool:
    """Tell whether the agreement lets an item be filled: what fills it, and of a relative the tie as well."""
    if item.of and (item.of not in agreement.relatives or tie(item.of) not in agreement.attributes):
        return False
    return bool(item.fills) and set(item.fills) <= set(agreement.attributes)


def find_relatives(
    connection: Connection, person: Person, items: Iterable[Item], agreement: Agreement
) -> dict[str, Person | None]:
    """Return the relatives that covered items are about, by relation, with what those items need of them.

    Members of a household are not among them: see `oncehub.share.people.household`. Nobody is looked for
    where the tie is not known, or is contested among sources without authority.

    Args:
        connection: one that may read `truth`.
        person: found with the ties; see `wanted_of`.
        items: of the form.
        agreement: on whose behalf.
    """
    wanted: dict[str, set[str]] = {}
    for item in items:
        if item.of and item.attribute and covered(item, agreement):
            wanted.setdefault(item.of, {LIFE_STATUS}).add(item.attribute)
    return {
        relation: _relative(connection, agreement, person, relation, attributes)
        for relation, attributes in wanted.items()
    }


def wanted_of(items: Iterable[Item], agreement: Agreement) -> set[str]:
    """Return the attributes of the person that covered items need: their own, and the ties to relatives."""
    return {
        name
        for item in items
        if covered(item, agreement)
        for name in ((tie(item.of),) if item.of else item.fills)
    }


def _relative(
    connection: Connection, agreement: Agreement, person: Person, relation: str, attributes: set[str]
) -> Person | None:
    named = person.attributes[tie(relation)]
    number = named.value.get("personal_id") if isinstance(named.value, Mapping) and named.stands else None
    if number is None:
        return None
    found = find_person(connection, agreement, {"person.personal_id": number}, sorted(attributes))
    # Of a relative outside the agreement's population it is not told either that there is one.
    return found if isinstance(found, Person) else None
