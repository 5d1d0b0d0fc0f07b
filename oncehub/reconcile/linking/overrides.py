"""Link overrides: a clerk removes a record's link, or decides which person the record describes.

An override takes effect in its own transaction: a link that contradicts it is deleted with it, and the next
run links the record, and settles the people it touches, by it. Overrides are kept for good; a later one
replaces an earlier one. `store/routines/truth/link_overrides.sql` enforces this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import psycopg2.errors
from psycopg2.extras import RealDictCursor

from oncehub.errors import ConfigError, DecisionRefused, RunBusy
from oncehub.settings import Settings
from oncehub.store.connection import Connection, Cursor
from oncehub.store.migrate import opened

Verdict = Literal["same", "different"]

LONGEST_NAME: Final = 200
LONGEST_REASON: Final = 2000

# A run that links locks the overrides until it ends: for minutes, when all records are linked anew.
_PATIENCE: Final = "savepoint deciding; set local lock_timeout = '5s'"

_UNDO: Final = "rollback to savepoint deciding"

_INSERT: Final = """
insert into truth.link_override (source, stream, source_key, person_key, verdict, reason, decided_by)
values (%s, %s, %s, %s::uuid, %s, %s, %s)
returning override_id
"""

_LINK: Final = """
select person_key::text, method, probability, linked_at
from truth.link
where (source, stream, source_key) = (%s, %s, %s)
"""

_OVERRIDES: Final = """
select
    r.override_id, r.person_key::text, r.verdict, r.reason,
    r.decided_by, r.decided_at, r.decision_id, r.linked_to::text, r.method,
    exists (select from truth.active_link_override s where s.override_id = r.override_id) as active
from truth.link_override r
where (r.source, r.stream, r.source_key) = (%s, %s, %s)
order by r.override_id desc
"""

_STATES: Final = """
select exists (
    select from record.person
    where (source, stream, source_key) = (%s, %s, %s) and deleted_at is null
)
"""

_REGISTERED: Final = """
select exists (select from truth.link where person_key = %s::uuid and method = 'register')
"""


@dataclass(frozen=True)
class RecordKey:
    """One person record: its source, its stream there, and its key as the source gives it."""

    source: str
    stream: str
    source_key: str

    @property
    def parts(self) -> tuple[str, str, str]:
        """The three in the order of every key."""
        return self.source, self.stream, self.source_key


@dataclass(frozen=True)
class DecidedBy:
    """The clerk who decides, and the reason; both are kept for good.

    Raises:
        ConfigError: Either is empty or too long.
    """

    clerk: str
    reason: str

    def __post_init__(self) -> None:
        for what, text, longest in (
            ("the name of the clerk", self.clerk, LONGEST_NAME),
            ("the reason", self.reason, LONGEST_REASON),
        ):
            if not text.strip() or len(text) > longest or not text.isprintable():
                raise ConfigError(f"{what} must be one line of 1 to {longest} characters")


@dataclass(frozen=True)
class LinkOverride:
    """A clerk's decision on a record and a person.

    Attributes:
        verdict: the record describes that person, or does not.
        decision_id: the decision of a case that it follows from.
        linked_to: the person to whom the record was linked until then, and `method` of that link.
        active: no later override has replaced it.
    """

    override_id: int
    person_key: str
    verdict: Verdict
    reason: str
    decided_by: str
    decided_at: datetime
    decision_id: int | None
    linked_to: str | None
    method: str | None
    active: bool


@dataclass(frozen=True)
class LinkState:
    """A record's link and overrides.

    Attributes:
        link: `person_key`, `method`, `probability` and `linked_at`; None when it is not linked.
        overrides: all that clerks have decided, the latest first.
    """

    link: dict[str, Any] | None
    overrides: list[LinkOverride]


def link_state_of(settings: Settings, record: RecordKey, database: Connection | None = None) -> LinkState:
    """Return a record's link and overrides.

    Raises:
        ConfigError: There is no live record of that key, and no override of one.
    """
    with opened(settings, database) as connection, connection:
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(_LINK, record.parts)
            link = cursor.fetchone()
            cursor.execute(_OVERRIDES, record.parts)
            overrides = [LinkOverride(**row) for row in cursor.fetchall()]
        if not overrides:
            with connection.cursor() as cursor:
                require_record(cursor, record)
    return LinkState(dict(link) if link else None, overrides)


def remove_link(
    settings: Settings, record: RecordKey, by: DecidedBy, database: Connection | None = None
) -> tuple[int, str]:
    """Decide that a record does not describe the person it is linked to; no run links the two again.

    Returns:
        Number of the override, and key of the person.

    Raises:
        ConfigError: There is no live record of that key.
        DecisionRefused: The record is not linked, or founds a person of the register.
        RunBusy: A run links for longer than this waits.
    """
    with opened(settings, database) as connection, connection, deciding(connection) as cursor:
        require_record(cursor, record)
        # A clerk who removes the same link at the same time waits here, and then finds it removed.
        cursor.execute(_LINK + "for update", record.parts)
        linked = cursor.fetchone()
        if linked is None:
            raise DecisionRefused(
                "the record is not linked, so there is no link to remove; `oncehub link show` says why"
            )
        return add_override(cursor, record, linked[0], "different", by), linked[0]


def override_link(
    settings: Settings, record: RecordKey, person_key: UUID, by: DecidedBy, database: Connection | None = None
) -> int:
    """Decide that a record describes a person, whatever it states; the next run links them.

    Returns:
        Number of the override.

    Raises:
        ConfigError: There is no live record of that key.
        DecisionRefused: The register has no such person, or the record founds a person itself.
        RunBusy: A run links for longer than this waits.
    """
    with opened(settings, database) as connection, connection, deciding(connection) as cursor:
        require_record(cursor, record)
        require_person(cursor, person_key)
        return add_override(cursor, record, str(person_key), "same", by)


@contextmanager
def deciding(connection: Connection) -> Iterator[Cursor]:
    """Give a cursor to write decisions with, in the caller's transaction; a refusal undoes only those.

    Raises:
        DecisionRefused: The database refuses a decision that contradicts the register or another clerk.
        RunBusy: A run links for longer than this waits.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
        try:
            yield cursor
        except psycopg2.errors.LockNotAvailable:
            cursor.execute(_UNDO)
            raise RunBusy("records are being linked just now; decide again when that run is done") from None
        except psycopg2.errors.RaiseException as error:
            cursor.execute(_UNDO)
            raise DecisionRefused(error.diag.message_primary or "the database refused it") from None


def add_override(cursor: Cursor, record: RecordKey, person_key: str, verdict: Verdict, by: DecidedBy) -> int:
    """Write one override and return its number."""
    cursor.execute(_INSERT, (*record.parts, person_key, verdict, by.reason, by.clerk))
    (override_id,) = cursor.fetchone() or (0,)
    return int(override_id)


def require_record(cursor: Cursor, record: RecordKey) -> None:
    """Check that there is a live record of a key.

    Raises:
        ConfigError: There is none.
    """
    cursor.execute(_STATES, record.parts)
    if cursor.fetchone() != (True,):
        raise ConfigError(
            f"{record.source}.{record.stream} has no live record of that key; "
            "keys are as the source gives them"
        )


def require_person(cursor: Cursor, person_key: UUID) -> None:
    """Check that the register has a person.

    Raises:
        DecisionRefused: It has not.
    """
    cursor.execute(_REGISTERED, (str(person_key),))
    if cursor.fetchone() != (True,):
        raise DecisionRefused(f"the register has no person {person_key}")
