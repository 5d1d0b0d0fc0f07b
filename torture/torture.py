"""Two hubs over the same days: each command of one is killed and run again; the other shows what is right."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console

from stubs.client import Systems
from torture.agencies import Agencies
from torture.comparing import differences
from torture.hub import Command, Failure, Hub
from torture.kills import KILLS, struck
from torture.outputs import faults
from torture.report import Report

ROOT: Final = Path(__file__).resolve().parents[1]

INIT: Final = Command("init", ("init",))
STEPS: Final = tuple(Command(name, (name,)) for name in ("sync", "reconcile", "publish"))
CHECKPOINT: Final = Command("audit checkpoint", ("audit", "checkpoint"))
ROTATE: Final = Command("keys rotate", ("keys", "rotate"), again=("keys", "rotate", "--resume"))
REENCRYPT: Final = Command("keys reencrypt", ("keys", "reencrypt"))
VERIFY: Final = (
    Command("audit verify", ("audit", "verify")),
    Command("retention verify", ("retention", "verify")),
    Command("reconcile verify", ("reconcile", "verify", "--recount")),
)

_SOURCES: Final = ("portal", "tax", "customs", "banking")
_PURGED_AFTER_DAYS: Final = (100, 3000)
_MOST_RUNS: Final = 5
_MOST_TRIES: Final = 5
_FIRST_SECONDS: Final = 2.0

# Without their digests, `oncehub init` applies all routines again, as after an upgrade.
_FORGET: Final = "delete from public.oncehub_migration where name like 'routines/%'"


class Torture:
    """One run.

    Args:
        folder: empty.
        systems: the simulated systems, which only this run moves.
        draw: of all chances.
        console: shows each step.

    All methods raise:
        Failure: when the killed hub did what it must not do.
    """

    def __init__(self, folder: Path, systems: Systems, draw: random.Random, console: Console) -> None:
        self.report = Report()
        self._systems = systems
        self._draw = draw
        self._console = console
        self._deck: list[str] = []
        self._took: dict[str, float] = {}
        connections = {
            f"ONCEHUB_CONN_{source.upper()}": orjson.dumps(each).decode()
            for source, each in systems.connections.items()
        }
        root = _generous_root(folder / "root")
        self.killed, self.twin = (Hub(name, folder / name, root, connections) for name in ("killed", "twin"))
        self.agencies = Agencies(folder / "clients", self.killed, self.twin, self.report, draw)
        self.differing: dict[str, str] = {}

    def begin(self, kills: int) -> None:
        """Set both hubs up; each command of that is killed so often."""
        self.killed.make_keys()
        self.twin.copy_keys(self.killed)
        self._kill(INIT, kills, _FIRST_SECONDS)
        self._run_twin(INIT)
        self.twin.take_data_key(self.killed, replacing=True)
        self.agencies.admit()

    def day(self, kills: int, api_kills: int) -> None:
        """Run every command and the API on both hubs, and kill each so often in one; then let days pass."""
        for command in STEPS:
            self._kill_alike(command, kills)
        self.agencies.ask(api_kills, lambda: self._upgrade(kills))
        self._compare(INIT.name)
        self._kill_alike(CHECKPOINT, kills)
        self._kill(ROTATE, kills, self._took.get(ROTATE.name, _FIRST_SECONDS))
        self.twin.copy_keys(self.killed)
        self._run_twin(ROTATE, again=True)
        self._compare(ROTATE.name)
        self._kill(REENCRYPT, kills, self._took.get(REENCRYPT.name, _FIRST_SECONDS))
        self.twin.take_data_key(self.killed)
        self._run_twin(REENCRYPT)
        self._compare(REENCRYPT.name)
        days = str(self._draw.choice(_PURGED_AFTER_DAYS))
        self._kill_alike(Command("retention purge", (days,), module="torture.purging"), kills)
        self._systems.advance(self._draw.randint(1, 5))
        self._systems.correct(self._draw.choice(_SOURCES))

    def verify(self) -> None:
        """Let the killed hub verify its log, proofs and balance, and look through what both have printed."""
        for command in VERIFY:
            if status := self.killed.run(command)[0]:
                raise Failure(f"{command.name} ended with status {status}")
        found = [f"{hub.name}: {fault}" for hub in (self.killed, self.twin) for fault in faults(hub)]
        found += self.differing.values()
        if found:
            raise Failure("what is wrong:\n" + "\n".join(f"  {each}" for each in found))

    def stop(self) -> None:
        """Stop both servers."""
        self.killed.stop()
        self.twin.stop()

    def _upgrade(self, kills: int) -> None:
        self.killed.execute(_FORGET)
        self._kill(INIT, kills, self._took[INIT.name])

    def _kill_alike(self, command: Command, kills: int) -> None:
        """Run a command on the twin, then on the other hub with kills, and compare."""
        self._run_twin(command)
        self._kill(command, kills, self._took[command.name])
        self._compare(command.name)

    def _run_twin(self, command: Command, *, again: bool = False) -> None:
        status, self._took[command.name] = self.twin.run(command, again=again)
        if status:
            raise Failure(f"{command.name} of the twin, which nobody killed, ended with status {status}")

    def _kill(self, command: Command, kills: int, seconds: float) -> None:
        """Kill a command so often, at a time drawn from its normal duration; then run it to its end."""
        line, done, began = self.report.lines[command.name], list[str](), False
        for _ in range(_MOST_TRIES * kills):
            if len(done) == kills:
                break
            kind, after = self._next_kind(), self._draw.uniform(0, seconds)
            process, output = self.killed.start(command, again=began)
            began = True
            if struck(self.killed, process, kind, after, self._draw):
                line.kills[kind] += 1
                done.append(f"{kind} {after:.2f} s")
            else:
                # It had ended by then, having less to do than the twin: earlier, next time.
                seconds = min(seconds, after)
            self.killed.ended(process, f"{command.name} after {kind} ({output.name})")
        self._console.print(f"  {command.name}: {', '.join(done)}", highlight=False)
        for run in range(1, _MOST_RUNS + 1):
            status, took = self.killed.run(command, again=began)
            if not status:
                line.recovered(took, run)
                return
        raise Failure(f"{command.name} ended {_MOST_RUNS} times with status {status} after {', '.join(done)}")

    def _next_kind(self) -> str:
        """Draw the kinds as from a pack of cards, so that each comes up as often."""
        if not self._deck:
            self._deck = [*KILLS]
            self._draw.shuffle(self._deck)
        return self._deck.pop()

    def _compare(self, after: str) -> None:
        """Compare all tables; a table that differs is told of once, for what follows from it differs, too."""
        for each in differences(self.killed, self.twin, self.agencies.unanswered):
            if each.table not in self.differing:
                self.differing[each.table] = f"after {after}: {each}"
                self.report.lines[after].differences += 1
                self._console.print(f"  DIFFERENCE {self.differing[each.table]}", highlight=False)


def _generous_root(root: Path) -> Path:
    """Make the repository's configuration with agreements whose limits the clients do not reach."""
    (root / "mappings").mkdir(parents=True)
    for name in (
        "connectors",
        "schemas",
        *(f"mappings/{each}" for each in ("codes", "procedures", "rules", "sources")),
    ):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "mappings" / "agreements", root / "mappings" / "agreements")
    for path in (root / "mappings" / "agreements").glob("*.yaml"):
        text = (
            path.read_text("utf-8")
            .replace("per_second: ", "per_second: 100")
            .replace("per_day: ", "per_day: 100")
        )
        path.write_text(text, "utf-8")
    return root
