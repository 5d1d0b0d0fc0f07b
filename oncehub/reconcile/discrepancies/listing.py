"""Discrepancies for those who look into them: which are open and how grave, and what became of the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg2.extras import RealDictCursor

from oncehub.config.rules import DiscrepancyKind, Severity
from oncehub.errors import ConfigError
from oncehub.store.connection import Connection

_OPEN: Final = """
with told as (
    select *, null::timestamptz as closed_at, null as closed_because from truth.open_discrepancy
)
"""

_CLOSED: Final = """
with told as (
    select *, null as severity, took as age from truth.closed_discrepancy
)
"""

_TOLD: Final = """
select
    discrepancy_id, person_key::text, attribute, source, stream, source_key, kind, severity,
    stated, believed, stated_at, as_of, opened_at, age, closed_at, closed_because
from told
"""

_WANTED: Final = """
where (%(source)s::text is null or source = %(source)s)
    and (%(kind)s::text is null or kind = %(kind)s)
    and (%(severity)s::text is null or severity = %(severity)s)
    and (%(person)s::uuid is null or person_key = %(person)s::uuid)
    and age >= %(age)s
"""

_ONE: Final = "where discrepancy_id = %(id)s"

_GRAVEST_FIRST: Final = """
order by array_position(array['high', 'medium', 'low'], severity), opened_at, discrepancy_id
limit %(limit)s
"""

_LATEST_FIRST: Final = "order by closed_at desc, discrepancy_id desc limit %(limit)s"


@dataclass(frozen=True)
class Wanted:
    """Which discrepancies to list; what is None narrows nothing.

    Attributes:
        source: of this source's records.
        kind: of this kind.
        severity: of this severity today; a closed one has none any more.
        person: about this person.
        age: open for at least so long or, if closed, it took at least so long.
    """

    source: str | None = None
    kind: DiscrepancyKind | None = None
    severity: Severity | None = None
    person: UUID | None = None
    age: timedelta = timedelta(0)


@dataclass(frozen=True)
class Discrepancy:
    """What one record states of one attribute, and what is believed instead.

    Attributes:
        severity: today's; None once it is closed.
        stated: by the record; None where it is missing.
        believed: instead; of a duplicate, the key of the record that is kept.
        stated_at: when the source stated it.
        as_of: as of when the other value is believed; None where that is no value of the person's.
        age: how long it has been open, or was.
        closed_because: why it closed, as of `truth.discrepancy.closed_because`.
    """

    discrepancy_id: int
    person_key: str
    attribute: str
    source: str
    stream: str
    source_key: str
    kind: DiscrepancyKind
    severity: Severity | None
    stated: Any
    believed: Any
    stated_at: datetime
    as_of: datetime | None
    opened_at: datetime
    age: timedelta
    closed_at: datetime | None
    closed_because: str | None


def list_open(database: Connection, wanted: Wanted, *, limit: int) -> list[Discrepancy]:
    """Return at most `limit` open discrepancies, the gravest first and of those the oldest."""
    return _told(database, _OPEN + _TOLD + _WANTED + _GRAVEST_FIRST, {**_values(wanted), "limit": limit})


def list_closed(database: Connection, wanted: Wanted, *, limit: int) -> list[Discrepancy]:
    """Return at most `limit` closed discrepancies, the latest first."""
    return _told(database, _CLOSED + _TOLD + _WANTED + _LATEST_FIRST, {**_values(wanted), "limit": limit})


def show_discrepancy(database: Connection, discrepancy_id: int) -> Discrepancy:
    """Return a discrepancy, open or closed.

    Raises:
        ConfigError: when there is none of this number.
    """
    for either in (_OPEN, _CLOSED):
        found = _told(database, either + _TOLD + _ONE, {"id": discrepancy_id})
        if found:
            return found[0]
    raise ConfigError(f"there is no discrepancy {discrepancy_id}; `oncehub discrepancies list` tells numbers")


def _values(wanted: Wanted) -> dict[str, Any]:
    return {
        "source": wanted.source,
        "kind": wanted.kind,
        "severity": wanted.severity,
        "person": wanted.person and str(wanted.person),
        "age": wanted.age,
    }


def _told(database: Connection, query: str, values: dict[str, Any]) -> list[Discrepancy]:
    with database, database.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query, values)
        return [Discrepancy(**row) for row in cursor.fetchall()]
