"""The members of a person's household: who, as the register has it, names the same head."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from oncehub.config.agreements import Agreement
from oncehub.config.entities import unqualified
from oncehub.config.procedures import HOUSEHOLD_MEMBERS, Item
from oncehub.share.agreements.roles import rows_as
from oncehub.share.people.lookup import Person, believed
from oncehub.share.people.relatives import covered, tie
from oncehub.store.connection import Connection

MOST_MEMBERS: Final = 50
"""People beside the person: whatever names more is a wrong record, and no household."""

WhyUntold = Literal["not_allowed", "relative_unknown", "conflicting", "too_many"]
"""The agreement does not cover the item, or not all of the household: a list that lacks somebody would be
wrong; nobody is held as the head; sources disagree on who it is; more than `MOST_MEMBERS`."""

_BESIDE: Final = ("person_key", "provenance", "disputed_attributes")

_FIND: Final = """
select
    why,
    (
        select jsonb_object_agg(each.key, each.value)
        from jsonb_each(to_jsonb(person)) as each
        where each.key = any(%(columns)s)
    ) as held
from {share}.household_members(%(person)s)
"""


@dataclass(frozen=True)
class Household:
    """The others of a household, or why nobody of it is told.

    Attributes:
        members: those who are not held to be deceased or missing, without the person.
        is_found: it was looked for, and there is a head; that much an answer about it tells.
    """

    members: tuple[Person, ...] = ()
    why: WhyUntold | None = None
    is_found: bool = True


def find_household(
    connection: Connection, person: Person, items: Iterable[Item], agreement: Agreement
) -> Household:
    """Return the household that items list, as far as they are covered, with what those need of each member.

    The head is found by the personal number in the person's believed data, and so are those of the others:
    a former number leads to the same head.

    Args:
        connection: one that may become the agreement's role, in a transaction.
        person: whom the agreement covers, found with the tie; see `wanted_of`.
        items: of the form.
        agreement: on whose behalf.
    """
    listing = [item for item in items if item.of == HOUSEHOLD_MEMBERS and covered(item, agreement)]
    if not listing:
        return Household(why="not_allowed", is_found=False)
    head = tie(HOUSEHOLD_MEMBERS)
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
    return Household(tuple(_member(row["held"], columns) for row in rows))


def _member(held: Mapping[str, Any], columns: Mapping[str, str]) -> Person:
    key, provenance, disputed = (held[name] for name in _BESIDE)
    return Person(
        key, {name: believed(column, held[column], provenance, disputed) for name, column in columns.items()}
    )
