"""`oncehub connector test`: the conformance suite on a source, or on its recording."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.status import Status

from oncehub.cli.naming import SourceName
from oncehub.cli.output import Json, show
from oncehub.config.catalogue import load_connector
from oncehub.config.connection import connection_from_environment
from oncehub.errors import ConfigError
from oncehub.settings import load_settings

if TYPE_CHECKING:
    from oncehub.conformance import Verdict

_RECORDED_PAGES = 4

_FAILED = 1


def try_connector(
    name: SourceName,
    streams: Annotated[
        list[str] | None, typer.Argument(metavar="[STREAM]...", help="Only these streams.")
    ] = None,
    *,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Try the recording beside the connector instead.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Record the source, without what it says about anybody.")
    ] = False,
    limit_pages: Annotated[
        int | None,
        typer.Option(min=1, help="Pages of each stream to read.", show_default="20, to record 4"),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(min=0, help="Seconds before the last reading, for changes to happen in the source."),
    ] = 0,
    case: Annotated[list[str] | None, typer.Option(help="Only these cases.")] = None,
    as_json: Json = False,
) -> None:
    """Try a connector on its source, in a database of its own, and say what source or connector does wrong.

    Statuses: 0 all passed or could not be shown, 1 some failed, 2 a file, setting or argument is wrong.
    """
    # The suite takes time to import, which the other commands need not pay.
    from oncehub.conformance import Options, Trial, throwaway_hubs  # noqa: PLC0415

    if recorded and record:
        raise ConfigError("--record asks the source and --recorded does not; leave one of the two out")
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
    _tell(name, verdicts, as_json)
    if any(verdict.outcome == "failed" for verdict in verdicts):
        raise typer.Exit(_FAILED)


class _Shown:
    """Shows which case was tried last."""

    def __init__(self, status: Status, name: str) -> None:
        self._status = status
        self._name = name
        self._counts: Counter[str] = Counter()

    def __call__(self, verdict: Verdict) -> None:
        """Hear one more."""
        self._counts[verdict.outcome] += 1
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self._counts.items())
        where = f"{self._name}.{verdict.stream}" if verdict.stream else self._name
        self._status.update(f"testing {where}: {verdict.case}; {counts}")


def _tell(name: str, verdicts: list[Verdict], as_json: bool) -> None:
    rows = [dataclasses.asdict(verdict) for verdict in verdicts]
    show(rows, title=f"conformance of {name}", columns=_COLUMNS, as_json=as_json)
    if not as_json:
        counts = Counter(verdict.outcome for verdict in verdicts)
        sys.stdout.write(
            f"{counts['passed']} passed, {counts['failed']} failed, "
            f"{counts['not shown']} could not be shown\n"
        )


_COLUMNS = ("stream", "case", "outcome", "fault", "told")
