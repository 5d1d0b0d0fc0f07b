"""Finds the members of a person's household: people whose believed data name the same head."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from oncehub.config.agreements import Agreement
from oncehub.config.entities import unqualified
from oncehub.config.procedures import HOUSEHOLD_MEMBERS, Item, relationship_attribute
from oncehub.share.people.lookup import Person, believed
from oncehub.share.people.relatives import is_covered
from oncehub.share.roles import rows_as
from oncehub.store.connection import Connection

MOST_MEMBERS: Final = 50
"""Members beside the person: more indicate a wrong record, not a household."""

HouseholdReason = Literal["not_allowed", "relative_unknown", "conflicting", "too_many"]
"""The agreement does not cover the item, or not every member, and an incomplete list would be wrong; the head
is unknown; sources disagree on the head; there are more than `MOST_MEMBERS`."""

_BESIDE: Final = ("person_key", "provenance", "disputed_attributes")

_FIND: Final = """
select
    why,
    (
        select jsonb_object_agg(each.key, each.value)
        from jsonb_each(to_jsonb(person)) as each
        where each.key = any(%(columns)s)
    ) as member
from {share}.household_members(%(person)s)
"""


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


def find_household(
    connection: Connection, person: Person, items: Iterable[Item], agreement: Agreement
) -> Household:
    """Return the household that items list, as far as they are covered, with what those need of each member.

    The head is found by the personal number in the person's believed data, and so are those of the others:
    a former number finds the same head.

    Args:
        connection: one that may become the agreement's role, in a transaction.
        person: covered by the agreement, found with the relationship attribute; see `wanted_of`.
        items: of the form.
        agreement: on whose behalf.
    """
    listing = [item for item in items if item.of == HOUSEHOLD_MEMBERS and is_covered(item, agreement)]
    if not listing:
        return Household(why="not_allowed", is_found=False)
    head = relationship_attribute(HOUSEHOLD_MEMBERS)
    if not person.attributes[head].stands:
        return Household(why="conflicting", is_found=False)
    return _read(connection, agreement, person.key, {head}.union(*(item.fills for item in listing)))


def _read(
    connection: Connection, agreement: Agreement, person_key: str, attributes: Collection[str]
) -> Household:
    columns = {name: unqualified(name) for name in attributes}
    rows = rows_as(
        connection, agreement, _FIND, {"person": person_key, "columns": [*_BESIDE, *columns.values()]}
    )
    if rows and (why := rows[0]["why"]):
        return Household(why=why, is_found=why != "relative_unknown")
    return Household(tuple(_member(row["member"], columns) for row in rows))


def _member(row: Mapping[str, Any], columns: Mapping[str, str]) -> Person:
    key, provenance, disputed = (row[name] for name in _BESIDE)
    return Person(
        key, {name: believed(column, row[column], provenance, disputed) for name, column in columns.items()}
    )
