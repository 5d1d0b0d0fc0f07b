"""A sequence of lines that consumers read in order: gap-free, in commit order, and replayable from any line.

Feeds and correction notices supply statements; this kernel runs them. Numbers are given out when lines are
appended, after the changes have committed, so that a consumer that keeps its last number misses nothing:

- One process at a time appends to a sequence (a lock in the database).
- A step appends only what committed below the horizon, the oldest transaction that was open when it began
  (`hub.transaction_horizon()` in its statement). A later transaction cannot commit before it.
- What committed above the horizon waits; `publish` repeats until nothing waits.
- A step is one transaction: a kill loses nothing, and a repeat adds nothing.

How far consumers have come is in `oncehub.share.delivery.consumer_offsets`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from oncehub import traces
from oncehub.audit.log.entries import DisclosedLine
from oncehub.config.agreements import Agreement
from oncehub.errors import RunBusy, StoreUnavailable
from oncehub.logs import bound_contextvars
from oncehub.settings import Settings
from oncehub.share.delivery.consumer_offsets import Published, Statement, require_in_sequence
from oncehub.share.roles import schemas_for
from oncehub.store.connection import Connection, Cursor, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

PATIENCE_SECONDS: Final = 20.0
"""How long to wait for older transactions that hold changes back."""

_POLL_SECONDS: Final = 0.1

_RELEASE = """
insert into share.release (feed, first_sequence, last_sequence, runs, started_by)
select %(feed)s, %(first)s, %(last)s, array(
    select distinct run_id from truth.run_transaction
    where transaction >= %(from)s and transaction < %(below)s
    order by run_id
), %(started_by)s
returning release_id, runs
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishReport:
    """What one publishing did.

    Attributes:
        feed: name of the sequence: a feed's, or `corrections.<source>`.
        changes: lines added.
        last_sequence: number of the last line; 0 when there is none.
        seconds: how long it took.
    """

    feed: str
    changes: int
    last_sequence: int
    seconds: float


@dataclass(frozen=True)
class Sequence:
    """A sequence and the statements that append to it.

    Attributes:
        name: of a feed, or `corrections.<source>`; in locks, reports, errors and offsets.
        prepare: makes the sequence's row, or brings it up to the agreement.
        steps: each appends what may be appended now. None while nothing may be published: the sequence stays
            as it is, and goes on from there later.
        last: gives the number of the last line; no row, or 0, when there is none.
        below: gives the transaction below which all have been published.
        waiting: counts what has committed, and waits for an older transaction to end.
        values: of the placeholders of all statements.
        before_step: called with the cursor of each step.
    """

    name: str
    prepare: Statement
    steps: tuple[Statement, ...]
    last: Statement
    below: Statement
    waiting: Statement
    values: Mapping[str, Any]
    before_step: Callable[[Cursor], object] | None = None

    def publish(
        self, settings: Settings, database: Connection | None = None, *, patience: float = PATIENCE_SECONDS
    ) -> PublishReport:
        """Append everything that has committed; wait for older transactions that hold some of it back.

        Args:
            settings: name the database.
            database: used instead of a connection of its own.
            patience: seconds to wait.

        Raises:
            RunBusy: when another process publishes the sequence.
            StoreUnavailable: when the database does not answer, or changes still wait after `patience`; a
                retry cures it.
            StoreError: when the database cannot be used.
        """
        start = time.monotonic()
        started_by = settings.started_by
        with (
            without_values(f"publishing {self.name}"),
            traces.step("publish", feed=self.name),
            opened(settings, database) as connection,
        ):
            changes, last = self._extend_alone(connection, started_by)
            while left := self._count_waiting(connection):
                if time.monotonic() - start > patience:
                    raise StoreUnavailable(
                        f"feed {self.name}: {left} changes wait for an older transaction to end; try again"
                    )
                time.sleep(_POLL_SECONDS)
                added, last = self._extend_alone(connection, started_by)
                changes += added
        return PublishReport(self.name, changes, last, round(time.monotonic() - start, 3))

    def extend(self, connection: Connection, started_by: str | None = None) -> tuple[int, int]:
        """Append what may be appended now; return the number of lines added and the last number.

        The row is prepared in a transaction of its own: one that writes first holds back its own horizon.
        """
        with connection, connection.cursor() as cursor:
            cursor.execute(self.prepare, self.values)
            before = last = self._number(cursor, self.last)
        for step in self.steps:
            with connection, connection.cursor() as cursor:
                last = self._append(cursor, step, last, started_by)
        return last - before, last

    def _append(self, cursor: Cursor, step: Statement, before: int, started_by: str | None) -> int:
        """Run one step, and note what it released: of which reconcile runs, and for whom."""
        published_from = self._one(cursor, self.below)
        if self.before_step:
            self.before_step(cursor)
        cursor.execute(step, self.values)
        last = self._number(cursor, self.last)
        if last > before:
            noted = {"feed": self.name, "first": before + 1, "last": last, "started_by": started_by}
            bounds = {"from": published_from, "below": self._one(cursor, self.below)}
            cursor.execute(_RELEASE, noted | bounds)
            release, runs = cursor.fetchone() or (0, [])
            of = ", ".join(f"reconcile-{run}" for run in runs) or "no reconcile run"
            with bound_contextvars(run=f"release-{release}"):
                _log.info("release-%d of %s: lines %d to %d, of %s", release, self.name, before + 1, last, of)
        return last

    def _extend_alone(self, connection: Connection, started_by: str | None) -> tuple[int, int]:
        with locked(connection, f"publish {self.name}") as alone:
            if not alone:
                raise RunBusy(f"another process publishes the feed {self.name}")
            return self.extend(connection, started_by)

    def _count_waiting(self, connection: Connection) -> int:
        if not self.steps:
            return 0
        with connection, connection.cursor() as cursor:
            return self._number(cursor, self.waiting)

    def _number(self, cursor: Cursor, statement: Statement) -> int:
        return int(self._one(cursor, statement) or 0)

    def _one(self, cursor: Cursor, statement: Statement) -> Any:
        cursor.execute(statement, self.values)
        row = cursor.fetchone()
        return row[0] if row else None


@dataclass(frozen=True)
class Start:
    """Where a consumer reads on.

    Attributes:
        after: number of the last line that the consumer has; 0 reads from the start.
        limit: the most lines that are given out; at least 1.
        epoch: that of the page with this line; None where the consumer does not say.
    """

    after: int
    limit: int
    epoch: str | None = None


@dataclass(frozen=True)
class SequencePage:
    """A piece of a sequence.

    Attributes:
        lines: in order of their numbers, each with its own as `sequence`.
        next: `after` of the next read.
        epoch: `epoch` of the next read.
        more: whether there are further lines now.
        disclosed: whom each line is about, for the access log.
    """

    lines: list[dict[str, Any]]
    next: int
    epoch: str
    more: bool
    disclosed: tuple[DisclosedLine, ...]


def read_page(
    connection: Connection,
    agreement: Agreement | None,
    published: Published,
    statement: sql.SQL,
    line: Callable[[Mapping[str, Any]], dict[str, Any]],
    *,
    start: Start,
) -> SequencePage:
    """Read the lines from `start` on, as far as the agreement entitles to them.

    Args:
        connection: in a transaction; on behalf of an agreement, one in which a request for the page is open.
        agreement: on whose behalf; None reads with the connection's own rights.
        published: the sequence.
        statement: one `select` of the schemas that `schemas_for` names, in order of `sequence`, with the
            placeholders `after` and `limit` beside those of `published`; its rows have `sequence` and
            `person_key`. Where it passes lines over, they also have `last_sequence`, which is the next read's
            `after` once no line is left, and one row has no `sequence` when there is no line at all.
        line: makes the line that is given out of a row.
        start: where the consumer reads on.

    Raises:
        OutOfSequence: see `require_in_sequence`.
    """
    epoch = require_in_sequence(connection, published, start.after, start.epoch)
    asked = statement.format(**schemas_for(agreement))
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(asked, {**published.values, "after": start.after, "limit": start.limit + 1})
        rows = cursor.fetchall()
    found = [row for row in rows if row["sequence"] is not None]
    shown, more = found[: start.limit], len(found) > start.limit
    reached = [start.after, *(row["sequence"] for row in shown)]
    if not more:
        reached += [row["last_sequence"] for row in rows if "last_sequence" in row]
    disclosed = tuple(DisclosedLine(row["sequence"], row["person_key"]) for row in shown)
    return SequencePage([line(row) for row in shown], max(reached), epoch, more, disclosed)
