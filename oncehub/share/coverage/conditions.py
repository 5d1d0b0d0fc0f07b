"""SQL expressions of coverage: the calls of the functions that decide how an item is answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from psycopg2 import sql

from oncehub.store.statements import statement

FILLED: Final = "filled"
HEAD: Final = "household_head"
MEMBER: Final = "member"

JOIN_HOUSEHOLD: Final = sql.SQL("left join household on household.person_key = person.person_key")

_CONFLICT: Final = "conflict_member"

_HOUSEHOLD = statement(__name__, "household")

_VALUE = sql.SQL("""
share.value_status(
    true, {person}.{attribute} is not null, {name}, {person}.provenance, {conflict}.attributes, {max_age}
)""")

_UNFOUND = sql.SQL(
    "share.unfound_status(person.{tie} is not null, {name}, person.provenance, conflict.attributes)"
)

_LISTED = sql.SQL("least({statuses})")

_OF_MEMBERS = sql.SQL("min({listed}) filter (where member.person_key is not null) as {status}")

_ANSWER = sql.SQL("""
case
    when household.person_key is null then {unfound}
    else share.household_status(household.members, household.outside, least({own}, household.{status}))
end
""")


def value_status(person: str, conflict: str, attribute: str, max_age: timedelta | None) -> sql.Composed:
    """Build how a golden value answers an item.

    Args:
        person: name of a row of `truth.person`.
        conflict: name of the row with the attributes of theirs that sources disagree on.
        attribute: without `person.`.
        max_age: of the item.
    """
    return _VALUE.format(
        person=sql.Identifier(person),
        conflict=sql.Identifier(conflict),
        attribute=sql.Identifier(attribute),
        name=sql.Literal(attribute),
        max_age=sql.Literal(max_age),
    )


def unfound_status(tie: str) -> sql.Composed:
    """Build why nobody is found whom an attribute of `person` names."""
    return _UNFOUND.format(tie=sql.Identifier(tie), name=sql.Literal(tie))


@dataclass(frozen=True)
class HouseholdQuestion:
    """Whether the members of a household can be listed, with these of their attributes."""

    attributes: tuple[str, ...]
    max_age: timedelta | None


def household_part(
    questions: Mapping[int, HouseholdQuestion], heads: sql.Composable, population: sql.Composable
) -> sql.Composed:
    """Build the query of the household of every person whose head is found.

    Args:
        questions: by their place; at least one.
        heads: the expression with each person's head: `person_key`, `relative`.
        population: condition that the agreement covers `MEMBER`.
    """
    return _HOUSEHOLD.format(
        heads=heads,
        population=population,
        statuses=sql.SQL(", ").join(
            _OF_MEMBERS.format(listed=_listed(question), status=_status(number))
            for number, question in questions.items()
        ),
    )


def household_answer(question: HouseholdQuestion, number: int) -> sql.Composed:
    """Build the answer to the question in the place `number`, of `person`."""
    return _ANSWER.format(
        unfound=unfound_status(HEAD),
        own=value_status("person", "conflict", HEAD, question.max_age),
        status=_status(number),
    )


def _listed(question: HouseholdQuestion) -> sql.Composed:
    names: Iterable[str] = (HEAD, *question.attributes)
    return _LISTED.format(
        statuses=sql.SQL(", ").join(value_status(MEMBER, _CONFLICT, name, question.max_age) for name in names)
    )


def _status(number: int) -> sql.Identifier:
    return sql.Identifier(f"status_{number}")
