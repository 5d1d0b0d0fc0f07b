"""What tests of every step share: a real database of their own, and the running simulated systems."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from oncehub.model.settings import Settings
from oncehub.store.connection import Connection, connect
from oncehub.store.migrate import initialise
from oncehub.store.server import start_embedded
from stubs.client import Systems

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = "migrated"
PEOPLE = 2000

# A test's database is thrown away: it need not outlive a power cut.
QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of an embedded server's database `migrated`, to clone; the server goes with the test process."""
    folder = tmp_path_factory.mktemp("postgres")
    url = start_embedded(folder / "data", database=TEMPLATE, cleanup="delete")
    with _administering(url) as cursor:
        for setting in QUICK:
            cursor.execute(f"alter system set {setting}")
        cursor.execute("select pg_reload_conf()")
    initialise(Settings(root=ROOT, home=folder / "home", database_url=url))
    return url


@pytest.fixture
def settings(postgres: str, tmp_path: Path) -> Iterator[Settings]:
    """The repository's configuration over a fresh, migrated database and an empty home."""
    name = f"test_{uuid.uuid4().hex}"
    with _administering(postgres) as cursor:
        cursor.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
        )
    yield Settings(root=ROOT, home=tmp_path / "home", database_url=_naming(postgres, name))
    with _administering(postgres) as cursor:
        cursor.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def database(settings: Settings) -> Iterator[Connection]:
    """A connection to the database of `settings`."""
    assert settings.database_url is not None
    connection = connect(settings.database_url)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    """The simulated systems over 2,000 people, for tests that do not advance the world."""
    with Systems.start(tmp_path_factory.mktemp("systems"), PEOPLE, seed=1, timeout=120) as running:
        yield running


@contextmanager
def _administering(url: str) -> Iterator[psycopg2.extensions.cursor]:
    """Give a cursor that commits by itself, beside the template, to which nobody may be connected."""
    connection = psycopg2.connect(_naming(url, "postgres"))
    connection.autocommit = True
    try:
        yield connection.cursor()
    finally:
        connection.close()


def _naming(url: str, database: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{database}?{query}"
