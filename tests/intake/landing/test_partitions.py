from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect


def partitions(database: Connection, source: str) -> set[str]:
    with database, database.cursor() as cursor:
        cursor.execute("select record.attach_source(%s)", (source,))
        cursor.execute(
            "select inhparent::regclass::text from pg_inherits "
            "where inhrelid::regclass::text like %s and inhparent::regclass::text like 'record.%%'",
            (f"record.%\\_{source}",),
        )
        return {name for (name,) in cursor.fetchall()}


def test_a_source_gets_its_part_of_every_table_once(database: Connection) -> None:
    first = partitions(database, "tax")
    assert {"record.person", "record.document", "record.former_identifier"} <= first
    assert partitions(database, "tax") == first


def test_attaching_a_source_waits_for_no_batch_of_another(settings: Settings, database: Connection) -> None:
    partitions(database, "tax")
    assert settings.database_url is not None
    other = connect(settings.database_url)
    with other.cursor() as cursor:
        cursor.execute(
            "insert into record.person (source, stream, source_key, stated_at) "
            "values ('tax', 's', '1', now())"
        )
        with database.cursor() as waiting:
            waiting.execute("set lock_timeout = '2s'")
        assert partitions(database, "customs")
    other.close()
