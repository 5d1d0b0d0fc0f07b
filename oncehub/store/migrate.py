"""Brings the database to the form this version needs: the baseline, numbered migrations, then routines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from importlib.resources.abc import Traversable

import psycopg2.errors

from oncehub.errors import ConfigError, StoreOutdated
from oncehub.settings import Settings
from oncehub.store.connection import Connection, Cursor, connect, database_url
from oncehub.store.history import require_own
from oncehub.store.schema_change import change_schema, hold_back_readers
from oncehub.store.statements import statement

_LEDGER = """
create table if not exists public.oncehub_migration (
    name       text primary key,
    digest     text not null,
    applied_at timestamptz not null default now()
)
"""

_DEFINITIONS = statement(__name__, "definitions")
_WRITTEN = statement(__name__, "written")
_MIGRATIONS = "migrations/"
_DEFINITIONS_NAME = "definitions of routines"

_BATCHES = ".batches.sql"


@dataclass(frozen=True)
class Scripts:
    """The SQL files of the database, by path, each in the order in which they are applied."""

    once: Mapping[str, str]
    """`schema/*.sql`, the baseline, and then `migrations/*.sql`; never changed after they were applied."""

    repeatable: Mapping[str, str]
    """`routines/<schema>/*.sql`: functions, views and triggers, applied again when their text has changed."""


def read_scripts(folder: Traversable) -> Scripts:
    """Read the SQL files in the subfolders `schema`, `migrations` and `routines` of a folder."""
    routines = sorted((each for each in (folder / "routines").iterdir() if each.is_dir()), key=_name)
    return Scripts(
        once=_read(folder / "schema", "schema") | _read(folder / "migrations", "migrations"),
        repeatable={
            path: text
            for schema in routines
            for path, text in _read(schema, f"routines/{schema.name}").items()
        },
    )


@cache
def hub_scripts() -> Scripts:
    """Return the SQL files that lie beside this module."""
    return read_scripts(resources.files("oncehub.store"))


@contextmanager
def opened(settings: Settings, given: Connection | None = None) -> Iterator[Connection]:
    """Give a connection to the hub's database, closed at the end; a given one is passed on and stays open.

    Raises:
        StoreUnavailable: The database does not answer.
        StoreOutdated: It lacks SQL files of this version.
        StoreNotAdopted: It was restored, copied or failed over.
    """
    if given is not None:
        yield given
        return
    connection = connect(database_url(settings))
    try:
        require_current(connection)
        with connection:
            require_own(connection)
        yield connection
    finally:
        connection.close()


def migrate(
    connection: Connection,
    scripts: Scripts | None = None,
    *,
    completed_by: Callable[[Cursor], object] | None = None,
) -> list[str]:
    """Apply the SQL files still missing, all in one transaction, and return their paths.

    Routines are applied when their text has changed. All of them are applied after a migration, which may
    have dropped some, and when a function, view or trigger was edited in the database.

    Batches (`*.batches.sql`) are many transactions; the files before the last of them are committed first.

    Args:
        connection: the owner's.
        scripts: in place of the hub's own.
        completed_by: what else belongs to the transaction, such as the rights of agreements; it may run
            more than once.

    Raises:
        ConfigError: when a baseline file or a migration was changed after it was applied, a routine needs a
            function, a view or a table that no file creates, or another program uses the database.
        StoreUnavailable: when others hold a lock too long; nothing was changed.
    """
    scripts = scripts or hub_scripts()
    expanded = list(_expand(connection, scripts))

    def change(cursor: Cursor) -> list[str]:
        applied = _apply_missing(cursor, scripts)
        if completed_by is not None:
            completed_by(cursor)
        return applied

    return [*expanded, *change_schema(connection, change)]


def _expand(connection: Connection, scripts: Scripts) -> Iterator[str]:
    """Apply, on a database in use, the missing files up to the last batches, each in its own transactions."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('public.oncehub_migration') is null")
        if cursor.fetchone() == (True,):
            return
        missing = _missing(_ledger(cursor), scripts)
    batches = [number for number, path in enumerate(missing, start=1) if path.endswith(_BATCHES)]
    for path, text in list(missing.items())[: max(batches, default=0)]:
        while change_schema(connection, partial(_apply_expanding, path=path, text=text)):
            pass
        yield path


def _apply_expanding(cursor: Cursor, *, path: str, text: str) -> bool:
    """Apply a file, or one batch of it; return whether there are more."""
    if path in _ledger(cursor):
        return False
    if not path.endswith(_BATCHES):
        hold_back_readers(cursor)
    cursor.execute(text)
    if path.endswith(_BATCHES) and cursor.rowcount > 0:
        return True
    _record(cursor, path, _digest(text))
    return False


def _apply_missing(cursor: Cursor, scripts: Scripts) -> list[str]:
    cursor.execute(_LEDGER)
    ledger = _ledger(cursor)
    missing = _missing(ledger, scripts)
    if missing:
        hold_back_readers(cursor)
    for path, text in missing.items():
        try:
            cursor.execute(text)
        except psycopg2.errors.DuplicateSchema as error:
            raise ConfigError(
                f"{path}: {error.diag.message_primary}, and this version did not create it; use an empty "
                "database: set another ONCEHUB_DATABASE_URL, or without one another ONCEHUB_HOME"
            ) from None
        _record(cursor, path, _digest(text))
    changed = _changed(ledger, scripts)
    if missing or ledger.get(_DEFINITIONS_NAME) != _digest_of(_definitions(cursor, scripts)):
        changed = dict(scripts.repeatable)
    if changed:
        hold_back_readers(cursor)
        _apply_routines(cursor, changed)
        _record(cursor, _DEFINITIONS_NAME, _digest_of(_definitions(cursor, scripts)))
    return [*missing, *changed]


def differing_routines(connection: Connection, scripts: Scripts | None = None) -> list[str]:
    """Return the functions, views and triggers that differ from the files, such as `function share.f(text)`.

    Rules, policies, event triggers and other owners than the database's are named too: no file makes any.

    The files are applied in a transaction that is rolled back, and what stands before is compared with what
    stands after: nothing in the database counts, which the same attacker could replace as well.

    Args:
        connection: the owner's, to a database that lacks no file.
        scripts: in place of the hub's own.

    Raises:
        StoreUnavailable: when others hold a lock too long.
    """
    scripts = scripts or hub_scripts()
    return change_schema(connection, lambda cursor: compare_routines(cursor, scripts))


def compare_routines(cursor: Cursor, scripts: Scripts | None = None) -> list[str]:
    """Do as `differing_routines` in the caller's transaction, of which nothing remains but its locks."""
    scripts = scripts or hub_scripts()
    standing, before = _definitions(cursor, scripts), _written(cursor, scripts)
    once = "\n".join(scripts.once.values())
    cursor.execute("savepoint files")
    try:
        _apply_routines(cursor, scripts.repeatable)
    except psycopg2.OperationalError:
        raise
    except psycopg2.Error as error:
        # A rule or an event trigger may keep the files from being applied.
        cursor.execute("rollback to savepoint files")
        made = once + "\n".join(scripts.repeatable.values())
        strange = sorted(name for name, beginning, _ in before if beginning not in made)
        return [*strange, f"some routine (the files do not apply: {type(error).__name__})"]
    due, after = _definitions(cursor, scripts), _written(cursor, scripts)
    # A dump restores a view or a body of SQL from its printed text, and that is printed in other words.
    for name in [name for name in due if standing.get(name) != due[name]]:
        if name.startswith("view "):
            cursor.execute(f"create or replace {name} as {due[name]}")
        elif name.startswith("function "):
            cursor.execute(due[name])
    restored = _definitions(cursor, scripts)
    cursor.execute("rollback to savepoint files")
    differing = [
        name
        for name in due
        if standing.get(name) != due[name]
        and (name.startswith("options ") or standing.get(name) != restored[name])
    ]
    # What no file makes was written by no file.
    differing.extend(name for name, beginning, _ in before & after if beginning not in once)
    return sorted(differing)


def require_current(connection: Connection, scripts: Scripts | None = None) -> None:
    """Check that every SQL file has been applied in its present text.

    Raises:
        StoreOutdated: when one is missing.
        ConfigError: when a baseline file or a migration was changed after it was applied, or a later version
            applied one that this version does not have.
    """
    scripts = scripts or hub_scripts()
    try:
        with connection, connection.cursor() as cursor:
            ledger = _ledger(cursor)
    except psycopg2.errors.UndefinedTable:
        ledger = {}
    if missing := [*_missing(ledger, scripts), *_changed(ledger, scripts)]:
        raise StoreOutdated(
            f"the database lacks {len(missing)} SQL files of this version ({missing[0]} first); "
            "run: oncehub init"
        )


def _missing(ledger: Mapping[str, str], scripts: Scripts) -> dict[str, str]:
    """Return the baseline files and migrations that the ledger lacks.

    Raises:
        ConfigError: when one was changed after it was applied, or a later version applied another.
    """
    later = [path for path in ledger if path.startswith(_MIGRATIONS) and path not in scripts.once]
    if later:
        raise ConfigError(
            f"a later version of oncehub has changed the database ({min(later)}); install that version, or "
            "restore a backup from before the upgrade"
        )
    for path, text in scripts.once.items():
        if ledger.get(path, _digest(text)) != _digest(text):
            raise ConfigError(f"{path} was changed after it was applied; add a numbered migration instead")
    return {path: text for path, text in scripts.once.items() if path not in ledger}


def _changed(ledger: Mapping[str, str], scripts: Scripts) -> dict[str, str]:
    """Return the routines that the ledger lacks or has with another text."""
    return {path: text for path, text in scripts.repeatable.items() if ledger.get(path) != _digest(text)}


def _apply_routines(cursor: Cursor, routines: Mapping[str, str]) -> None:
    """Apply routines in any order: a file that needs what another one creates is tried again after it."""
    waiting = dict(routines)
    while waiting:
        failures: dict[str, psycopg2.Error] = {}
        for path, text in waiting.items():
            cursor.execute("savepoint routine")
            try:
                cursor.execute(text)
            except (psycopg2.errors.UndefinedFunction, psycopg2.errors.UndefinedTable) as error:
                cursor.execute("rollback to savepoint routine")
                failures[path] = error
            else:
                cursor.execute("release savepoint routine")
                _record(cursor, path, _digest(text))
        if len(failures) == len(waiting):
            path, failure = next(iter(failures.items()))
            raise ConfigError(f"{path} needs what no SQL file creates: {failure.diag.message_primary}")
        waiting = {path: waiting[path] for path in failures}


def _definitions(cursor: Cursor, scripts: Scripts) -> dict[str, str]:
    """Return what the database holds of the schemas that have routines: functions, views and triggers."""
    schemas = sorted({path.split("/")[1] for path in scripts.repeatable})
    cursor.execute(_DEFINITIONS, {"schemas": schemas})
    definitions = dict(cursor.fetchall())
    cursor.execute("set local search_path to default")
    return definitions


def _written(cursor: Cursor, scripts: Scripts) -> set[tuple[str, str, str]]:
    cursor.execute(_WRITTEN, {"schemas": sorted({path.split("/")[1] for path in scripts.repeatable})})
    return set(cursor.fetchall())


def _digest_of(definitions: Mapping[str, str]) -> str:
    return _digest(";".join(definitions.values()))


def _ledger(cursor: Cursor) -> dict[str, str]:
    cursor.execute("select name, digest from public.oncehub_migration")
    return dict(cursor.fetchall())


def _record(cursor: Cursor, name: str, digest: str) -> None:
    cursor.execute(
        "insert into public.oncehub_migration (name, digest) values (%s, %s) "
        "on conflict (name) do update set digest = excluded.digest, applied_at = now()",
        (name, digest),
    )


def _read(folder: Traversable, prefix: str) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=_name)
    return {f"{prefix}/{file.name}": file.read_text("utf-8") for file in files}


def _name(file: Traversable) -> str:
    return file.name


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
