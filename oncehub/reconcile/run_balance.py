"""Whether the books add up: what stood before, came and went, against what stands, source by source.

The tables' own triggers book every change, a run's or a clerk's, in its transaction (`truth.control_entry`),
so that no run counts whole tables. Signing off a run sums what was booked since the last. `recount` counts
the tables and compares.
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
from oncehub.store.statements import statement

_log = logging.getLogger(__name__)

Subject = Literal["discrepancy", "record"]

_RUN = """
select run_id, signed_at from truth.run
where run_id = coalesce(%(run)s, (select max(run_id) from truth.run))
"""

_LINES = """
select subject, source, kind, before, added, removed, turned, standing, unexplained
from truth.control
where run_id = %s
order by subject, source, kind
"""

_TOTAL = "all"


@dataclass(frozen=True)
class Line:
    """What became of one kind of one source in a run.

    Attributes:
        subject: `discrepancy` (the open ones) or `record` (those that speak of a person).
        source: whose.
        kind: of a discrepancy, its kind; of a record, the method of its link, or `unlinked`.
        before: how many there were when the run before was signed off.
        added: opened; linked, or left unlinked.
        removed: closed; unlinked, linked now, or gone.
        turned: those that came from another kind less those that went to one.
        standing: how many there are now.
        unexplained: by how many transactions found more or fewer than they left; 0 unless something is wrong.
    """

    subject: Subject
    source: str
    kind: str
    before: int
    added: int
    removed: int
    turned: int
    standing: int
    unexplained: int

    @property
    def adds_up(self) -> bool:
        """Whether what stands follows from what stood, came and went."""
        follows = self.before + self.added - self.removed + self.turned
        return self.unexplained == 0 and follows == self.standing >= 0


@dataclass(frozen=True)
class Control:
    """The control report of a run, or of several of which all but the last were cut short.

    Attributes:
        run_id: its number.
        signed_at: when it was signed off.
        lines: all that stands or changed, by subject, source and kind.
    """

    run_id: int
    signed_at: datetime
    lines: tuple[Line, ...]

    @property
    def totals(self) -> tuple[Line, ...]:
        """The lines summed over kinds: one for each subject and source."""
        by_source = groupby(self.lines, lambda line: (line.subject, line.source))
        return tuple(_sum(tuple(lines)) for _, lines in by_source)

    @property
    def adds_up(self) -> bool:
        """Whether all lines add up, and no source's kinds turned into nothing or came from nowhere."""
        return all(line.adds_up for line in self.lines) and all(total.turned == 0 for total in self.totals)

    def standing(self, subject: Subject) -> dict[str, int]:
        """Return how many stand of each kind, over all sources."""
        counts: Counter[str] = Counter()
        for line in self.lines:
            if line.subject == subject and line.standing:
                counts[line.kind] += line.standing
        return dict(counts)


@dataclass(frozen=True)
class Difference:
    """What the books say and the tables do not.

    Attributes:
        subject: as of a line.
        source: as of a line.
        kind: as of a line; or, of records, what none should be: `undecided`, `decided_twice`,
            `decided_though_gone`.
        booked: how many the books say.
        counted: how many there are.
    """

    subject: Subject
    source: str
    kind: str
    booked: int
    counted: int


def sign_off(cursor: Cursor) -> Control:
    """Sum what was booked since the last run was signed off; the log says so when it does not add up.

    What others have not committed yet belongs to the next run.
    """
    cursor.execute(statement(__name__, "sign_off"))
    control = control_of(cursor)
    if not control.adds_up:
        _log.error("the books of run %d do not add up: %s", control.run_id, _faults(control))
    return control


def control_of(cursor: Cursor, run: int | None = None) -> Control:
    """Return the control report of a run, or of the last.

    Raises:
        ConfigError: when there is no such run.
    """
    cursor.execute(_RUN, {"run": run})
    found = cursor.fetchone()
    if found is None:
        raise ConfigError(
            "no run has been signed off yet; `oncehub reconcile` does so at its end"
            if run is None
            else f"no run {run} has been signed off; leave the number out for the last that was"
        )
    run_id, signed_at = found
    cursor.execute(_LINES, (run_id,))
    return Control(run_id, signed_at, tuple(Line(*line) for line in cursor.fetchall()))


def recount(cursor: Cursor) -> list[Difference]:
    """Count the tables, all at one moment, and return where the books say otherwise.

    Reads whole tables, and may go on beside a run.
    """
    cursor.execute(statement(__name__, "recount"))
    return [Difference(*row) for row in cursor.fetchall()]


def _sum(lines: Sequence[Line]) -> Line:
    def total(name: str) -> int:
        return sum(getattr(line, name) for line in lines)

    return Line(
        lines[0].subject,
        lines[0].source,
        _TOTAL,
        before=total("before"),
        added=total("added"),
        removed=total("removed"),
        turned=total("turned"),
        standing=total("standing"),
        unexplained=total("unexplained"),
    )


def _faults(control: Control) -> str:
    faults = [line for line in control.lines if not line.adds_up]
    faults += [total for total in control.totals if total.turned]
    return "; ".join(
        f"{line.subject} {line.source} {line.kind}: {line.before} before, {line.added} added, "
        f"{line.removed} removed, {line.turned} turned, {line.standing} standing, "
        f"{line.unexplained} unexplained"
        for line in faults
    )
