"""The run balance: whether opening count, additions and removals of a run give the closing count.

Triggers of the tables enter every change, of a run or a clerk, in the transaction that makes it
(`truth.run_balance_entry`), so that no run counts whole tables. Closing a run sums what was entered since the
last. `recount` counts the tables and compares.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

from oncehub.errors import ConfigError
from oncehub.store.connection import Cursor

_log = logging.getLogger(__name__)

Subject = Literal["discrepancy", "record"]

_RUN = """
select run_id, closed_at from truth.run
where closed_at is not null
    and run_id = coalesce(%(run)s, (select max(run_id) from truth.run where closed_at is not null))
"""

_LINES = """
select subject, source, kind, opening, added, removed, changed, closing, unexplained
from truth.run_balance
where run_id = %s
order by subject, source, kind
"""

_MISMATCHES = """
select subject, source, kind, booked, counted from truth.run_balance_mismatch order by subject, source, kind
"""

_COUNTS = ("opening", "added", "removed", "changed", "closing", "unexplained")


@dataclass(frozen=True)
class BalanceLine:
    """The counts of one kind of one source in a run.

    Attributes:
        subject: `discrepancy` (the open ones) or `record` (those that describe a person).
        source: the source of the records.
        kind: of a discrepancy, its kind; of a record, the method of its link, or `unlinked`.
        opening: the count when the run before was closed.
        added: opened discrepancies; new records.
        removed: closed discrepancies; records that are gone.
        changed: those that came from another kind, less those that went to another.
        closing: the count now.
        unexplained: by how many transactions found more or fewer than they left; 0 unless something is wrong.
    """

    subject: Subject
    source: str
    kind: str
    opening: int
    added: int
    removed: int
    changed: int
    closing: int
    unexplained: int

    @property
    def adds_up(self) -> bool:
        """Whether the closing count follows from the others."""
        follows = self.opening + self.added - self.removed + self.changed
        return self.unexplained == 0 and follows == self.closing >= 0


@dataclass(frozen=True)
class RunBalance:
    """The balance of a run, which covers runs before it that did not get as far.

    Attributes:
        run_id: its number.
        closed_at: when it was closed.
        lines: every count that is not zero or has changed, by subject, source and kind.
    """

    run_id: int
    closed_at: datetime
    lines: tuple[BalanceLine, ...]

    @property
    def totals(self) -> tuple[BalanceLine, ...]:
        """The lines summed over kinds: one for each subject and source."""
        by_source = groupby(self.lines, lambda line: (line.subject, line.source))
        return tuple(_sum(list(lines)) for _, lines in by_source)

    @property
    def faults(self) -> list[BalanceLine]:
        """The lines that do not add up, and the totals whose kinds did not only change into each other."""
        faults = [line for line in self.lines if not line.adds_up]
        return faults + [total for total in self.totals if total.changed]

    @property
    def adds_up(self) -> bool:
        """Whether there are no faults."""
        return not self.faults

    def closing(self, subject: Subject) -> dict[str, int]:
        """Return the closing count of each kind, over all sources."""
        counts: Counter[str] = Counter()
        for line in self.lines:
            if line.subject == subject and line.closing:
                counts[line.kind] += line.closing
        return dict(counts)


@dataclass(frozen=True)
class CountMismatch:
    """A count of the run balance that differs from the tables.

    Attributes:
        subject: as of a line.
        source: as of a line.
        kind: as of a line; or, of records, what none should be: `undecided`, `decided_twice`,
            `decided_though_gone`.
        booked: the count by the balance.
        counted: the count of the tables.
    """

    subject: Subject
    source: str
    kind: str
    booked: int
    counted: int


def close_run(cursor: Cursor) -> RunBalance:
    """Sum what was entered since the last run was closed; log an error when it does not add up.

    Changes that are not committed yet belong to the next run.
    """
    cursor.execute("select truth.close_run()")
    balance = run_balance_of(cursor)
    if balance.faults:
        lines = "; ".join(
            f"{line.subject} {line.source} {line.kind}: "
            + ", ".join(f"{getattr(line, name)} {name}" for name in _COUNTS)
            for line in balance.faults
        )
        _log.error("the balance of run %d does not add up: %s", balance.run_id, lines)
    return balance


def run_balance_of(cursor: Cursor, run: int | None = None) -> RunBalance:
    """Return the balance of a run, or of the last.

    Raises:
        ConfigError: There is no such run.
    """
    cursor.execute(_RUN, {"run": run})
    found = cursor.fetchone()
    if found is None:
        raise ConfigError(
            "no run has been closed yet; `oncehub reconcile` closes its run at its end"
            if run is None
            else f"no run {run} has been closed; leave the number out for the last run"
        )
    run_id, closed_at = found
    cursor.execute(_LINES, (run_id,))
    return RunBalance(run_id, closed_at, tuple(BalanceLine(*line) for line in cursor.fetchall()))


def recount(cursor: Cursor) -> list[CountMismatch]:
    """Count the tables, all at one moment, and return where the balance differs.

    Reads whole tables; a run may go on at the same time.
    """
    cursor.execute(_MISMATCHES)
    return [CountMismatch(*row) for row in cursor.fetchall()]


def _sum(lines: Sequence[BalanceLine]) -> BalanceLine:
    totals = {name: sum(getattr(line, name) for line in lines) for name in _COUNTS}
    return BalanceLine(lines[0].subject, lines[0].source, "all", **totals)
