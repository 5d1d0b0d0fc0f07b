import time
from pathlib import Path

import psycopg2.errors
import pytest
from joserfc.jwk import ECKey, OKPKey
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extras import Json

from oncehub.config.entities import load_entities
from oncehub.errors import ConfigError, StoreOutdated, StoreUnavailable
from oncehub.settings import Settings
from oncehub.share.clients.keys import read_public_key
from oncehub.store.connection import connect, locked, opened
from oncehub.store.migrate import initialise, migrate, migrations, require_current

HOUSEKEEPING = {"source", "stream", "source_key", "name_key", "stated_at", "received_at", "deleted_at"}
TRUTH_HOUSEKEEPING = {"person_key", "name_key", "provenance", "believed_from"}


def columns(database: Connection, schema: str, table: str) -> dict[str, str]:
    with database.cursor() as cursor:
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            (f"{schema}.{table}",),
        )
        return dict(cursor.fetchall())


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
        cursor.execute("delete from public.oncehub_migration where name = '0001_text.sql'")
    with pytest.raises(StoreOutdated, match=r"0001_text.sql first.*oncehub init"), opened(settings):
        pass


def test_a_migration_changed_after_it_was_applied_is_refused(database: Connection) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("update public.oncehub_migration set digest = 'other' where name = '0001_text.sql'")
    with pytest.raises(ConfigError, match=r"0001_text.sql was changed"):
        migrate(database)


def test_no_database_is_one_clear_line_without_credentials(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not answer") as caught:
        connect(f"postgresql://someone:hush@/none?host={tmp_path}")
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("password", ["hush/x", "x@hush:hush", "x@hush", "%zzhush"])
def test_no_part_of_an_unescaped_password_is_told(password: str) -> None:
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


def test_a_lock_is_held_once_and_goes_with_its_session(settings: Settings, database: Connection) -> None:
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


def test_clients_registered_with_one_key_keep_it(settings: Settings) -> None:
    jwks = [
        OKPKey.generate_key("Ed25519").as_dict(private=False),
        ECKey.generate_key("P-256").as_dict(private=False),
    ]
    name = "0034_client_keys.sql"
    with connect(str(settings.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("drop table share.consumer_key, share.token_key")
        cursor.execute("alter table share.consumer add column public_key jsonb not null")
        for number, jwk in enumerate(jwks):
            cursor.execute(
                "insert into share.consumer (client_id, agreement, public_key) values (%s, 'a', %s)",
                (str(number), Json(jwk | {"kid": "own name", "use": "sig"})),
            )
        cursor.execute(migrations()[name])
        cursor.execute(
            "select thumbprint, valid_from <= now() and valid_until > now() from share.consumer_key "
            "order by client_id"
        )
        assert cursor.fetchall() == [(read_public_key(dict(jwk)).thumbprint(), True) for jwk in jwks]
