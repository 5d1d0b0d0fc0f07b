"""Bringing the database to the form this version needs."""

from __future__ import annotations

import hashlib
from importlib import resources

import psycopg2.errors

from oncehub.config.catalogue import load_connectors
from oncehub.errors import ConfigError, StoreOutdated
from oncehub.settings import Settings
from oncehub.store.administrative_units import load_units
from oncehub.store.connection import Connection, connect, database_url

_LEDGER = """
create table if not exists public.oncehub_migration (
    name       text primary key,
    digest     text not null,
    applied_at timestamptz not null default now()
)
"""

# What agreements see hangs on the tables' form; `oncehub.share.access.database_access` builds it anew.
_WITHOUT_WALL = """
do $$
declare
    schema text;
begin
    for schema in select nspname from pg_namespace where starts_with(nspname, 'agreement_') loop
        execute format('drop schema %I cascade', schema);
    end loop;
end
$$
"""


def migrations() -> dict[str, str]:
    """Return the SQL of every migration by file name, in order."""
    folder = resources.files("oncehub.store") / "migrations"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return {file.name: file.read_text("utf-8") for file in files}


def initialise(settings: Settings) -> list[str]:
    """Migrate the hub's database, give every source its place, load the administrative units; repeatable.

    Returns:
        The names of the migrations applied.

    Raises:
        StoreUnavailable: when the database does not answer.
        ConfigError: when an applied migration was changed since, or a connector is wrong.
    """
    sources = list(load_connectors(settings))
    connection = connect(database_url(settings))
    try:
        applied = migrate(connection)
        # A source added later gets its place when it is first read.
        with connection, connection.cursor() as cursor:
            cursor.execute("select record.attach_source(source) from unnest(%s) as source", (sources,))
        load_units(connection, settings.mappings)
    finally:
        connection.close()
    return applied


def migrate(connection: Connection) -> list[str]:
    """Apply the migrations still missing, all in one transaction, and return their names.

    Raises:
        ConfigError: when an applied migration was changed since.
    """
    with connection, connection.cursor() as cursor:
        # Two hubs starting at once: the second waits here and then finds nothing to do.
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('oncehub migrate', 0))")
        cursor.execute(_LEDGER)
        done = _applied(connection)
        missing = [name for name in migrations() if name not in done]
        if missing:
            cursor.execute(_WITHOUT_WALL)
        for name in missing:
            text = migrations()[name]
            cursor.execute(text)
            cursor.execute(
                "insert into public.oncehub_migration (name, digest) values (%s, %s)", (name, _digest(text))
            )
    return missing


def require_current(connection: Connection) -> None:
    """Check that every migration has been applied.

    Raises:
        StoreOutdated: when one is missing.
    """
    try:
        with connection:
            done = _applied(connection)
    except psycopg2.errors.UndefinedTable:
        done = set()
    if missing := [name for name in migrations() if name not in done]:
        raise StoreOutdated(
            f"the database lacks {len(missing)} migrations ({missing[0]} first); run: oncehub init"
        )


def _applied(connection: Connection) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("select name, digest from public.oncehub_migration")
        done = dict(cursor.fetchall())
    for name, text in migrations().items():
        if done.get(name, _digest(text)) != _digest(text):
            raise ConfigError(f"migration {name} was changed after it was applied; add a new one instead")
    return set(done)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
