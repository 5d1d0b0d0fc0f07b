"""A running API, and sessions that call it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from oncehub.api.client import HubClient
from oncehub.settings import Settings
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.store.connection import Connection
from tests.api.server.processes import Running, serving


@pytest.fixture
def running(editable: Settings, tmp_path: Path) -> Iterator[Running]:
    with serving(editable, tmp_path / "api.log") as api:
        yield api


@pytest.fixture
def web() -> Iterator[requests.Session]:
    """A session that goes to loopback directly, whatever proxy the environment names."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def client(running: Running, database: Connection, tmp_path: Path, web: requests.Session) -> HubClient:
    path = tmp_path / "agency.pem"
    add_client(database, "portal", "portal-residence", new_client_key(path))
    return HubClient(running.url, "portal", path.read_bytes(), web)
