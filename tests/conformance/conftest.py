"""Hostile sources, the connectors that read them, and the suite over hubs that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from oncehub.config.catalogue import load_connector
from oncehub.config.connection import connection_from_document
from oncehub.conformance.hub import Hub
from oncehub.conformance.subject import Options
from oncehub.conformance.trial import Trial
from oncehub.conformance.verdict import Verdict
from oncehub.settings import Settings
from oncehub.store.connection import connect
from oncehub.store.history import continue_history
from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant

from .landuse import SOURCE, STREAM, write_root

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "migrated"

PEOPLE = 100
BRIEF = Options(page_size=25, boundaries=3, kills=0)


@dataclass
class Tested:
    """A source and what the suite found on it."""

    source: HostileSource
    verdicts: list[Verdict]

    def faults(self) -> dict[str, str | None]:
        return {each.case: each.fault for each in self.verdicts if each.outcome == "failed"}

    def told(self, case: str) -> str:
        [verdict] = [each for each in self.verdicts if each.case == case]
        return verdict.message

    def outcome(self, case: str) -> str:
        [verdict] = [each for each in self.verdicts if each.case == case]
        return verdict.outcome


@pytest.fixture(scope="session")
def databases(postgres: str) -> tuple[str, ...]:
    """URLs of two databases that every run of the suite empties."""
    head, _, query = postgres.partition("?")
    server = head.rpartition("/")[0]
    connection = psycopg2.connect(f"{server}/postgres?{query}")
    connection.autocommit = True
    names = ("conformance_scratch", "conformance_kept")
    for name in names:
        connection.cursor().execute(f"create database {name} template {TEMPLATE} strategy file_copy")
    connection.close()
    urls = tuple(f"{server}/{name}?{query}" for name in names)
    for url in urls:
        with closing(connect(url)) as copy, copy, copy.cursor() as cursor:
            continue_history(cursor, "tests", "a copy of the template")
    return urls


@pytest.fixture
def hubs_over(databases: tuple[str, ...], data_keys: Path) -> Iterator[Callable[[Path], list[Hub]]]:
    """Gives the shared databases as hubs over the files of a root."""
    made: list[Hub] = []

    def over(root: Path) -> list[Hub]:
        hubs = [Hub(Settings(root, data_keys.parent, url)) for url in databases]
        made.extend(hubs)
        return hubs

    yield over
    for hub in made:
        hub.close()


@pytest.fixture
def conform(tmp_path: Path, hubs_over: Callable[[Path], list[Hub]]) -> Iterator[Callable[..., Tested]]:
    """Runs the suite on a hostile source: `conform(plants, variant..., only=..., during=...)`.

    `during(source, case)` is called after each case, for what happens in the source meanwhile.
    """
    started: list[HostileSource] = []

    def run(
        *plants: str,
        people: int = PEOPLE,
        only: Sequence[str] = (),
        options: Options = BRIEF,
        stream: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
        prepare: Callable[[HostileSource], object] = lambda source: None,
        during: Callable[[HostileSource, str], object] = lambda source, case: None,
        **variant: Any,
    ) -> Tested:
        source = HostileSource.start(tmp_path / "source", variant=Variant(**variant), people=people)
        started.append(source)
        for plant in plants:
            source.plant(plant)
        prepare(source)
        source.write_drop()
        root = tmp_path / "root"
        write_root(root, ROOT, source, stream or {}, limits or {})
        verdicts = examined(root, source, hubs_over(root), options, only, during)
        return Tested(source, verdicts)

    yield run
    for source in started:
        source.stop()


def examined(
    root: Path,
    source: HostileSource,
    hubs: Sequence[Hub],
    options: Options,
    only: Sequence[str],
    during: Callable[[HostileSource, str], object],
) -> list[Verdict]:
    trial = Trial(
        load_connector(hubs[0].settings, SOURCE),
        (hubs[0], hubs[1]),
        streams=[STREAM],
        only=only,
        listener=lambda verdict: during(source, verdict.case) and None,
        pause=lambda seconds: None,
    )
    return trial.of_source(connection_from_document(source.connection, SOURCE), options)
