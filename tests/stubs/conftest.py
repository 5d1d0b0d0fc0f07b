"""Running systems over a world of 2,000, the same world in this process, and a client of each system."""

import gzip
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl
import pytest
import requests

from stubs.client import Systems
from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant
from stubs.world import World

from .hostile_reading import PlainReader

PEOPLE = 2000
SEED = 7

Record = dict[str, Any]
Get = Callable[..., requests.Response]


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    """Systems whose world stands still, for any test that does not advance it."""
    with Systems.start(tmp_path_factory.mktemp("systems"), PEOPLE, SEED, timeout=60) as running:
        yield running


@pytest.fixture(scope="session")
def world() -> World:
    """The world that `systems` serves."""
    return World.generate(PEOPLE, SEED)


@pytest.fixture
def moving_systems(tmp_path: Path) -> Iterator[Systems]:
    """Systems of a test of its own, to be advanced."""
    with Systems.start(tmp_path / "state", PEOPLE, SEED, calm=True, timeout=60) as running:
        yield running


@pytest.fixture
def reader(systems: Systems) -> "Reader":
    """Reads `systems`."""
    return Reader(systems)


@pytest.fixture
def moving_reader(moving_systems: Systems) -> "Reader":
    """Reads `moving_systems`."""
    return Reader(moving_systems)


@pytest.fixture(scope="session")
def expected(world: World) -> "Expected":
    """What `systems` should say."""
    return Expected(world)


@pytest.fixture(autouse=True)
def _no_fault_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "systems" in request.fixturenames:
        request.getfixturevalue("systems").clear_faults()


class Reader:
    """A plain client of each system, written from its description and not from the servers' code."""

    def __init__(self, systems: Systems) -> None:
        self.systems = systems
        self.connections = systems.connections

    def bearer(self, system: str) -> dict[str, str]:
        """An authorization header with a fresh token."""
        connection = self.connections[system]
        form = {"grant_type": "client_credentials", "scope": connection["extra"].get("scope", "")}
        login = connection["login"], connection["password"]
        answer = requests.post(connection["extra"]["token_url"], data=form, auth=login, timeout=30)
        answer.raise_for_status()
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def signature(self, path: str, query: str, *, at: float | None = None) -> dict[str, str]:
        """The three headers of a signed GET without a body to the tax system."""
        connection = self.connections["tax"]
        timestamp = str(int(time.time() if at is None else at))
        text = "\n".join(["GET", path, query, timestamp, hashlib.sha256(b"").hexdigest()])
        signature = hmac.new(connection["password"].encode(), text.encode(), hashlib.sha256).hexdigest()
        return {"X-Key-Id": connection["login"], "X-Timestamp": timestamp, "X-Signature": signature}

    def population_get(self) -> Get:
        """GETs citizens with a token; keyword arguments are the query."""
        headers = self.bearer("population")
        url = self.connections["population"]["host"] + "/dancu/v1/congdan"
        return lambda **query: requests.get(url, params=query, headers=headers, timeout=30)

    def portal_get(self, stream: str) -> Get:
        """GETs a portal stream with a token."""
        headers = self.bearer("portal")
        url = f"{self.connections['portal']['host']}/api/v1/{stream}"
        return lambda **query: requests.get(url, params=query, headers=headers, timeout=30)

    def tax_get(self, **query: object) -> requests.Response:
        """GETs taxpayers, signed."""
        text = urlencode(query)
        headers = self.signature("/v2/taxpayers", text)
        url = f"{self.connections['tax']['host']}/v2/taxpayers?{text}"
        return requests.get(url, headers=headers, timeout=30)

    def banking_get(self, url: str | None = None, **query: object) -> requests.Response:
        """GETs accounts, or a `url` as given, with the client certificate; obeys Retry-After."""
        url = url or self.connections["banking"]["host"] + "/open-banking/v1/accounts"
        extra = self.connections["banking"]["extra"]
        cert = extra["client_certificate"], extra["client_key"]
        answer = requests.get(url, params=query, cert=cert, verify=extra["ca"], timeout=30)
        if answer.status_code == 429:
            time.sleep(int(answer.headers["Retry-After"]))
            answer = requests.get(url, params=query, cert=cert, verify=extra["ca"], timeout=30)
        return answer

    def customs_get(self, name: str) -> requests.Response:
        """GETs an export file."""
        connection = self.connections["customs"]
        headers = {"X-API-Key": connection["password"]}
        return requests.get(f"{connection['host']}/exports/{name}", headers=headers, timeout=30)

    def population(self, **query: object) -> list[Record]:
        """All citizens of a selection, asking again for a page that is cut."""
        get = self.population_get()
        records: list[Record] = []
        while True:
            try:
                page = get(**query).json()
            except requests.JSONDecodeError:
                page = get(**query).json()
            records += page["CongDan"]
            if page["TiepTheo"] is None:
                assert page["SoCongDan"] == len(records)
                return records
            query["cursor"] = page["TiepTheo"]

    def portal(self, stream: str, *, limit: int = 300, **query: object) -> list[Record]:
        """All records of a selection by offset, up to the first empty page."""
        get = self.portal_get(stream)
        records: list[Record] = []
        while True:
            page = get(offset=len(records), limit=limit, **query).json()
            records += page["duLieu"]
            if not page["duLieu"]:
                assert page["tong"] == len(records)
                return records

    def tax(self, *, size: int = 300, **query: object) -> list[Record]:
        """All registrations of a selection by page number, up to the first empty page."""
        records: list[Record] = []
        for number in count(1):
            data = self.tax_get(trang=number, soDong=size, **query).json()["data"]
            assert data["trang"] == number
            records += data["items"]
            if not data["items"]:
                assert data["tongSo"] == len(records)
                break
        return records

    def banking(self, **query: object) -> list[Record]:
        """All accounts of a selection by Link headers."""
        answer = self.banking_get(**query)
        records: list[Record] = answer.json()["Accounts"]
        while "next" in answer.links:
            answer = self.banking_get(answer.links["next"]["url"])
            records += answer.json()["Accounts"]
        return records

    def customs(self) -> tuple[Record, list[bytes]]:
        """The manifest, and the unzipped files in its order, their checksums verified."""
        manifest = self.customs_get("manifest.json").json()
        contents = [self.customs_get(entry["name"]).content for entry in manifest["files"]]
        for entry, content in zip(manifest["files"], contents, strict=True):
            assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
        return manifest, [gzip.decompress(content) for content in contents]


class Expected:
    """What the systems should say, taken from the world's own frames."""

    def __init__(self, world: World) -> None:
        self._world = world

    def frame(self, system: str, stream: str) -> pl.DataFrame:
        """The frame of a stream."""
        return self._world.frame(system, stream)

    def live(self, system: str, stream: str) -> list[Record]:
        """The records that a full read gives, in order."""
        return self.records(self.frame(system, stream).filter(~pl.col("_deleted")))

    def instants(self, system: str, stream: str) -> tuple[datetime, datetime]:
        """Two instants at which records were updated: after 60 % and after 90 % of them."""
        times = self.frame(system, stream)["_updated_at"]
        return times[int(len(times) * 0.6)], times[int(len(times) * 0.9)]

    def changed(self, system: str, stream: str, since: datetime, until: datetime) -> pl.DataFrame:
        """The rows from an instant inclusive until another exclusive, deleted ones included."""
        time = pl.col("_updated_at")
        return self.frame(system, stream).filter(time >= since, time < until)

    def records(self, frame: pl.DataFrame) -> list[Record]:
        """Rows as they should be on the wire."""
        wire = frame.drop([column for column in frame.columns if column.startswith("_")])
        rows = zip(wire.to_dicts(), frame["_raw"], strict=True)
        return [record if raw is None else json.loads(raw) for record, raw in rows]


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Callable[..., HostileSource]]:
    """Starts hostile sources of a variant; they stop with the test."""
    started: list[HostileSource] = []

    def starting(*, people: int = 100, **variant: Any) -> HostileSource:
        folder = tmp_path / str(len(started))
        started.append(HostileSource.start(folder, variant=Variant(**variant), people=people))
        return started[-1]

    yield starting
    for source in started:
        source.stop()


@pytest.fixture
def start(hostile: Callable[..., HostileSource]) -> Callable[..., tuple[HostileSource, PlainReader]]:
    """Starts a source of a variant, and gives it with its reader."""

    def starting(**variant: Any) -> tuple[HostileSource, PlainReader]:
        source = hostile(**variant)
        return source, PlainReader(source)

    return starting
