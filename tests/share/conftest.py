"""Second sessions, whose transactions a test leaves open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect


@pytest.fixture
def other(settings: Settings) -> Iterator[Connection]:
    """A second session, whose transaction a test leaves open."""
    yield from _session(settings)


@pytest.fixture
def third(settings: Settings) -> Iterator[Connection]:
    """A third one."""
    yield from _session(settings)


def _session(settings: Settings) -> Iterator[Connection]:
    assert settings.database_url is not None
    connection = connect(settings.database_url)
    yield connection
    connection.close()
