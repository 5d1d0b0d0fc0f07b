"""SQL conditions of coverage: when a value counts or is too old, and how household items are answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from psycopg2 import sql

from oncehub.share.people.household import MOST_MEMBERS
from oncehub.share.people.relatives import living_condition
from oncehub.store.statements import statement

FILLED: Final = "filled"

_STANDS = sql.SQL("""(
    {person}.{attribute} is null
    or {name} <> all (coalesce({conflict}.attributes, '{{}}'))
    or coalesce(truth.origin({person}.provenance, {name}) ->> 'rule' = 'authority', false)
)""")

_TOO_OLD = sql.SQL("""
coalesce(%(now)s - (truth.origin({person}.provenance, {name}) ->> 'as_of')::timestamptz > {max_age}, true)
""")


def stands(person: str, conflict: str, attribute: str) -> sql.Composed:
    """Build the condition that a value holds against others.

    Args:
        person: name of a row of `truth.person`.
        conflict: name of the row with the attributes of theirs that sources disagree on.
        attribute: without `person.`.
    """
    return _STANDS.format(
        person=sql.Identifier(person),
        conflict=sql.Identifier(conflict),
        attribute=sql.Identifier(attribute),
        name=sql.Literal(attribute),
    )


def too_old(person: str, attribute: str, max_age: timedelta | None) -> sql.Composable:
    """Build the condition that a value was stated longer ago than `max_age`, or at an unknown time."""
    if max_age is None:
        return sql.SQL("false")
    return _TOO_OLD.format(
        person=sql.Identifier(person), name=sql.Literal(attribute), max_age=sql.Literal(max_age)
    )


HEAD: Final = "household_head"
MEMBER: Final = "member"

_CONFLICT: Final = "conflict_member"

_HOUSEHOLD = statement(__name__, "household")

_FLAG = sql.SQL("bool_or({condition}) filter (where member.person_key is not null) as {flag}")

JOIN_HOUSEHOLD: Final = sql.SQL("left join household on household.person_key = person.person_key")

_ANSWER = sql.SQL("""
case
    when household.person_key is null
    then case when {stands} then 'relative_unknown' else 'conflicting' end
    when household.members > {most} then 'too_many'
    when household.outside then 'not_allowed'
    when household.{unknown} then 'not_known'
    when household.{conflicting} then 'conflicting'
    when {too_old} or household.{old} then 'too_old'
    else {filled}
end
""")


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
    flags = [_flag(sql.SQL("not {}").format(population), "outside")]
    for number, question in questions.items():
        listed = question.attributes
        unknown = [sql.SQL("{} is null").format(sql.Identifier(MEMBER, name)) for name in listed]
        conflicting = [sql.SQL("not {}").format(stands(MEMBER, _CONFLICT, name)) for name in (HEAD, *listed)]
        old = [too_old(MEMBER, name, question.max_age) for name in (HEAD, *listed)]
        flags += [
            _flag(sql.SQL(" or ").join(conditions), f"{flag}_{number}")
            for flag, conditions in (("unknown", unknown), ("conflicting", conflicting), ("old", old))
        ]
    return _HOUSEHOLD.format(heads=heads, living=living_condition(MEMBER), flags=sql.SQL(", ").join(flags))


def household_answer(question: HouseholdQuestion, number: int) -> sql.Composed:
    """Build the answer to the question in the place `number`, of `person`."""
    return _ANSWER.format(
        stands=stands("person", "conflict", HEAD),
        most=sql.Literal(MOST_MEMBERS),
        too_old=too_old("person", HEAD, question.max_age),
        filled=sql.Literal(FILLED),
        **{flag: sql.Identifier(f"{flag}_{number}") for flag in ("unknown", "conflicting", "old")},
    )


def _flag(condition: sql.Composable, flag: str) -> sql.Composed:
    return _FLAG.format(condition=condition, flag=sql.Identifier(flag))
