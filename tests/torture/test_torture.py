"""A short form of `make torture`: every command, the API and the server are killed once or a few times."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from stubs.client import Systems
from torture.comparing import differences
from torture.torture import Torture

API_KILLS = 5


@pytest.fixture
def torture(
    server_folder: Callable[[], Path], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Torture]:
    folder, seed = server_folder(), request.config.option.hypothesis_seed
    with Systems.start(tmp_path / "systems", 500, calm=True) as systems:
        made = Torture(folder, systems, random.Random(seed), Console())
        try:
            yield made
        finally:
            made.stop()


def test_a_hub_that_is_killed_everywhere_ends_like_one_that_never_was(torture: Torture) -> None:
    torture.begin(1)
    torture.day(1, API_KILLS)
    torture.verify()
    assert torture.report.kills > 2 * API_KILLS
    assert torture.agencies.answered > 100
    # What was compared would have shown a row that only one of the hubs has.
    torture.killed.execute("delete from intake.cursor where stream = 'citizens'")
    found = differences(torture.killed, torture.twin, torture.agencies.unanswered)
    assert [(each.table, each.rows) for each in found] == [("intake.cursor", 1)]
