"""A clerk's word on whom one record speaks of: to break its link, to set it, and to see what has been said.

A ruling has effect in its own transaction: a link that it contradicts is gone with it, and the record and the
people it touches are decided anew by the next run. Rulings are kept for good; a later one supersedes. The
database holds this (see `store/routines/truth/link_overrides.sql`), whoever writes there.
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

# A run that links holds the rulings until it is done: for minutes, where all records are linked anew.
_PATIENCE: Final = "savepoint ruling; set local lock_timeout = '5s'"

_UNDO: Final = "rollback to savepoint ruling"

_RULE: Final = """
insert into truth.ruling (source, stream, source_key, person_key, verdict, reason, ruled_by)
values (%s, %s, %s, %s::uuid, %s, %s, %s)
returning ruling_id
"""

_LINK: Final = """
select person_key::text, method, probability, linked_at
from truth.link
where (source, stream, source_key) = (%s, %s, %s)
"""

_RULINGS: Final = """
select
    r.ruling_id, r.person_key::text, r.verdict, r.reason, r.ruled_by, r.ruled_at, r.decision_id,
    r.linked_to::text, r.method,
    exists (select from truth.standing_ruling s where s.ruling_id = r.ruling_id) as stands
from truth.ruling r
where (r.source, r.stream, r.source_key) = (%s, %s, %s)
order by r.ruling_id desc
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
    """One record of persons: its source, its stream there, and its key as the source gives it."""

    source: str
    stream: str
    source_key: str

    @property
    def parts(self) -> tuple[str, str, str]:
        """The three in the order of every key."""
        return self.source, self.stream, self.source_key


@dataclass(frozen=True)
class Word:
    """Who decides, and why; both are kept for good.

    Raises:
        ConfigError: when either is empty or too long.
    """

    clerk: str
    reason: str

    def __post_init__(self) -> None:
        _require_text("the name of the clerk", self.clerk, LONGEST_NAME)
        _require_text("the reason", self.reason, LONGEST_REASON)


@dataclass(frozen=True)
class Ruling:
    """What a clerk has said of a record and a person.

    Attributes:
        decision_id: the decision of a case that it follows from.
        linked_to: whom the record was linked to until then, and `method` by what.
        stands: no later word has superseded it.
    """

    ruling_id: int
    person_key: str
    verdict: Verdict
    reason: str
    ruled_by: str
    ruled_at: datetime
    decision_id: int | None
    linked_to: str | None
    method: str | None
    stands: bool


@dataclass(frozen=True)
class Standing:
    """How a record stands.

    Attributes:
        link: `person_key`, `method`, `probability` and `linked_at`; None when it is linked to nobody.
        rulings: everything that clerks have said of it, the latest first.
    """

    link: dict[str, Any] | None
    rulings: list[Ruling]


def standing_of(settings: Settings, record: RecordKey, database: Connection | None = None) -> Standing:
    """Tell whom a record is linked to, by what, and what clerks have said of it.

    Raises:
        ConfigError: when there is no live record of that key, and nothing was ever said of one.
    """
    with opened(settings, database) as connection, connection:
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(_LINK, record.parts)
            link = cursor.fetchone()
            cursor.execute(_RULINGS, record.parts)
            rulings = [Ruling(**row) for row in cursor.fetchall()]
        if not rulings:
            with connection.cursor() as cursor:
                require_record(cursor, record)
    return Standing(dict(link) if link else None, rulings)


def break_link(
    settings: Settings, record: RecordKey, word: Word, database: Connection | None = None
) -> tuple[int, str]:
    """Rule that a record does not speak of whom it is linked to; no run will link the two again.

    Returns:
        Number of the ruling, and key of the person.

    Raises:
        ConfigError: when there is no live record of that key.
        DecisionRefused: when it is linked to nobody, or founds a person of the register.
        RunBusy: when a run links for longer than one waits.
    """
    with opened(settings, database) as connection, connection, ruling(connection) as cursor:
        require_record(cursor, record)
        # Who breaks the same link at once waits here, and then finds it broken.
        cursor.execute(_LINK + "for update", record.parts)
        linked = cursor.fetchone()
        if linked is None:
            raise DecisionRefused(
                "the record is linked to nobody, so there is nothing to break; `oncehub link show` tells why"
            )
        return rule(cursor, record, linked[0], "different", word), linked[0]


def set_link(
    settings: Settings, record: RecordKey, person_key: UUID, word: Word, database: Connection | None = None
) -> int:
    """Rule that a record speaks of a person, whatever it states; the next run links them.

    Returns:
        Number of the ruling.

    Raises:
        ConfigError: when there is no live record of that key.
        DecisionRefused: when the register has no such person, or the record founds a person itself.
        RunBusy: when a run links for longer than one waits.
    """
    with opened(settings, database) as connection, connection, ruling(connection) as cursor:
        require_record(cursor, record)
        require_person(cursor, person_key)
        return rule(cursor, record, str(person_key), "same", word)


@contextmanager
def ruling(connection: Connection) -> Iterator[Cursor]:
    """Give a cursor to write clerks' words with, in the caller's transaction; a refusal undoes only those.

    Raises:
        DecisionRefused: when the database refuses what contradicts the register, or another clerk's word.
        RunBusy: when a run links for longer than one waits.
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


def rule(cursor: Cursor, record: RecordKey, person_key: str, verdict: Verdict, word: Word) -> int:
    """Write one ruling and return its number."""
    cursor.execute(_RULE, (*record.parts, person_key, verdict, word.reason, word.clerk))
    (ruling_id,) = cursor.fetchone() or (0,)
    return int(ruling_id)


def require_record(cursor: Cursor, record: RecordKey) -> None:
    """Check that a record is there.

    Raises:
        ConfigError: when it is not.
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
        DecisionRefused: when it has not.
    """
    cursor.execute(_REGISTERED, (str(person_key),))
    if cursor.fetchone() != (True,):
        raise DecisionRefused(f"the register has no person {person_key}")


def _require_text(what: str, text: str, longest: int) -> None:
    if not text.strip() or len(text) > longest or not text.isprintable():
        raise ConfigError(f"{what} must be one line of 1 to {longest} characters")
