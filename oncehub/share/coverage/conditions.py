"""Conditions on a person in a statement over many, by the rules of `item_values`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from psycopg2 import sql

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
    """Build the condition that a value was stated longer ago than `max_age`, or nobody knows when."""
    if max_age is None:
        return sql.SQL("false")
    return _TOO_OLD.format(
        person=sql.Identifier(person), name=sql.Literal(attribute), max_age=sql.Literal(max_age)
    )
