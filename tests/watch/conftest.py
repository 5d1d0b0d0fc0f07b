"""Servers beside a watched hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ..connect.serving import Served


@pytest.fixture
def served() -> Iterator[Callable[[Any], Served]]:
    started: list[Served] = []

    def start(answering: Any) -> Served:
        started.append(Served(answering))
        return started[-1]

    yield start
    for each in started:
        each.stop()
