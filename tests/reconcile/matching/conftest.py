"""A hub full of the simulated population, reconciled, and a model trained on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import make_dsn

from benchmarks.filling import fill
from oncehub.model.settings import Settings
from oncehub.reconcile import reconcile
from oncehub.reconcile.matching.train import train
from oncehub.store.connection import Connection, connect
from stubs.world.world import World

ROOT = Path(__file__).resolve().parents[3]
PEOPLE = 1000


@pytest.fixture(scope="session")
def filled(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub of 1,000 people with all their records, reconciled without a model."""
    server = make_dsn(postgres, dbname="postgres")
    with closing(connect(server)) as administrator, administrator.cursor() as cursor:
        administrator.rollback()
        administrator.autocommit = True
        cursor.execute("create database populated template migrated")
    made = Settings(ROOT, tmp_path_factory.mktemp("home"), make_dsn(postgres, dbname="populated"))
    fill(made, World.generate(PEOPLE, seed=1))
    reconcile(made)
    return made


@pytest.fixture(scope="session")
def population(filled: Settings) -> Iterator[Connection]:
    """A connection to the filled hub."""
    assert filled.database_url is not None
    with closing(connect(filled.database_url)) as connection:
        yield connection


@pytest.fixture(scope="session")
def trained(filled: Settings, population: Connection) -> int:
    """The number of a model trained on the filled hub."""
    return train(filled, by="tester", reason="a test", database=population)
