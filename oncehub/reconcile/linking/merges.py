"""Clerks join two people of the register who are one, take them apart again, and split a person's records.

No machine joins people. The database holds what a join means, in `store/routines/truth/merge_decisions.sql`:
the survivor's own record speaks for the register, the other's numbers lead to the survivor, and so does the
other's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from psycopg2.extras import RealDictCursor

from oncehub.errors import DecisionRefused
from oncehub.reconcile.linking.overrides import RecordKey, Verdict, Word, require_person, rule, ruling
from oncehub.settings import Settings
from oncehub.store.connection import Connection, Cursor
from oncehub.store.migrate import opened

_DECIDE: Final = """
insert into truth.joining (person_key, into_person, verdict, reason, decided_by)
values (%s::uuid, %s::uuid, %s, %s, %s)
returning joining_id
"""

_INTO: Final = "select into_person::text from truth.joined where person_key = %s::uuid"

_LINKED: Final = """
select person_key::text from truth.link where (source, stream, source_key) = (%s, %s, %s) for update
"""

_HISTORY: Final = """
select
    g.joining_id, g.person_key::text, g.into_person::text, g.verdict, g.reason, g.decided_by, g.decided_at,
    exists (select from truth.joined j where j.joining_id = g.joining_id) as stands
from truth.joining g
where %(person)s::uuid in (g.person_key, g.into_person, g.survivor)
order by g.joining_id desc
"""


@dataclass(frozen=True)
class Joining:
    """What a clerk has said of two people of the register.

    Attributes:
        person_key: whose key leads to the other while the two are one.
        into_person: the other.
        verdict: they are one, or two after all.
        stands: it joins them now.
    """

    joining_id: int
    person_key: str
    into_person: str
    verdict: Literal["one", "two"]
    reason: str
    decided_by: str
    decided_at: datetime
    stands: bool


def join_people(
    settings: Settings, person_key: UUID, into: UUID, word: Word, database: Connection | None = None
) -> int:
    """Say that two people of the register are one; `into` survives, and the next run settles both.

    Returns:
        Number of the decision.

    Raises:
        DecisionRefused: when the register does not have both, or one was joined already.
        RunBusy: when a run links for longer than one waits.
    """
    if person_key == into:
        raise DecisionRefused("that is one person already; give the keys of two")
    with opened(settings, database) as connection, connection, ruling(connection) as cursor:
        return _decide(cursor, str(person_key), str(into), "one", word)


def take_apart(settings: Settings, person_key: UUID, word: Word, database: Connection | None = None) -> int:
    """Say that a person who was joined to another is a person of their own after all.

    Returns:
        Number of the decision.

    Raises:
        DecisionRefused: when they are joined to nobody.
        RunBusy: when a run links for longer than one waits.
    """
    with opened(settings, database) as connection, connection, ruling(connection) as cursor:
        cursor.execute(_INTO, (str(person_key),))
        joined = cursor.fetchone()
        if joined is None:
            raise DecisionRefused(f"{person_key} is joined to nobody, so there is nothing to take apart")
        return _decide(cursor, str(person_key), joined[0], "two", word)


def split_person(
    settings: Settings,
    person_key: UUID,
    records: Sequence[RecordKey],
    word: Word,
    *,
    to: UUID | None = None,
    database: Connection | None = None,
) -> list[int]:
    """Say that records drawn to one person speak of another, or at least not of them: all, or none.

    Args:
        settings: name the database.
        person_key: whom they are linked to.
        records: which records.
        word: who decides, and why.
        to: whom they speak of instead; without one, the next run looks for somebody else by itself.
        database: used instead of a connection of its own.

    Returns:
        Numbers of the rulings, one a record.

    Raises:
        DecisionRefused: when a record is not linked to that person or founds them, or the register has not
            the other.
        RunBusy: when a run links for longer than one waits.
    """
    verdict: Verdict = "same" if to else "different"
    with opened(settings, database) as connection, connection, ruling(connection) as cursor:
        if to:
            require_person(cursor, to)
        for place, record in enumerate(records, start=1):
            cursor.execute(_LINKED, record.parts)
            if cursor.fetchone() != (str(person_key),):
                raise DecisionRefused(
                    f"record {place}, of {record.source}.{record.stream}, is not linked to {person_key}; "
                    "nothing was changed"
                )
        return [rule(cursor, record, str(to or person_key), verdict, word) for record in records]


def joinings_of(settings: Settings, person_key: UUID, database: Connection | None = None) -> list[Joining]:
    """Give what clerks have said of a person and others, the latest first."""
    with (
        opened(settings, database) as connection,
        connection,
        connection.cursor(cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.execute(_HISTORY, {"person": str(person_key)})
        return [Joining(**row) for row in cursor.fetchall()]


def _decide(cursor: Cursor, person_key: str, into: str, verdict: str, word: Word) -> int:
    cursor.execute(_DECIDE, (person_key, into, verdict, word.reason, word.clerk))
    (joining_id,) = cursor.fetchone() or (0,)
    return int(joining_id)
