"""Servers that answer as a test says, connectors cut to a test's size, and the simulated systems."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from oncehub.config.connection import Connection, connection_from_document
from oncehub.config.connector import Connector
from oncehub.connect.http.local_rate_limiter import LocalRateLimiter
from oncehub.connect.resume_token import ResumeToken
from oncehub.connect.source import Source
from stubs.client import Systems

from .serving import Answering, Served

Stored = dict[str, Any]
"""What is kept of a resume token."""

CONNECTORS = Path(__file__).resolve().parents[2] / "connectors"


@pytest.fixture
def serve() -> Iterator[Callable[[Answering], Served]]:
    """Starts servers that answer as their test says."""
    running: list[Served] = []

    def start(answering: Answering) -> Served:
        running.append(Served(answering))
        return running[-1]

    yield start
    for served in running:
        served.stop()


def stored(token: ResumeToken | None) -> Stored | None:
    """The token as the hub's database keeps it."""
    return None if token is None else orjson.loads(orjson.dumps(token.stored()))


BASIC = """
source: tax
title: A test's source
schedule: "0 1 * * *"
auth: {kind: none}
limits: {requests: 1000/s, attempts: 3}
streams:
  items:
    read: {format: json, path: /items, records: items}
    pages: {kind: none}
    key: [id]
    updated: {field: at}
"""


@pytest.fixture
def connector_of(tmp_path: Path) -> Callable[..., Connector]:
    """Makes a connector of one stream `items`; keywords replace its keys, `stream` those of the stream."""

    def make(stream: dict[str, Any] | None = None, **keys: Any) -> Connector:
        document = yaml.safe_load(BASIC)
        document["streams"]["items"] |= stream or {}
        path = tmp_path / "connector.yaml"
        path.write_text(yaml.safe_dump(orjson.loads(orjson.dumps(document | keys))), "utf-8")
        return Connector.load(path)

    return make


@dataclass
class Pauses:
    """Stands for sleep: remembers how long, and moves a clock of its own instead of waiting."""

    seconds: list[float] = field(default_factory=list)
    slept: float = 0

    def clock(self) -> float:
        return time.monotonic() + self.slept

    def __call__(self, seconds: float) -> None:
        self.slept += seconds
        # The rate limiter pauses for milliseconds; only waits before another try count here.
        if seconds > 0.01:
            self.seconds.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def open_served(pauses: Pauses) -> Iterator[Callable[..., Source]]:
    """Opens a source at a server, pauses remembered instead of slept."""
    opened: list[Source] = []

    def start(connector: Connector, host: str, **connection: Any) -> Source:
        rate_limiter = LocalRateLimiter(connector.limits, pauses.clock)
        opened.append(
            Source(connector, Connection(host, **connection), rate_limiter=rate_limiter, pause=pauses)
        )
        return opened[-1]

    yield start
    for source in opened:
        source.close()


def real_connector(source: str, *, size: int | None = None, attempts: int | None = None) -> Connector:
    """The shipped connector, with smaller pages or other tries where given."""
    connector = Connector.load(CONNECTORS / source / "connector.yaml")
    limits = connector.limits.model_copy(update={"requests": 500.0})
    if attempts is not None:
        limits = limits.model_copy(update={"attempts": attempts})
    streams = {}
    for name, stream in connector.streams.items():
        pages = stream.pages
        if size is not None and pages.size is not None:
            pages = pages.model_copy(update={"size": pages.size.model_copy(update={"value": size})})
        streams[name] = stream.model_copy(update={"pages": pages})
    return connector.model_copy(update={"limits": limits, "streams": streams})


def real_connection(systems: Systems, source: str) -> Connection:
    return connection_from_document(systems.connections[source], source)


@pytest.fixture
def open_real(systems: Systems, pauses: Pauses) -> Iterator[Callable[..., Source]]:
    """Opens a simulated system by its shipped connector, pauses remembered instead of slept."""
    opened: list[Source] = []

    def start(source: str, connection: Connection | None = None, **changes: Any) -> Source:
        connector = real_connector(source, **changes)
        connection = connection or real_connection(systems, source)
        rate_limiter = LocalRateLimiter(connector.limits, pauses.clock)
        opened.append(Source(connector, connection, rate_limiter=rate_limiter, pause=pauses))
        return opened[-1]

    systems.clear_faults()
    yield start
    systems.clear_faults()
    for source in opened:
        source.close()


def shortened(connector: Connector, timeout: float) -> Connector:
    """The connector with a timeout below the second that YAML can say."""
    limits = connector.limits.model_copy(update={"timeout": timedelta(seconds=timeout)})
    return connector.model_copy(update={"limits": limits})
