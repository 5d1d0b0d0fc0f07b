"""Lists discrepancies: the open ones by severity and age, the closed ones with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg2.extras import RealDictCursor

from oncehub.config.rules import DiscrepancyKind, Severity
from oncehub.errors import ConfigError
from oncehub.store.connection import Connection

_OPEN: Final = "select *, null::timestamptz as closed_at, null as closed_because from truth.open_discrepancy"
_CLOSED: Final = "select *, null as severity, resolution_time as age from truth.closed_discrepancy"

_SELECT: Final = """
select
    discrepancy_id, person_key::text, attribute, source, stream, source_key, kind, severity,
    source_value, golden_value, stated_at, as_of, opened_at, age, closed_at, closed_because
from ({discrepancies}) d
where {condition}
"""

_FILTER: Final = """
    (%(source)s::text is null or source = %(source)s)
    and (%(kind)s::text is null or kind = %(kind)s)
    and (%(severity)s::text is null or severity = %(severity)s)
    and (%(person)s::uuid is null or person_key = %(person)s::uuid)
    and age >= %(age)s
"""

_GRAVEST_FIRST: Final = "array_position(array['high', 'medium', 'low'], severity), opened_at, discrepancy_id"
_LATEST_FIRST: Final = "closed_at desc, discrepancy_id desc"


@dataclass(frozen=True)
class Wanted:
    """Which discrepancies to list; None does not filter.

    Attributes:
        source: of this source's records.
        kind: of this kind.
        severity: of this severity today; a closed discrepancy has none.
        person: about this person.
        age: open for at least this time or, if closed, resolved after at least this time.
    """

    source: str | None = None
    kind: DiscrepancyKind | None = None
    severity: Severity | None = None
    person: UUID | None = None
    age: timedelta = timedelta(0)


@dataclass(frozen=True)
class Discrepancy:
    """What one record states of one attribute, and the golden value.

    Attributes:
        severity: today's; None once it is closed.
        source_value: what the record states; None where it is missing.
        golden_value: of a duplicate, the key of the record that is kept.
        stated_at: when the source stated it.
        as_of: the time of the golden value's statement; None where `golden_value` is not the person's value.
        age: how long it has been open, or was.
        closed_because: the reason, as in `truth.discrepancy.closed_because`.
    """

    discrepancy_id: int
    person_key: str
    attribute: str
    source: str
    stream: str
    source_key: str
    kind: DiscrepancyKind
    severity: Severity | None
    source_value: Any
    golden_value: Any
    stated_at: datetime
    as_of: datetime | None
    opened_at: datetime
    age: timedelta
    closed_at: datetime | None
    closed_because: str | None


def list_open(database: Connection, wanted: Wanted, *, limit: int) -> list[Discrepancy]:
    """Return at most `limit` open discrepancies, the gravest first and of those the oldest."""
    return _listed(database, _OPEN, wanted, _GRAVEST_FIRST, limit)


def list_closed(database: Connection, wanted: Wanted, *, limit: int) -> list[Discrepancy]:
    """Return at most `limit` closed discrepancies, the latest first."""
    return _listed(database, _CLOSED, wanted, _LATEST_FIRST, limit)


def show_discrepancy(database: Connection, discrepancy_id: int) -> Discrepancy:
    """Return one discrepancy, open or closed.

    Raises:
        ConfigError: There is none of this number.
    """
    for discrepancies in (_OPEN, _CLOSED):
        if found := _select(database, discrepancies, "discrepancy_id = %(id)s", {"id": discrepancy_id}):
            return found[0]
    raise ConfigError(f"there is no discrepancy {discrepancy_id}; `oncehub discrepancies list` shows numbers")


def _listed(
    database: Connection, discrepancies: str, wanted: Wanted, order: str, limit: int
) -> list[Discrepancy]:
    person = wanted.person and str(wanted.person)
    values = vars(wanted) | {"person": person, "limit": limit}
    return _select(database, discrepancies, f"{_FILTER} order by {order} limit %(limit)s", values)


def _select(
    database: Connection, discrepancies: str, condition: str, values: dict[str, Any]
) -> list[Discrepancy]:
    query = _SELECT.format(discrepancies=discrepancies, condition=condition)
    with database, database.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query, values)
        return [Discrepancy(**row) for row in cursor.fetchall()]
