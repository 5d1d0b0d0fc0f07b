"""The simulated world: its clock, its records on the wire, and the truth about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl

from stubs.world.clock import instants
from stubs.world.founding import found
from stubs.world.life.correcting import correct_sources
from stubs.world.life.day import live_a_day
from stubs.world.planting.dirt import USUAL, Dirt
from stubs.world.render import banking, customs, population, portal, tax
from stubs.world.state import SOURCES, State
from stubs.world.table import Table
from stubs.world.truth.discrepancies import Truth, truth_of
from stubs.world.truth.whole_truth import WholeTruth, whole_truth_of

_FRAMES: dict[tuple[str, str], tuple[Callable[[State], pl.DataFrame], str]] = {
    ("population", "citizens"): (population.citizens, "Id"),
    ("portal", "accounts"): (portal.accounts, "MaTaiKhoan"),
    ("portal", "dossiers"): (portal.dossiers, "MaHoSo"),
    ("tax", "registrations"): (tax.registrations, "mst"),
    ("customs", "declarants"): (customs.declarants, "MA_NGUOI_KHAI"),
    ("banking", "accounts"): (banking.accounts, "RsrcId"),
}


class World:
    """One population and the five systems that hold records of it; a seed always makes the same world."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._frames: dict[tuple[str, str], pl.DataFrame] = {}

    @classmethod
    def generate(cls, people: int, seed: int = 1, *, coverage: float = 1.0, dirt: Dirt = USUAL) -> World:
        """A world of `people` register records (at least 500) at 2026-07-06T17:00:00Z.

        `coverage` multiplies the share of grown people each other source knows, at most everybody;
        `dirt` says how carelessly they keep it.
        """
        if people < 500:
            message = f"a world needs at least 500 people to hold one of everything, not {people}"
            raise ValueError(message)
        return cls(found(people, seed, coverage, dirt))

    @property
    def now(self) -> datetime:
        """The world's clock, in UTC."""
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=self._state.now)

    def frame(self, system: str, stream: str) -> pl.DataFrame:
        """All wire records of a stream, deleted ones included, sorted by (`_updated_at`, `_key`).

        Columns: the wire fields as the source renders them, `_key`, `_updated_at` (UTC), `_deleted`, and
        `_raw`: where not null, the JSON text to send in place of the rendered record.

        Raises:
            KeyError: no such system or stream.
        """
        if (system, stream) not in self._frames:
            self._frames[system, stream] = self._render(system, stream)
        return self._frames[system, stream]

    def _render(self, system: str, stream: str) -> pl.DataFrame:
        render, key = _FRAMES[system, stream]
        table = self._table(system, stream)
        frame = render(self._state).with_columns(
            pl.col(key).alias("_key"),
            _updated_at=instants(table["updated"]),
            _deleted=pl.Series(table["deleted"]),
        )
        return frame.sort("_updated_at", "_key")

    def _table(self, system: str, stream: str) -> Table:
        if system == "population":
            return self._state.people
        return self._state.dossiers if stream == "dossiers" else self._state.records[system]

    def advance(self, days: int = 1) -> dict[str, int]:
        """Let the world live on for some days; returns how many events of each kind there were."""
        counts: dict[str, int] = {}
        for _ in range(days):
            for kind, count in live_a_day(self._state).items():
                counts[kind] = counts.get(kind, 0) + count
        self._frames.clear()
        return counts

    def correct(self, *sources: str) -> int:
        """Let these sources, or all, spend a day on bringing their records into line; returns how many did.

        Raises:
            KeyError: no such source of records beside the register.
        """
        corrected = correct_sources(self._state, sources or SOURCES)
        self._frames.clear()
        return corrected

    def truth(self) -> Truth:
        """What should be found in the records as they stand."""
        return truth_of(self._state)

    def whole_truth(self) -> WholeTruth:
        """What could be found in them by somebody who knew whom each is about."""
        return whole_truth_of(self._state)
