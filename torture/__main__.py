"""`python -m torture`: kills the hub at random, and compares it with a hub that was never killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo.failure import DemoFailed
from demo.processes.leftovers import MARK, fresh_folder, left_running
from oncehub.errors import OncehubError
from stubs.client import Systems, SystemsError
from torture.hub import Failure
from torture.torture import ROOT, Torture

FOLDER = ROOT / "var" / "torture"


@dataclass(frozen=True)
class Options:
    """The options of the command line; `each`: kills of each command a day."""

    people: int
    seed: int
    kills: int
    each: int


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    kills: Annotated[int, typer.Option(min=1, help="How many kills at least.")] = 300,
    seed: Annotated[int | None, typer.Option(help="Of all chances; drawn and printed unless given.")] = None,
    people: Annotated[int, typer.Option(min=500, help="People in the simulated population.")] = 600,
    each: Annotated[int, typer.Option(min=1, help="Kills of each command a day.")] = 6,
    folder: Annotated[Path, typer.Option(help="Emptied at the start; kept when the torture fails.")] = FOLDER,
) -> None:
    """Kill every command, the API and the server at random, and compare all tables with an unkilled twin."""
    try:
        seed = random.randrange(2**32) if seed is None else seed
        _torture(folder.resolve(), Options(people, seed, kills, each))
    except (Failure, DemoFailed, OncehubError, SystemsError) as error:
        sys.exit(f"torture: {error}")


def _torture(folder: Path, options: Options) -> None:
    console, begun = Console(width=80), time.monotonic()
    console.print(f"{options}: the same kills again with SEED={options.seed}", highlight=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ[MARK] = str(folder)
    with fresh_folder(folder):
        folder.chmod(0o755)
        try:
            answered = run(folder, options, console)
        except Failure as failure:
            raise Failure(f"seed {options.seed}: {failure}\nits files are in {folder}") from None
        if left := left_running(folder):
            raise Failure(f"{len(left)} processes still run: {', '.join(left)}")
    shutil.rmtree(folder)
    console.print(f"{answered:,} requests answered; {time.monotonic() - begun:.0f} s; no difference")


def run(folder: Path, options: Options, console: Console) -> int:
    """Kill until there were so many kills; return how many requests the API answered meanwhile.

    Raises:
        Failure: when the hub did what it must not do.
    """
    draw = random.Random(options.seed)
    with Systems.start(folder / "systems", options.people, options.seed, calm=True) as systems:
        torture = Torture(folder, systems, draw, console)
        try:
            torture.begin(options.each)
            while torture.report.kills < options.kills:
                console.print(f"{torture.report.kills} kills so far", highlight=False)
                torture.day(options.each, 2 * options.each)
            torture.verify()
        finally:
            torture.report.show(console)
            torture.stop()
        return torture.agencies.answered


if __name__ == "__main__":
    app()
