"""A reconcile run: links the records that changed, then settles (survivorship, discrepancies) their people.

Linking is one transaction, and so is settling each shard of people. The people still to be settled are listed
in `truth.pending`, in the transaction that links: a run that is interrupted anywhere is finished by the next.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass

from oncehub.encryption.cipher import use_keys
from oncehub.errors import RunBusy
from oncehub.reconcile.discrepancies.compare import find_differences
from oncehub.reconcile.discrepancies.lifecycle import settle_differences, settle_refusals
from oncehub.reconcile.linking.identifiers import link_records
from oncehub.reconcile.matching.matcher import MatchReport
from oncehub.reconcile.rules.planner_hints import hints_for_people
from oncehub.reconcile.rules.rulebook import (
    Rulebook,
    are_other_rules,
    load_rulebook,
    note_settling,
    store_rules,
)
from oncehub.reconcile.run_balance import RunBalance, close_run
from oncehub.reconcile.shards import ALL_PEOPLE, Shard, shards_for
from oncehub.reconcile.stewardship.cases import close_corrected_requests, settle_cases
from oncehub.reconcile.survivorship.golden_records import update_golden_records
from oncehub.settings import Settings
from oncehub.store.connection import Connection, Cursor, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened
from oncehub.store.statements import statement
from oncehub.traces import step

_log = logging.getLogger(__name__)

MOST_SHARDS = 64
"""The most shards that people are divided into: as many workers can settle them at once."""


# Temporary tables are large on the first run and need only this run's memory. `planner_hints` sets the memory
# of a statement again when it knows how much there is to do.
_SESSION = "set local timezone = 'UTC'; set local work_mem = '512MB'; set local jit = off"

_PENDING = "select count(*) from truth.pending"

_OPEN_RUN = "select truth.open_run(%s)"

# Of a source that lands for the first time: they are built once, instead of entry by entry.
_INDEX_SOURCES = "set local maintenance_work_mem = '256MB'; select record.index_sources()"

_IN_RUN = "insert into truth.run_transaction (run_id) values (%s)"

_LANDINGS = "select landing from truth.run_landing where run_id = %s order by landing"

_MARK_ALL = """
insert into intake.dirty (source, stream, source_key)
select source, stream, source_key from record.person
"""


@dataclass(frozen=True)
class LinkReport:
    """The result of linking.

    Attributes:
        dirty: records that had changed, or all of them.
        rules_changed: whether all were linked again, because the rules are others than before.
        pending: people to settle now.
        opened: refused links, reported as discrepancies, that this run found.
        closed: refused links that are no longer refused.
        matching: what the matching model decided.
        seconds: wall clock.
    """

    dirty: int
    rules_changed: bool
    pending: int
    opened: int
    closed: int
    matching: MatchReport
    seconds: float


@dataclass(frozen=True)
class SettleReport:
    """The result of settling one shard of people.

    Attributes:
        people: how many it settled.
        people_created: people who are new.
        people_changed: people of whom a golden value changed.
        people_removed: people whose record the register deleted.
        opened: discrepancies opened.
        closed: discrepancies closed.
        seconds: wall clock.
    """

    people: int
    people_created: int
    people_changed: int
    people_removed: int
    opened: int
    closed: int
    seconds: float


@dataclass(frozen=True)
class ReconcileReport:
    """The result of a whole run; counts as in `LinkReport` and `SettleReport`.

    Attributes:
        rules_changed: whether everything was reconciled again, because the rules are others than before.
        links: records linked now by method (`register`: the people's own), and `unlinked`.
        opened: discrepancies opened by this run.
        closed: discrepancies closed by it.
        open_by_kind: discrepancies open now.
        adds_up: whether what stood, came and went adds up to what stands: see `oncehub reconcile verify`.
        parts: how many people each part had that was settled.
        link_seconds: wall clock of linking; what remains of `seconds` is settling.
        seconds: wall clock.
    """

    dirty: int
    rules_changed: bool
    people_created: int
    people_changed: int
    people_removed: int
    links: dict[str, int]
    matching: MatchReport
    opened: int
    closed: int
    open_by_kind: dict[str, int]
    adds_up: bool
    shards: list[int]
    link_seconds: float
    seconds: float


def reconcile(settings: Settings, database: Connection | None = None) -> ReconcileReport:
    """Link every record marked dirty, and settle every person that it touches.

    If the rules are others than those of the last run, this is done for all records and people.

    Many people are settled in shards, as many at once as this machine has processors. A transaction left open
    on `database` is committed first.

    Raises:
        RunBusy: Another process is linking.
        ConfigError: A rule file is wrong.
        StoreError: The database cannot be used; what was committed until then stays, and the next run
            continues.
    """
    began = time.monotonic()
    rules = load_rulebook(settings)
    with (
        without_values("reconciling"),
        opened(settings, database) as connection,
        _in_run(settings, connection, "reconcile") as run,
    ):
        linked = _linked_alone(connection, rules, run)
        settled = list(_settled(settings, connection, rules, linked.pending, run))
        with connection, connection.cursor() as cursor:
            balance = close_run(cursor)
        report = ReconcileReport(
            dirty=linked.dirty,
            rules_changed=linked.rules_changed,
            people_created=sum(shard.people_created for shard in settled),
            people_changed=sum(shard.people_changed for shard in settled),
            people_removed=sum(shard.people_removed for shard in settled),
            links=balance.closing("record"),
            matching=linked.matching,
            opened=linked.opened + sum(shard.opened for shard in settled),
            closed=linked.closed + sum(shard.closed for shard in settled),
            open_by_kind=balance.closing("discrepancy"),
            adds_up=balance.adds_up,
            shards=[shard.people for shard in settled],
            link_seconds=linked.seconds,
            seconds=time.monotonic() - began,
        )
        _log_report(report)
    return report


def _log_report(report: ReconcileReport) -> None:
    if report.matching.model is None:
        _log.info("no matching model is active: records that no identifier links stay unlinked")
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


def link_changes(settings: Settings, database: Connection | None = None) -> LinkReport:
    """Link the records marked dirty, and list the people to settle; raises as `reconcile` does."""
    rules = load_rulebook(settings)
    with (
        without_values("linking"),
        opened(settings, database) as connection,
        _in_run(settings, connection, "link") as run,
    ):
        return _linked_alone(connection, rules, run)


def settle_people(
    settings: Settings, shard: Shard = ALL_PEOPLE, database: Connection | None = None
) -> SettleReport:
    """Bring golden records and discrepancies of a shard's pending people up to date; shards may run at once.

    Raises:
        ConfigError: A rule file is wrong.
        StoreError: The database cannot be used; the shard is unchanged and stays pending.
    """
    rules = load_rulebook(settings)
    with (
        without_values("settling"),
        opened(settings, database) as connection,
        _in_run(settings, connection, "settle") as run,
    ):
        return _settle(connection, rules, shard, run)


def finish_run(settings: Settings, database: Connection | None = None) -> RunBalance:
    """Close the balance of what was linked and settled since the last run; `reconcile` does so itself.

    Raises:
        StoreError: The database cannot be used; the next run closes this one too.
    """
    with (
        without_values("closing the run"),
        opened(settings, database) as connection,
        _in_run(settings, connection, "finish"),
        connection,
        connection.cursor() as cursor,
    ):
        return close_run(cursor)


def mark_all(database: Connection) -> int:
    """Mark every person record dirty, so that all are linked and settled again; return their number."""
    with database, database.cursor() as cursor:
        cursor.execute(_MARK_ALL)
        return cursor.rowcount


@contextmanager
def _in_run(settings: Settings, connection: Connection, name: str) -> Iterator[int]:
    """Begin a run, or go on with the one that is open; log lines and traces name it meanwhile."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_OPEN_RUN, (settings.started_by,))
        (run,) = cursor.fetchone() or (0,)
    with step(name, run=f"reconcile-{run}"):
        yield run


def _linked_alone(connection: Connection, rules: Rulebook, run: int) -> LinkReport:
    with locked(connection, "reconcile") as alone:
        if not alone:
            raise RunBusy("another process is reconciling; its run covers what has landed until it began")
        with connection, connection.cursor() as cursor:
            cursor.execute(_INDEX_SOURCES)
        with connection, connection.cursor() as cursor:
            return _link(cursor, rules, run)


def _link(cursor: Cursor, rules: Rulebook, run: int) -> LinkReport:
    began = time.monotonic()
    cursor.execute(_SESSION)
    cursor.execute(_IN_RUN, (run,))
    store_rules(cursor, rules)
    changed = are_other_rules(cursor, rules)
    if changed:
        cursor.execute(_MARK_ALL)
        _log.info(
            "the rules changed since the last run: all %d records are reconciled again", cursor.rowcount
        )
    dirty, matching = link_records(cursor, rules, run)
    cursor.execute(_LANDINGS, (run,))
    landings = ", ".join(f"landing-{landing}" for (landing,) in cursor.fetchall())
    _log.info("reconcile-%d takes in %s", run, landings or "no new landing")
    opened_now, closed_now = settle_refusals(cursor)
    settle_cases(cursor)
    cursor.execute(_PENDING)
    (pending,) = cursor.fetchone() or (0,)
    return LinkReport(dirty, changed, pending, opened_now, closed_now, matching, time.monotonic() - began)


def _settled(
    settings: Settings, connection: Connection, rules: Rulebook, pending: int, run: int
) -> Iterable[SettleReport]:
    shards = shards_for(pending, MOST_SHARDS)
    if len(shards) == 1:
        return [_settle(connection, rules, shards[0], run)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as workers:
        begun = [workers.submit(copy_context().run, settle_people, settings, shard) for shard in shards]
        return [each.result() for each in begun]


def _settle(connection: Connection, rules: Rulebook, shard: Shard, run: int) -> SettleReport:
    began = time.monotonic()
    with connection, connection.cursor() as cursor:
        cursor.execute(_SESSION)
        cursor.execute(_IN_RUN, (run,))
        note_settling(cursor, rules)
        cursor.execute(statement(__name__, "people"), shard.keys)
        hints = hints_for_people(cursor, shard)
        # For few people the planner might read through the range instead of looking each of them up.
        within = shard if hints.large else ALL_PEOPLE
        cursor.execute(statement(__name__, "linked"), within.keys)
        use_keys(cursor, rules.home).require_one_key()
        changes = update_golden_records(cursor, rules, within)
        close_corrected_requests(cursor)
        find_differences(cursor, rules, hints)
        opened_now, closed_now = settle_differences(cursor)
        return SettleReport(
            people=hints.changed,
            people_created=changes.created,
            people_changed=changes.changed,
            people_removed=changes.removed,
            opened=opened_now,
            closed=closed_now,
            seconds=time.monotonic() - began,
        )
