"""The figures of a demo, as one JSON document and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from demo.cycle import Counts, Cycle
from demo.matching import Matched
from demo.results.provide_once import ProvideOnce
from demo.results.scoring import Score
from demo.story.send_back import SentBack

_COUNTED = ("read", "accepted", "quarantined", "unchanged", "deleted")
_COVERED = ("procedure", "people", "items", "filled", "confirm", "papers", "missing", "covered")


@dataclass(frozen=True)
class Summary:
    """The figures of one demo.

    Attributes:
        links: records by the method that linked them, `unlinked` included.
        feed: entries of the first agency's feed after the first cycle (`changes`), and added by the second
            (`after_delta`).
        coverage: one entry for each procedure under each agreement, over all people whom it covers.
        sent_back: the form that one citizen submitted.
        seconds: start, first_cycle, delta_cycle, total.
    """

    people: int
    first: Cycle
    delta: Cycle
    links: dict[str, int]
    matched: Matched
    score: Score
    provide_once: ProvideOnce
    coverage: list[dict[str, Any]]
    sent_back: SentBack
    feed: dict[str, int]
    seconds: dict[str, float]

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON content."""
        return {
            "people": self.people,
            "sources": self.first.sources,
            "delta": {"sources": self.delta.sources},
            "links": self.links,
            "matched": asdict(self.matched),
            "discrepancies": {
                "planted": self.score.planted,
                "found": self.score.found,
                "missed": len(self.score.missed),
                "false": len(self.score.false),
            },
            "provide_once": asdict(self.provide_once),
            "coverage": self.coverage,
            "submission": self.sent_back.figures(),
            "feed": self.feed,
            "dag_runs": [
                {"dag_id": run.dag_id, "state": run.state, "seconds": run.seconds}
                for run in (*self.first.runs, *self.delta.runs)
            ],
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
        }

    def show(self, console: Console) -> None:
        """Print the summary as tables."""
        document = self.document()
        console.print(_sources("first cycle: records by source", self.first.sources))
        console.print(_sources("one day later: only what changed", self.delta.sources))
        console.print(_runs(document["dag_runs"]))
        console.print(_table("records of persons by link method", ("method", "records"), self.links.items()))
        console.print(_figures("matching: records that no identifier links", document["matched"]))
        console.print(_figures("discrepancies, against what was planted", document["discrepancies"]))
        console.print(_figures("provide once: three forms each", document["provide_once"]))
        for agreement, rows in groupby(self.coverage, lambda row: row["agreement"]):
            console.print(_coverage(agreement, rows))
        console.print(_figures("items of one submitted form", document["submission"]))
        console.print(_figures("entries of the agency's feed", self.feed))
        console.print(_figures("seconds", document["seconds"]))


def _sources(title: str, counts: Counts) -> Group:
    rows = [(source, *(count[name] for name in _COUNTED)) for source, count in counts.items()]
    return _table(title, ("source", *_COUNTED), rows)


def _runs(runs: Iterable[Mapping[str, Any]]) -> Group:
    rows = [(run["dag_id"], run["state"], run["seconds"]) for run in runs]
    return _table("DAG runs", ("dag", "state", "seconds"), rows)


def _coverage(agreement: str, rows: Iterable[Mapping[str, Any]]) -> Group:
    """Show the items of all people together; `missing` is the sum of the reasons, which the JSON lists."""
    shown = [
        {**row, "missing": sum(row["missing"].values()), "covered": _percent(row["covered"])} for row in rows
    ]
    title = f"coverage under {agreement}: items that people need not provide"
    return _table(title, _COVERED, [[row[name] for name in _COVERED] for row in shown])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _figures(title: str, figures: Mapping[str, float]) -> Group:
    columns = tuple(name.replace("_", " ") for name in figures)
    return _table(title, columns, [tuple(figures.values())])


def titled(title: str, table: RenderableType) -> Group:
    """Put a title above a table; rich would wrap a title of its own at the table's width."""
    return Group(Text(f"\n{title}", style="bold"), table)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Group:
    table = Table()
    rows = list(rows)
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float | None) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    return titled(title, table)


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return "-" if value is None else str(value)
