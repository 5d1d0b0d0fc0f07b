"""Batches made by hand, readings of the simulated systems, and what the hub holds after either."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from psycopg2 import sql

from oncehub.config.catalogue import load_connector
from oncehub.config.connection import connection_from_document
from oncehub.config.connector import Connector
from oncehub.config.entities import Attribute, Entity, load_entities
from oncehub.intake.landing.land import Landed, Landing
from oncehub.intake.micro_batches import Size
from oncehub.intake.runs.run import RunReport
from oncehub.intake.sync import sync
from oncehub.normalize.batch import Batch, Rejected
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect
from stubs.client import Systems

from .register import CHILD, SOURCE, STREAM, Register, configuration

PAGEWISE = Size(pages=1)
"""What lands in one transaction, so that a test may end one at every page."""

NOWHERE = connection_from_document({"host": "http://127.0.0.1:9"}, SOURCE)

LATER = datetime(2027, 1, 1, tzinfo=UTC)
"""When the tests read, unless they say so: after all that the simulated world knows."""

START = datetime(2026, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
KEYS = {"source_key": pl.String(), "stated_at": TIME}


@dataclass(frozen=True)
class Statement:
    """One version of one record: rows by entity, or none and `deleted`; `day` orders versions in time."""

    key: str
    day: int
    rows: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    deleted: bool = False

    @property
    def stated_at(self) -> datetime:
        return START + timedelta(days=self.day)


class Bench:
    """Lands hand-made batches of one stream into the real database."""

    def __init__(
        self, database: Connection, entities: dict[str, Entity], source: str, stream: str, home: Path
    ) -> None:
        self.database = database
        self.entities = entities
        self.source = source
        self.stream = stream
        self.landing = Landing(database, source, stream, entities, home)
        with database, database.cursor() as cursor:
            cursor.execute("select record.attach_source(%s)", (source,))
            self.landing.prepare()

    def batch(self, statements: Iterable[Statement], rejected: Iterable[Rejected] = ()) -> Batch:
        """What the normalizer makes of a page: of a repeated record the latest counts, or its deletion."""
        page, bad = list(statements), list(rejected)
        latest = {each.key: each for each in sorted(page, key=lambda each: (each.day, each.deleted))}
        living = [each for each in latest.values() if not each.deleted]
        return Batch(
            frames={name: entity_frame(entity, living) for name, entity in self.entities.items()},
            deleted=key_frame(each for each in latest.values() if each.deleted),
            rejected=bad,
            accepted_keys=key_frame(living),
            read=len(page) + len(bad),
            high_mark=max((each.stated_at for each in page), default=None),
        )

    def land(self, *statements: Statement) -> Landed:
        with self.database:
            return self.landing.land(self.batch(statements))

    def living(self, entity: str) -> list[tuple[Any, ...]]:
        """The rows of an entity that live: source_key, stated_at, attributes; sorted."""
        columns = ("source_key", "stated_at", *self.entities[entity].attributes)
        return self.query(
            sql.SQL(
                "select {} from record.{} where source = %(source)s and stream = %(stream)s "
                "and deleted_at is null order by 1, 3"
            ).format(sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(entity))
        )

    def held(self) -> list[tuple[Any, ...]]:
        return self.query(
            "select source_key, stated_at, deletion from intake.record_state "
            "where source = %(source)s and stream = %(stream)s order by 1"
        )

    def dirty(self) -> Counter[str]:
        """How often each record is marked."""
        marks = self.query(
            "select source_key from intake.dirty where source = %(source)s and stream = %(stream)s"
        )
        return Counter(key for (key,) in marks)

    def clean(self) -> None:
        with self.database, self.database.cursor() as cursor:
            cursor.execute("delete from intake.dirty")

    def query(self, statement: str | sql.Composed) -> list[tuple[Any, ...]]:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, {"source": self.source, "stream": self.stream})
            return cursor.fetchall()


class Benches:
    """Gives a bench over a stream that no other has used."""

    def __init__(self, database: Connection, settings: Settings) -> None:
        self._database = database
        self._home = settings.home
        self._entities = load_entities(settings.schemas)
        self._numbers = itertools.count(1)

    def fresh(self) -> Bench:
        return Bench(self._database, self._entities, "tax", f"s{next(self._numbers)}", self._home)


@pytest.fixture
def benches(database: Connection, settings: Settings) -> Benches:
    return Benches(database, settings)


@pytest.fixture
def bench(benches: Benches) -> Bench:
    return benches.fresh()


def key_frame(statements: Iterable[Statement]) -> pl.DataFrame:
    rows = [(each.key, each.stated_at) for each in statements]
    return pl.DataFrame(rows, schema=KEYS, orient="row")


def entity_frame(entity: Entity, statements: Iterable[Statement]) -> pl.DataFrame:
    rows = [
        {"source_key": each.key, "stated_at": each.stated_at, **row}
        for each in statements
        for row in each.rows.get(entity.name, ())
    ]
    schema = KEYS | {name: column_type(part) for name, part in entity.attributes.items()}
    return pl.DataFrame(rows, schema=schema)


def column_type(part: Attribute) -> pl.DataType:
    match part.type:
        case "object":
            return pl.Struct(dict.fromkeys(part.members, pl.String()))
        case "date":
            return pl.Date()
        case "timestamp":
            return TIME
        case "boolean":
            return pl.Boolean()
        case _:
            return pl.String()


@pytest.fixture
def statement() -> type[Statement]:
    return Statement


class Hub:
    """A database of its own, into which the simulated systems are read."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def connector(self, source: str, *, size: int | None = None, attempts: int = 5) -> Connector:
        """A connector of the repository, with pages and patience as a test needs them."""
        connector = load_connector(self.settings, source)
        limits = connector.limits.model_copy(update={"attempts": attempts, "requests": 1000.0})
        streams = dict(connector.streams)
        for name, spec in streams.items() if size else ():
            sized = spec.pages.size.model_copy(update={"value": size})
            pages = spec.pages.model_copy(update={"size": sized})
            streams[name] = spec.model_copy(update={"pages": pages})
        return connector.model_copy(update={"limits": limits, "streams": streams})

    def read(
        self, systems: Systems, source: str, connector: Connector | None = None, **how: Any
    ) -> list[RunReport]:
        connection = connection_from_document(systems.connections[source], source)
        chosen = connector or self.connector(source)
        return sync(self.settings, chosen, connection, **{"clock": lambda: LATER, "size": PAGEWISE, **how})

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        assert self.settings.database_url is not None
        connection = connect(self.settings.database_url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the records state, by entity, but for when it was received and what they stated before."""
        return {
            name: self.query(
                f"select content from record.{name} as row, "
                "lateral (select to_jsonb(row) - '{received_at,former_names}'::text[]) as plain (content) "
                "where deleted_at is null order by source, stream, source_key, content::text"
            )
            for name in load_entities(self.settings.schemas)
        }

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that landing leaves behind, but for when it was received and by which run."""
        rejected = "source, stream, source_key, stage, path, reason"
        return self.rows() | {
            "held": self.query("select * from intake.record_state order by 1, 2, 3"),
            "cursor": self.query(
                "select source, stream, position, sequence from intake.cursor order by 1, 2"
            ),
            "dirty": self.query(
                "select distinct source, stream, source_key from intake.dirty order by 1, 2, 3"
            ),
            "rejected": self.query(f"select {rejected} from intake.rejected order by 1, 2, 3, 5"),
        }

    def runs(self) -> list[tuple[Any, ...]]:
        return self.query("select run_id, mode, state, pages, error from intake.run order by run_id")


@pytest.fixture
def new_hub(new_settings: Callable[[], Settings]) -> Callable[[], Hub]:
    """Makes hubs with a database each."""
    return lambda: Hub(new_settings())


@pytest.fixture
def hub(settings: Settings) -> Hub:
    return Hub(settings)


class Land(Hub):
    """A hub that reads a register which the test moves on while it is read."""

    def __init__(self, settings: Settings, root: Path) -> None:
        super().__init__(replace(settings, root=root))
        self._origin = settings.root
        self.register = Register()

    def configure(self, *, child: dict[str, Any] | None = None, **parts: Any) -> None:
        """Say how the stream is read from now on, and how its child if it has one."""
        streams = {STREAM: parts} | ({CHILD: child} if child else {})
        configuration(self.settings.root, self._origin, streams)

    @property
    def land(self) -> Connector:
        return load_connector(self.settings, SOURCE)

    def agree(self, **properties: Any) -> None:
        """Agree other fields with the register than before."""
        path = self.settings.schemas / "sources" / SOURCE / f"{STREAM}.json"
        schema = orjson.loads(path.read_bytes())
        path.write_bytes(orjson.dumps({**schema, "properties": schema["properties"] | properties}))

    def take(self, **how: Any) -> RunReport:
        """Read the register once; the hub's clock is a day after its last statement unless given."""
        *_, last = self.takes(**how)
        return last

    def takes(self, **how: Any) -> list[RunReport]:
        now = max((each.at for each in self.register.history), default=START) + timedelta(days=1)
        given = {"clock": lambda: now, "opener": self.register.open, "size": PAGEWISE, **how}
        return sync(self.settings, self.land, NOWHERE, **given)

    def living(self) -> dict[str, str]:
        """The names that the hub holds, by key."""
        rows = self.query(
            "select source_key, full_name from record.person where deleted_at is null order by 1"
        )
        return dict(rows)

    def cursor(self) -> list[tuple[Any, ...]]:
        return self.query("select position, sequence from intake.cursor")

    def open_rejections(self) -> list[str]:
        rows = self.query("select source_key from intake.rejected where resolved_at is null order by 1")
        return [key for (key,) in rows]


class Killed(BaseException):
    """Stands for a kill at this very instant: nothing of the engine handles it."""


def killing(pages: int) -> Callable[[RunReport], None]:
    """A listener that is killed as soon as so many pages have landed."""

    def listen(report: RunReport) -> None:
        if report.pages == pages and not report.done:
            raise Killed

    return listen


@pytest.fixture
def new_land(new_settings: Callable[[], Settings], tmp_path: Path) -> Callable[..., Land]:
    """Makes hubs over a register each: `new_land(changes=..., deletes=...)`."""

    def make(**parts: Any) -> Land:
        made = new_settings()
        land = Land(made, tmp_path / f"root-{made.home.name}")
        land.configure(**parts)
        return land

    return make


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    """Systems that misbehave only when told to."""
    with Systems.start(tmp_path_factory.mktemp("calm"), 600, seed=5, calm=True, timeout=120) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_fault_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "calm" in request.fixturenames:
        request.getfixturevalue("calm").clear_faults()


@pytest.fixture
def store(land: Land) -> Iterator[Connection]:
    """A connection to the database of the test's own `land`."""
    assert land.settings.database_url is not None
    connection = connect(land.settings.database_url)
    yield connection
    connection.close()
