"""`oncehub connector test`: the conformance suite on a source, or on its recording."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.status import Status

from oncehub.cli.options import Json, SourceName
from oncehub.cli.output import show
from oncehub.config.catalogue import load_connector
from oncehub.config.connection import connection_from_environment
from oncehub.errors import ConfigError
from oncehub.settings import load_settings

if TYPE_CHECKING:
    from oncehub.conformance.verdict import Verdict

_RECORDED_PAGES = 4

_FAILED = 1


def try_connector(
    name: SourceName,
    streams: Annotated[
        list[str] | None, typer.Argument(metavar="[STREAM]...", help="Only these streams.")
    ] = None,
    *,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Test the recording beside the connector instead.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Record the source, with substitutes for all personal data.")
    ] = False,
    limit_pages: Annotated[
        int | None,
        typer.Option(min=1, help="Pages to read of each stream.", show_default="20, to record 4"),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(min=0, help="Seconds to wait before the last read, so that the source changes."),
    ] = 0,
    case: Annotated[list[str] | None, typer.Option(help="Only these cases.")] = None,
    as_json: Json = False,
) -> None:
    """Test a connector against its source in a database of its own, and show the faults of either.

    Statuses: 0 no case failed, 1 a case failed, 2 a file, setting or argument is wrong.
    """
    # The suite is slow to import, and the other commands of the group do not need it.
    from oncehub.conformance.hub import throwaway_hubs
    from oncehub.conformance.subject import Options
    from oncehub.conformance.trial import Trial

    if recorded and record:
        raise ConfigError("--record reads the source and --recorded does not; give only one of them")
    settings = load_settings()
    connector = load_connector(settings, name)
    status = Console(stderr=True).status(f"preparing to test {name}")
    with status, throwaway_hubs(settings, 2) as hubs:
        trial = Trial(connector, (hubs[0], hubs[1]), streams or (), case or (), listener=_Shown(status, name))
        if recorded:
            verdicts = trial.of_recording()
        elif record:
            # Small enough for a recording to be kept beside the connector, and tried often.
            options = Options(pages=limit_pages or _RECORDED_PAGES, page_size=15, boundaries=2)
            verdicts = trial.record(connection_from_environment(name), options)
        else:
            options = Options(pages=limit_pages or Options.pages, wait=wait)
            verdicts = trial.of_source(connection_from_environment(name), options)
    _show(name, verdicts, as_json)
    if any(verdict.outcome == "failed" for verdict in verdicts):
        raise typer.Exit(_FAILED)


class _Shown:
    """Shows the case that was tested last."""

    def __init__(self, status: Status, name: str) -> None:
        self._status = status
        self._name = name
        self._counts: Counter[str] = Counter()

    def __call__(self, verdict: Verdict) -> None:
        """Count one more verdict."""
        self._counts[verdict.outcome] += 1
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self._counts.items())
        where = f"{self._name}.{verdict.stream}" if verdict.stream else self._name
        self._status.update(f"testing {where}: {verdict.case}; {counts}")


def _show(name: str, verdicts: list[Verdict], as_json: bool) -> None:
    rows = [dataclasses.asdict(verdict) for verdict in verdicts]
    show(rows, title=f"conformance of {name}", columns=_COLUMNS, as_json=as_json)
    if not as_json:
        counts = Counter(verdict.outcome for verdict in verdicts)
        sys.stdout.write(
            f"{counts['passed']} passed, {counts['failed']} failed, "
            f"{counts['not shown']} could not be shown\n"
        )


_COLUMNS = ("stream", "case", "outcome", "fault", "message")
