"""One run: what changed since the last is linked, then the people it touches are settled.

Linking is one transaction, and so is settling each part of the people. Whoever is yet to be settled stands in
`truth.pending`, written with the links: a run that is cut short anywhere is finished by the next.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from psycopg2 import sql

from oncehub.encryption.cipher import use_keys
from oncehub.encryption.field_values import sensitive_of
from oncehub.encryption.reencryption import person_fields, record_fields
from oncehub.errors import RunBusy
from oncehub.reconcile.discrepancies.compare import find_differences
from oncehub.reconcile.discrepancies.lifecycle import keep_severity, settle_differences, settle_refusals
from oncehub.reconcile.linking.identifiers import link_records
from oncehub.reconcile.matching.judging import Matching
from oncehub.reconcile.rules.planner_hints import scale_of_people
from oncehub.reconcile.rules.rulebook import Rulebook, load_rulebook
from oncehub.reconcile.run_balance import Control, sign_off
from oncehub.reconcile.shards import EVERYBODY, Part, parts_for
from oncehub.reconcile.stewardship.cases import keep_case_rules
from oncehub.reconcile.survivorship.outbox import announce
from oncehub.reconcile.survivorship.survive import believe
from oncehub.settings import Settings
from oncehub.store.connection import Connection, Cursor, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened
from oncehub.store.statements import statement

_log = logging.getLogger(__name__)

PARTS = 64
"""Into how many parts many people are divided: as many workers can settle them at once."""

_TOUCHED = sql.SQL("person_key in (select person_key from touched_person)")
_LINKED = sql.SQL("(source, stream, source_key) in (select source, stream, source_key from linked)")

# Temporary tables are large on the first run and need no more than this run's memory.
# How much memory a statement may take is told anew once it is known how much there is to do (`scale`).
_SESSION = "set local timezone = 'UTC'; set local work_mem = '512MB'; set local jit = off"

_PENDING = "select count(*) from truth.pending"

_MARK_ALL = """
insert into intake.dirty (source, stream, source_key)
select source, stream, source_key from record.person
"""


@dataclass(frozen=True)
class LinkReport:
    """What linking did.

    Attributes:
        dirty: records that had changed.
        pending: people to settle now.
        opened: refused links, told as discrepancies, that this run found.
        closed: refused links that are none any more.
        matching: what a model decided.
        seconds: wall clock.
    """

    dirty: int
    pending: int
    opened: int
    closed: int
    matching: Matching
    seconds: float


@dataclass(frozen=True)
class SettleReport:
    """What settling one part of the people did.

    Attributes:
        people: whom it settled.
        people_created: people who came.
        people_changed: people of whom another value is believed.
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
    """What a whole run did, and what stands after it.

    Attributes:
        dirty: records that had changed.
        people_created: people who came.
        people_changed: people of whom another value is believed.
        people_removed: people whose record the register deleted.
        links: records linked now by method (`register`: the people's own), and `unlinked`.
        matching: what a model decided in this run.
        opened: discrepancies opened by this run.
        closed: discrepancies closed by it.
        open_by_kind: discrepancies open now.
        adds_up: whether what stood, came and went adds up to what stands: see `oncehub reconcile verify`.
        parts: how many people each part had that was settled.
        link_seconds: wall clock of linking; what remains of `seconds` is settling.
        seconds: wall clock.
    """

    dirty: int
    people_created: int
    people_changed: int
    people_removed: int
    links: dict[str, int]
    matching: Matching
    opened: int
    closed: int
    open_by_kind: dict[str, int]
    adds_up: bool
    parts: list[int]
    link_seconds: float
    seconds: float


def reconcile(settings: Settings, database: Connection | None = None) -> ReconcileReport:
    """Decide anew about every record marked dirty and everybody it touches.

    Many people are settled in parts, as many at once as this machine has processors. A transaction left open
    on `database` is committed first.

    Raises:
        RunBusy: when another process links.
        ConfigError: when a rule file is wrong.
        StoreError: when the database cannot be used; what was committed until then stands, and the next run
            goes on from there.
    """
    began = time.monotonic()
    rules = load_rulebook(settings)
    with without_values("reconciling"), opened(settings, database) as connection:
        linked = _linked_alone(connection, rules)
        settled = list(_settled(settings, connection, rules, linked.pending))
        with connection, connection.cursor() as cursor:
            control = sign_off(cursor)
    report = ReconcileReport(
        dirty=linked.dirty,
        people_created=sum(part.people_created for part in settled),
        people_changed=sum(part.people_changed for part in settled),
        people_removed=sum(part.people_removed for part in settled),
        links=control.standing("record"),
        matching=linked.matching,
        opened=linked.opened + sum(part.opened for part in settled),
        closed=linked.closed + sum(part.closed for part in settled),
        open_by_kind=control.standing("discrepancy"),
        adds_up=control.adds_up,
        parts=[part.people for part in settled],
        link_seconds=linked.seconds,
        seconds=time.monotonic() - began,
    )
    if report.matching.model is None:
        _log.info("no matching model is active: what no identifier links stays unlinked")
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


def link_changes(settings: Settings, database: Connection | None = None) -> LinkReport:
    """Link the records marked dirty, and note whom that touches; raises as `reconcile` does."""
    rules = load_rulebook(settings)
    with without_values("linking"), opened(settings, database) as connection:
        return _linked_alone(connection, rules)


def settle_people(
    settings: Settings, part: Part = EVERYBODY, database: Connection | None = None
) -> SettleReport:
    """Believe and compare anew whoever is pending in a part; several may be settled at once.

    Raises:
        ConfigError: when a rule file is wrong.
        StoreError: when the database cannot be used; nothing of this part is kept, and it stays pending.
    """
    rules = load_rulebook(settings)
    with without_values("settling"), opened(settings, database) as connection:
        return _settle(connection, rules, part)


def finish_run(settings: Settings, database: Connection | None = None) -> Control:
    """Sign off what was linked and settled since the last run was; `reconcile` does so itself.

    Raises:
        StoreError: when the database cannot be used; the next run signs for this one.
    """
    with (
        without_values("signing off"),
        opened(settings, database) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        return sign_off(cursor)


def mark_all(database: Connection) -> int:
    """Mark every person record dirty, so that changed rules reach all of them; return their number."""
    with database, database.cursor() as cursor:
        cursor.execute(_MARK_ALL)
        return cursor.rowcount


def _linked_alone(connection: Connection, rules: Rulebook) -> LinkReport:
    with locked(connection, "reconcile") as alone:
        if not alone:
            raise RunBusy("another process is reconciling; its run covers what has landed until it began")
        with connection, connection.cursor() as cursor:
            return _link(cursor, rules)


def _link(cursor: Cursor, rules: Rulebook) -> LinkReport:
    began = time.monotonic()
    cursor.execute(_SESSION)
    keep_severity(cursor, rules)
    keep_case_rules(cursor, rules)
    dirty, matching = link_records(cursor, rules)
    opened_now, closed_now = settle_refusals(cursor)
    cursor.execute(_PENDING)
    (pending,) = cursor.fetchone() or (0,)
    return LinkReport(dirty, pending, opened_now, closed_now, matching, time.monotonic() - began)


def _settled(
    settings: Settings, connection: Connection, rules: Rulebook, pending: int
) -> Iterable[SettleReport]:
    parts = parts_for(pending, PARTS)
    if len(parts) == 1:
        return [_settle(connection, rules, parts[0])]
    with ThreadPoolExecutor(os.cpu_count() or 1) as workers:
        return list(workers.map(lambda part: settle_people(settings, part), parts))


def _reencrypt(cursor: Cursor, rules: Rulebook) -> None:
    """Bring the encrypted values of these people under one key, so that equal values compare equal."""
    ciphers = use_keys(cursor, rules.decryptor.home)
    if sensitive_of(rules.person) and ciphers.rotating:
        person_fields(rules.person).reencrypt_rows(cursor, ciphers, _TOUCHED)
        record_fields(rules.person).reencrypt_rows(cursor, ciphers, _LINKED)


def _settle(connection: Connection, rules: Rulebook, part: Part) -> SettleReport:
    began = time.monotonic()
    with connection, connection.cursor() as cursor:
        cursor.execute(_SESSION)
        cursor.execute(statement(__name__, "people"), part.keys)
        scale = scale_of_people(cursor, part)
        # Where few are looked up one by one, a range would tempt the planner to read through it.
        within = part if scale.large else EVERYBODY
        cursor.execute(statement(__name__, "linked"), within.keys)
        _reencrypt(cursor, rules)
        shifts = believe(cursor, rules, within)
        announce(cursor)
        cursor.execute(statement(__name__, "corrected"))
        find_differences(cursor, rules, scale)
        opened_now, closed_now = settle_differences(cursor)
        return SettleReport(
            people=scale.changed,
            people_created=shifts.created,
            people_changed=shifts.changed,
            people_removed=shifts.removed,
            opened=opened_now,
            closed=closed_now,
            seconds=time.monotonic() - began,
        )
