"""`python -m demo`: starts everything, runs two cycles, scores the result and prints it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from demo.airflow.processes import USER
from demo.cycle import run_cycle
from demo.failure import DemoFailed
from demo.matching import match_the_rest
from demo.processes.leftovers import MARK, fresh_folder
from demo.processes.loopback import Ports
from demo.progress import Progress
from demo.results.coverage import measure_coverage
from demo.results.provide_once import measure_provide_once
from demo.results.scoring import count_links, score_discrepancies
from demo.results.summary import Summary
from demo.stage import Stage, raised
from demo.story.pages import show_story
from demo.story.send_back import send_back
from demo.story.story import Story, mark_changes, tell_story
from oncehub.errors import OncehubError
from oncehub.files import write_whole
from oncehub.share.people.labels import load_labels
from stubs.client import SystemsError

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "var" / "demo"
AGREEMENT = "portal-residence"
"""The agreement under which the forms are opened and the feed is read."""

STDOUT = Path("-")
_INTERRUPTED = 130


@dataclass(frozen=True)
class Options:
    """The options of the command line; with `leave` the demo ends instead of staying up."""

    people: int
    port_base: int
    leave: bool
    summary: Path | None
    folder: Path


# Pretty exceptions would print local variables, which hold personal data.
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    people: Annotated[int, typer.Option(min=500, help="People in the simulated population.")] = 20_000,
    port_base: Annotated[int, typer.Option(min=0, max=65_500, help="First port; 0: free ones.")] = 0,
    leave: Annotated[bool, typer.Option("--exit", help="End instead of staying up.")] = False,
    summary: Annotated[
        Path | None, typer.Option(help="Write the figures here as JSON; - prints them.")
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="Folder of the demo; emptied at the start.", file_okay=False)
    ] = FOLDER,
) -> None:
    """Run the whole hub on this machine: read five systems, and fill forms with what they know."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _demonstrate(Console(), Options(people, port_base, leave, summary, folder.resolve()))
    except (DemoFailed, OncehubError, SystemsError) as error:
        _end(f"demo: {error}", 1)
    except KeyboardInterrupt:
        _end("demo: interrupted", _INTERRUPTED)


def _demonstrate(console: Console, options: Options) -> None:
    progress = Progress(console)
    if options.summary:
        _require_writable(options.summary)
    _forget_settings()
    # Every process started from here on carries this mark, so that a later demo can find and end it.
    os.environ[MARK] = str(options.folder)
    with (
        fresh_folder(options.folder) as folder,
        raised(
            folder, ROOT, people=options.people, ports=Ports.choose(options.port_base), progress=progress
        ) as stage,
    ):
        figures, story = _run(stage, options.people, progress)
        figures.show(console)
        show_story(console, story, figures.sent_back, load_labels(stage.settings))
        if options.summary:
            _write(options.summary, figures)
        figures.score.require_perfect()
        if not options.leave and console.is_terminal:
            _stay(stage, console)
        with progress.step("stopping"):
            stage.components.stop()


def _forget_settings() -> None:
    """Unset the environment's settings of another hub or Airflow; the demo sets its own."""
    for name in list(os.environ):
        if name.startswith(("ONCEHUB_", "AIRFLOW_", "_AIRFLOW_")):
            del os.environ[name]


def _run(stage: Stage, people: int, progress: Progress) -> tuple[Summary, Story]:
    agency = stage.agencies[AGREEMENT]
    start = progress.seconds
    with progress.step("first cycle: reading all records"):
        first = run_cycle(stage, progress)
    with progress.step("reading the agency's feed"):
        changes = sum(1 for _ in agency.changes(after=0))
    score_discrepancies(stage.database, stage.systems).require_perfect()
    mark = mark_changes(stage)
    with progress.step("simulating one day in the source systems"):
        stage.systems.advance(days=1)
    with progress.step("second cycle: reading the changes"):
        delta = run_cycle(stage, progress)
    entries = list(agency.changes(after=changes))
    score = score_discrepancies(stage.database, stage.systems)
    with progress.step("opening forms through the hub's API"):
        provide_once = measure_provide_once(agency, stage.database, progress)
        story = tell_story(stage, agency, mark, entries)
    with progress.step("matching the records that no identifier links"):
        matched = match_the_rest(stage)
    links = count_links(stage.database)
    with progress.step("measuring the coverage of every form"):
        coverage = measure_coverage(stage)
    with progress.step("submitting one form, and opening the next"):
        sent_back = send_back(stage, agency, story)
    seconds = {
        "start": start,
        "first_cycle": first.seconds,
        "delta_cycle": delta.seconds,
        "total": progress.seconds,
    }
    feed = {"changes": changes, "after_delta": len(entries)}
    figures = Summary(
        people,
        first,
        delta,
        links,
        matched,
        score,
        provide_once,
        feed=feed,
        coverage=coverage,
        sent_back=sent_back,
        seconds=seconds,
    )
    return figures, story


def _stay(stage: Stage, console: Console) -> None:
    console.print(f"\nAirflow:     {stage.airflow.url}  ({USER} / {stage.airflow.password})", highlight=False)
    console.print(f"hub's API:   {stage.hub_url}/openapi.json", highlight=False)
    # No line is broken, so that each can be copied.
    console.print(f"database:    {stage.settings.database_url}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C ends the demo.")
    with suppress(KeyboardInterrupt):
        while True:
            stage.components.require_alive()
            time.sleep(1)


def _require_writable(path: Path) -> None:
    """Fail at the start, not after minutes of work, when the summary cannot be written."""
    if (path != STDOUT and path.is_dir()) or not os.access(path.parent, os.W_OK):
        raise DemoFailed(f"{path}: cannot be written; name a file in a folder that exists")


def _write(path: Path, figures: Summary) -> None:
    text = json.dumps(figures.document(), indent=2, ensure_ascii=False) + "\n"
    if path == STDOUT:
        sys.stdout.write(text)
        return
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise DemoFailed(f"{path}: cannot be written: {error.strerror}") from None


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _end(message: str, status: int) -> NoReturn:
    sys.stderr.write(message + "\n")
    sys.exit(status)


if __name__ == "__main__":
    app()
