"""One run: what changed since the last is linked, believed, compared and told of, all or nothing."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 names its class in lower case

from oncehub.model.errors import RunBusy
from oncehub.model.settings import Settings
from oncehub.reconcile.compare import find_differences
from oncehub.reconcile.discrepancies import settle_discrepancies
from oncehub.reconcile.link import link_records
from oncehub.reconcile.outbox import announce
from oncehub.reconcile.rulebook import Rulebook, load_rulebook
from oncehub.reconcile.statements import statement
from oncehub.reconcile.survive import believe
from oncehub.store.connection import Connection, locked, opened
from oncehub.store.failures import told_without_values

_log = logging.getLogger(__name__)

# Temporary tables are large on the first run and need no more than this run's memory.
_SESSION = "set local timezone = 'UTC'; set local work_mem = '64MB'; set local jit = off"

_LINKS = """
select method, count(*) from truth.link group by method
union all
select 'unlinked', count(*) from truth.unlinked
"""

_OPEN = "select kind, count(*) from truth.discrepancy where closed_at is null group by kind"

# In the order in which a landing batch marks, so that neither waits for the other in a circle.
_MARK_ALL = """
insert into intake.dirty (source, stream, source_key)
select source, stream, source_key from record.person
order by source, stream, source_key
on conflict (source, stream, source_key) do update set mark = excluded.mark
"""


@dataclass(frozen=True)
class ReconcileReport:
    """What a run did, and what stands after it.

    Attributes:
        dirty: records that had changed.
        people_created: people who came.
        people_changed: people of whom another value is believed.
        people_removed: people whose record the register deleted.
        links: records linked now by method (`register`: the people's own), and `unlinked`.
        opened: discrepancies opened by this run.
        closed: discrepancies closed by it.
        open_by_kind: discrepancies open now.
        seconds: wall clock.
    """

    dirty: int
    people_created: int
    people_changed: int
    people_removed: int
    links: dict[str, int]
    opened: int
    closed: int
    open_by_kind: dict[str, int]
    seconds: float


def reconcile(settings: Settings, database: Connection | None = None) -> ReconcileReport:
    """Decide anew about every record marked dirty and everything it touches, in one transaction.

    A transaction left open on `database` is committed first.

    Raises:
        RunBusy: when another process reconciles.
        ConfigError: when a rule file is wrong.
        StoreError: when the database cannot be used; nothing of the run is kept.
    """
    rules = load_rulebook(settings)
    with (
        told_without_values("reconciling"),
        opened(settings, database) as connection,
        locked(connection, "reconcile") as alone,
    ):
        if not alone:
            raise RunBusy("another process is reconciling; its run covers what has landed until it began")
        with connection, connection.cursor() as cursor:
            report = _run(cursor, rules)
    _log.info(
        "reconciled %d changed records: %d people created, %d changed, %d removed; "
        "%d discrepancies opened, %d closed",
        report.dirty,
        report.people_created,
        report.people_changed,
        report.people_removed,
        report.opened,
        report.closed,
    )
    return report


def mark_all(database: Connection) -> int:
    """Mark every person record dirty, so that changed rules reach all of them; return their number."""
    with database, database.cursor() as cursor:
        cursor.execute(_MARK_ALL)
        return cursor.rowcount


def _run(cursor: Cursor, rules: Rulebook) -> ReconcileReport:
    began = time.monotonic()
    cursor.execute(_SESSION)
    link_records(cursor, rules)
    shifts = believe(cursor, rules)
    announce(cursor)
    find_differences(cursor, rules)
    opened_now, closed_now = settle_discrepancies(cursor)
    dirty = _counted(cursor, "select 'dirty', count(*) from dirty_record")["dirty"]
    cursor.execute(statement("dirty"))
    return ReconcileReport(
        dirty=dirty,
        people_created=shifts.created,
        people_changed=shifts.changed,
        people_removed=shifts.removed,
        links=_counted(cursor, _LINKS),
        opened=opened_now,
        closed=closed_now,
        open_by_kind=_counted(cursor, _OPEN),
        seconds=time.monotonic() - began,
    )


def _counted(cursor: Cursor, query: str) -> dict[str, int]:
    cursor.execute(query)
    return dict(cursor.fetchall())
