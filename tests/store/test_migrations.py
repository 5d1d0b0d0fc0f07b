import shutil
import time
from dataclasses import replace
from pathlib import Path

import psycopg2.errors
import pytest

from oncehub.config.entities import load_entities
from oncehub.errors import ConfigError, StoreOutdated, StoreUnavailable
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.store import migrate as migrate_module
from oncehub.store.connection import Connection, connect, locked
from oncehub.store.migrate import hub_scripts, migrate, opened, read_scripts, require_current
from tests.store.catalogue import snapshot

HOUSEKEEPING = {
    *("source", "stream", "source_key", "former_names", "stated_at", "received_at", "deleted_at"),
}
KEY_AS_IT_WAS_NOT = """
create or replace function truth.person_key(source text, stream text, source_key text) returns uuid
    language sql immutable strict parallel safe
    return '00000000-0000-0000-0000-000000000000'::uuid;
"""
TRUTH_HOUSEKEEPING = {"person_key", "provenance", "believed_from"}


def columns(database: Connection, schema: str, table: str) -> dict[str, str]:
    with database.cursor() as cursor:
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            (f"{schema}.{table}",),
        )
        return dict(cursor.fetchall())


def applied(database: Connection) -> set[str]:
    with database, database.cursor() as cursor:
        cursor.execute("select name from public.oncehub_migration")
        return {name for (name,) in cursor.fetchall()}


def key(database: Connection) -> str:
    with database, database.cursor() as cursor:
        cursor.execute("select truth.person_key('a', 'b', 'c')::text")
        return str(cursor.fetchone()[0])


def test_migrating_again_does_nothing(database: Connection) -> None:
    assert migrate(database) == []
    require_current(database)


def test_record_tables_equal_the_canonical_schemas(database: Connection, settings: Settings) -> None:
    for entity in load_entities(settings.schemas).values():
        held = {
            name: kind
            for name, kind in columns(database, "record", entity.name).items()
            if name not in HOUSEKEEPING
        }
        assert held == {part.name: part.database_type for part in entity.attributes.values()}, entity.name


def test_the_golden_record_has_every_attribute_of_a_person(database: Connection, settings: Settings) -> None:
    held = columns(database, "truth", "person")
    stated = load_entities(settings.schemas)["person"].attributes.values()
    assert {name: kind for name, kind in held.items() if name not in TRUTH_HOUSEKEEPING} == {
        part.name: part.database_type for part in stated
    }


def test_a_database_that_lacks_migrations_is_refused_with_the_way_out(
    settings: Settings, database: Connection
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("delete from public.oncehub_migration where name = 'schema/truth.sql'")
    with pytest.raises(StoreOutdated, match=r"schema/truth.sql first.*oncehub init"), opened(settings):
        pass


def test_a_database_that_a_later_version_migrated_is_refused_and_left_alone(
    settings: Settings, database: Connection
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into public.oncehub_migration (name, digest) values ('migrations/9999_later.sql', 'x')"
        )
    before = snapshot(database)
    with (
        pytest.raises(ConfigError, match=r"a later version .* \(migrations/9999_later.sql\)"),
        opened(settings),
    ):
        pass
    with pytest.raises(ConfigError, match="install that version, or restore a backup"):
        initialise(settings)
    assert snapshot(database) == before


def test_a_baseline_changed_after_it_was_applied_is_refused(database: Connection) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("update public.oncehub_migration set digest = 'other' where name = 'schema/truth.sql'")
    with pytest.raises(ConfigError, match=r"schema/truth.sql was changed"):
        migrate(database)


def test_initialising_again_changes_nothing(settings: Settings, database: Connection) -> None:
    before = snapshot(database)
    assert initialise(settings) == []
    assert snapshot(database) == before


def test_each_migration_has_a_number_of_its_own() -> None:
    numbers = [path.partition("/")[2][:4] for path in hub_scripts().once if path.startswith("migrations/")]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_every_file_is_applied(database: Connection) -> None:
    scripts = hub_scripts()
    assert {"schema/truth.sql", "routines/truth/merge_decisions.sql"} <= {*scripts.once, *scripts.repeatable}
    assert {*scripts.once, *scripts.repeatable} <= applied(database)


def test_a_routine_that_changed_is_applied_again_alone(database: Connection) -> None:
    path = "routines/truth/person_key.sql"
    scripts = hub_scripts()
    changed = replace(scripts, repeatable={**scripts.repeatable, path: KEY_AS_IT_WAS_NOT})
    with pytest.raises(StoreOutdated, match=rf"lacks 1 SQL files of this version \({path} first\)"):
        require_current(database, changed)
    assert migrate(database, changed) == [path]
    assert key(database) == "00000000-0000-0000-0000-000000000000"
    require_current(database, changed)
    assert migrate(database) == [path]
    assert key(database) != "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "edit",
    [
        KEY_AS_IT_WAS_NOT,
        "drop trigger link_override_applied on truth.link_override",
        "create or replace view truth.leading_number as select '' as personal_id, null::uuid as person_key",
        "create function truth.stray() returns int language sql return 1",
    ],
)
def test_a_definition_edited_in_the_database_is_put_right(database: Connection, edit: str) -> None:
    before = snapshot(database)
    with database, database.cursor() as cursor:
        cursor.execute(edit)
    assert snapshot(database) != before
    assert migrate(database) == list(hub_scripts().repeatable)
    assert migrate(database) == []
    with database, database.cursor() as cursor:
        # What no file creates, no file replaces: it is only looked at once.
        cursor.execute("drop function if exists truth.stray")
    assert snapshot(database) == before


def test_a_numbered_migration_is_applied_once_and_all_routines_after_it(
    database: Connection, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    shutil.copytree(Path(migrate_module.__file__).parent, folder)
    (folder / "migrations" / "0002_more.sql").write_text("alter table share.told_twice add column more text;")
    (folder / "migrations" / "0001_once.sql").write_text(
        "drop view if exists truth.leading_number; create table share.told_twice (id int);"
    )
    scripts = read_scripts(folder)
    with pytest.raises(StoreOutdated, match="lacks 2 SQL files"):
        require_current(database, scripts)
    assert migrate(database, scripts) == [
        "migrations/0001_once.sql",
        "migrations/0002_more.sql",
        *scripts.repeatable,
    ]
    assert columns(database, "share", "told_twice") == {"id": "integer", "more": "text"}
    assert columns(database, "truth", "leading_number") == {"personal_id": "text", "person_key": "uuid"}
    assert migrate(database, scripts) == []
    (folder / "migrations" / "0001_once.sql").write_text("select 1")
    with pytest.raises(ConfigError, match=r"migrations/0001_once.sql was changed after it was applied"):
        migrate(database, read_scripts(folder))


def test_a_migration_that_fails_leaves_the_database_as_it_was(database: Connection) -> None:
    before = snapshot(database)
    broken = replace(
        hub_scripts(), once={**hub_scripts().once, "migrations/0001_x.sql": "create table share.x (); x"}
    )
    with pytest.raises(psycopg2.errors.SyntaxError):
        migrate(database, broken)
    assert snapshot(database) == before


def test_routines_that_need_each_other_are_applied_in_any_order(database: Connection) -> None:
    both = {
        "routines/text/a.sql": "create function text.a() returns int language sql return text.b();",
        "routines/text/b.sql": "create function text.b() returns int language sql return 1;",
    }
    assert set(both) <= set(migrate(database, replace(hub_scripts(), repeatable=both)))
    with pytest.raises(ConfigError, match=r"routines/text/c.sql needs what no SQL file creates: .*text.none"):
        migrate(
            database,
            replace(
                hub_scripts(),
                repeatable={"routines/text/c.sql": both["routines/text/a.sql"].replace("b()", "none()")},
            ),
        )


def test_a_database_of_another_program_is_refused(database: Connection) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("drop table public.oncehub_migration")
    with pytest.raises(
        ConfigError, match=r"already exists, and this version did not create it; use an empty database"
    ):
        migrate(database)


def test_no_database_is_one_clear_line_without_credentials(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not answer") as caught:
        connect(f"postgresql://someone:hush@/none?host={tmp_path}")
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("password", ["hush/x", "x@hush:hush", "x@hush", "%zzhush"])
def test_no_part_of_an_unescaped_password_is_shown(password: str) -> None:
    with pytest.raises((StoreUnavailable, ConfigError), match="ONCEHUB_DATABASE_URL") as caught:
        connect(f"postgresql://someone:{password}@127.0.0.1:1/none")
    assert "hush" not in str(caught.value)


def test_the_access_log_takes_additions_only(database: Connection) -> None:
    for statement in (
        "update audit.entry set agency = 'x'",
        "delete from audit.entry",
        "truncate audit.entry",
    ):
        with (
            pytest.raises(psycopg2.errors.RaiseException, match="insert only"),
            database,
            database.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_a_lock_is_taken_once_and_ends_with_its_session(settings: Settings, database: Connection) -> None:
    assert settings.database_url is not None
    other = connect(settings.database_url)
    with locked(other, "sync tax") as first, locked(database, "sync tax") as second:
        assert (first, second) == (True, False)
        other.close()
    for _ in range(100):
        with locked(database, "sync tax") as third:
            if third:
                return
        # The server needs a moment to notice that a session has gone.
        time.sleep(0.05)
    raise AssertionError("the lock outlived its session")


def test_a_split_commune_keeps_all_its_successors(settings: Settings, database: Connection) -> None:
    initialise(settings)
    with database, database.cursor() as cursor:
        cursor.execute(
            "select present_unit, split from truth.unit_successor where former_unit = '00007' order by 1"
        )
        assert cursor.fetchall() == [("00008", True), ("00025", True)]
