"""Merges: clerks merge two people of the register who are one, undo a merge, and split a person's records.

Only clerks merge people. `store/routines/truth/merge_decisions.sql` enforces what a merge means: the
survivor's own record speaks for the register, the other person's numbers lead to the survivor, and so does
the other person's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from psycopg2.extras import RealDictCursor

from oncehub.errors import DecisionRefused
from oncehub.reconcile.linking.overrides import DecidedBy, RecordKey, add_override, deciding, require_person
from oncehub.settings import Settings
from oncehub.store.connection import Connection, Cursor
from oncehub.store.migrate import opened

_INSERT: Final = """
insert into truth.merge_decision (person_key, merged_into, verdict, reason, decided_by)
values (%s::uuid, %s::uuid, %s, %s, %s)
returning merge_decision_id
"""

_MERGED_INTO: Final = "select merged_into::text from truth.merged_person where person_key = %s::uuid"

_LINKED: Final = """
select person_key::text from truth.link where (source, stream, source_key) = (%s, %s, %s) for update
"""

_HISTORY: Final = """
select
    g.merge_decision_id, g.person_key::text, g.merged_into::text, g.verdict,
    g.reason, g.decided_by, g.decided_at,
    exists (select from truth.merged_person j where j.merge_decision_id = g.merge_decision_id) as active
from truth.merge_decision g
where %(person)s::uuid in (g.person_key, g.merged_into, g.survivor)
order by g.merge_decision_id desc
"""


@dataclass(frozen=True)
class MergeDecision:
    """A clerk's decision on two people of the register.

    Attributes:
        person_key: the person whose key leads to the other while they are merged.
        merged_into: the other.
        verdict: they are one person, or two after all.
        active: it merges them now.
    """

    merge_decision_id: int
    person_key: str
    merged_into: str
    verdict: Literal["one", "two"]
    reason: str
    decided_by: str
    decided_at: datetime
    active: bool


def merge_people(
    settings: Settings, person_key: UUID, into: UUID, by: DecidedBy, database: Connection | None = None
) -> int:
    """Merge two people of the register; `into` survives, and the next run settles both.

    Returns:
        Number of the decision.

    Raises:
        DecisionRefused: The register does not have both, or one is merged already.
        RunBusy: A run links for longer than this waits.
    """
    if person_key == into:
        raise DecisionRefused("that is one person already; give the keys of two")
    with opened(settings, database) as connection, connection, deciding(connection) as cursor:
        return _decide(cursor, str(person_key), str(into), "one", by)


def unmerge_person(
    settings: Settings, person_key: UUID, by: DecidedBy, database: Connection | None = None
) -> int:
    """Undo the merge of a person into another.

    Returns:
        Number of the decision.

    Raises:
        DecisionRefused: The person is not merged.
        RunBusy: A run links for longer than this waits.
    """
    with opened(settings, database) as connection, connection, deciding(connection) as cursor:
        cursor.execute(_MERGED_INTO, (str(person_key),))
        merged = cursor.fetchone()
        if merged is None:
            raise DecisionRefused(f"{person_key} is not merged, so there is nothing to undo")
        return _decide(cursor, str(person_key), merged[0], "two", by)


def split_person(
    settings: Settings,
    person_key: UUID,
    records: Sequence[RecordKey],
    by: DecidedBy,
    *,
    to: UUID | None = None,
    database: Connection | None = None,
) -> list[int]:
    """Override the links of several records of one person: all of them, or none.

    Args:
        settings: name the database.
        person_key: the person to whom they are linked.
        records: which records.
        by: who decides, and why.
        to: the person whom they describe instead; without one, the next run links them by itself.
        database: used instead of a connection of its own.

    Returns:
        Numbers of the overrides, one a record.

    Raises:
        DecisionRefused: A record is not linked to that person or founds them, or the register does not have
            the other person.
        RunBusy: A run links for longer than this waits.
    """
    with opened(settings, database) as connection, connection, deciding(connection) as cursor:
        if to:
            require_person(cursor, to)
        for place, record in enumerate(records, start=1):
            cursor.execute(_LINKED, record.parts)
            if cursor.fetchone() != (str(person_key),):
                raise DecisionRefused(
                    f"record {place}, of {record.source}.{record.stream}, is not linked to {person_key}; "
                    "nothing was changed"
                )
        return [
            add_override(cursor, record, str(to or person_key), "same" if to else "different", by)
            for record in records
        ]


def merge_decisions_of(
    settings: Settings, person_key: UUID, database: Connection | None = None
) -> list[MergeDecision]:
    """Return the merges of a person, and their undoing, the latest first."""
    with (
        opened(settings, database) as connection,
        connection,
        connection.cursor(cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.execute(_HISTORY, {"person": str(person_key)})
        return [MergeDecision(**row) for row in cursor.fetchall()]


def _decide(cursor: Cursor, person_key: str, into: str, verdict: str, by: DecidedBy) -> int:
    cursor.execute(_INSERT, (person_key, into, verdict, by.reason, by.clerk))
    (decision_id,) = cursor.fetchone() or (0,)
    return int(decision_id)
