from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2.errors
import pytest
from psycopg2.extensions import make_dsn, parse_dsn

from oncehub.audit.log.entries import write
from oncehub.audit.signing.anchors import anchor_place, read_anchors, write_anchors
from oncehub.audit.signing.checkpoints import (
    LINES,
    sign_batch,
    unsigned_seconds,
    write_checkpoints,
)
from oncehub.audit.signing.keys import raw_keys, signing_key, trusted_keys
from oncehub.audit.signing.verification import verify_database
from oncehub.audit.tlog.notes import Checkpoint, NoteKey, read_checkpoint
from oncehub.audit.tlog.tree import EMPTY_ROOT
from oncehub.errors import ConfigError, RunBusy, StoreError
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect, locked
from oncehub.store.migrate import hub_scripts, migrate

from ..conftest import ENTRY, add_lines


def notes(database: Connection) -> list[str]:
    with database, database.cursor() as cursor:
        cursor.execute("select note from audit.checkpoint order by number")
        return [note for (note,) in cursor.fetchall()]


def signing(settings: Settings) -> NoteKey:
    return signing_key(settings.home).named(settings.audit_origin)


def anchor(path: Path, number: int, checkpoint: Checkpoint) -> None:
    write_anchors(path, {number: str(checkpoint.sign(NoteKey.of(checkpoint.origin, b"k" * 32)))})


def test_what_is_logged_is_signed_once_chained_and_anchored(settings: Settings, database: Connection) -> None:
    add_lines(database, 3)
    first = write_checkpoints(settings)
    add_lines(database, 2)
    second = write_checkpoints(settings)
    assert (first.checkpoints, first.lines, second.checkpoints, second.lines, second.last) == (1, 3, 1, 2, 2)
    assert write_checkpoints(settings) == second.__class__(0, 0, 2, 5, 0.0, 0)

    key = signing_key(settings.home)
    signed = [read_checkpoint(note, raw_keys({key.id: key.private}))[0] for note in notes(database)]
    assert [(each.origin, each.size) for each in signed] == [
        (settings.audit_origin, 3),
        (settings.audit_origin, 5),
    ]
    assert read_anchors(anchor_place(settings)).heads == {1: signed[0].text, 2: signed[1].text}


def test_a_line_of_an_open_transaction_is_signed_after_it_is_committed(
    settings: Settings, database: Connection
) -> None:
    assert settings.database_url
    slow = connect(settings.database_url)
    write(slow, ENTRY)
    add_lines(database, 2)
    assert write_checkpoints(settings).lines == 0
    assert unsigned_seconds(database) > 0
    slow.commit()
    add_lines(database, 1)
    assert write_checkpoints(settings).lines == 4
    slow.close()
    with database, database.cursor() as cursor:
        cursor.execute("select array_agg(entry_id order by index) from audit.leaf")
        ((entries,),) = cursor.fetchall()
    # In the order in which the transactions began to write.
    assert entries == [1, 2, 3, 4]


def test_a_transaction_that_was_rolled_back_leaves_no_gap_in_the_checkpoints(
    settings: Settings, database: Connection
) -> None:
    write(database, ENTRY)
    database.rollback()
    add_lines(database, 1)
    assert write_checkpoints(settings).lines == 1
    key = signing_key(settings.home)
    assert verify_database(database, {key.id: key.private}, read_anchors(anchor_place(settings))).genuine


def test_a_batch_ends_between_transactions(settings: Settings, database: Connection) -> None:
    add_lines(database, 2)
    with database:
        for _ in range(3):
            write(database, ENTRY)
    add_lines(database, 1)
    assert [sign_batch(database, signing(settings), lines=3) for _ in range(3)] == [5, 1, 0]
    assert LINES > 3
    key = signing_key(settings.home)
    assert verify_database(database, {key.id: key.private}, None).genuine


def test_what_a_kill_left_unanchored_is_anchored_by_the_next_signing(
    settings: Settings, database: Connection
) -> None:
    add_lines(database, 1)
    sign_batch(database, signing(settings))
    assert read_anchors(anchor_place(settings)).heads == {}
    assert write_checkpoints(settings).checkpoints == 0
    assert list(read_anchors(anchor_place(settings)).heads) == [1]


def test_half_a_line_in_the_anchor_is_written_again(settings: Settings, database: Connection) -> None:
    path = anchor_place(settings)
    add_lines(database, 1)
    write_checkpoints(settings)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert read_anchors(path).heads == {}
    write_checkpoints(settings)
    assert path.read_bytes() == whole


def test_an_anchor_that_contradicts_itself_is_no_anchor(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    anchor(path, 1, Checkpoint("a", 0, EMPTY_ROOT))
    anchor(path, 1, Checkpoint("b", 0, EMPTY_ROOT))
    with pytest.raises(
        ConfigError, match=r"heads\.jsonl:2: .*checkpoint 1 is another one in an earlier line"
    ):
        read_anchors(path)
    path.write_text('{"checkpoint":1,"head":"00"}\n', "utf-8")
    with pytest.raises(ConfigError, match="before the log became one tree; move the file away"):
        read_anchors(path)
    path.write_text("nonsense\n", "utf-8")
    with pytest.raises(ConfigError, match=r"heads\.jsonl:1: is no anchor"):
        read_anchors(path)


def test_only_one_process_checkpoints(settings: Settings, database: Connection) -> None:
    with locked(database, "checkpoint"), pytest.raises(RunBusy, match="another process"):
        write_checkpoints(settings)


@pytest.mark.parametrize(
    "statement",
    [
        "update audit.checkpoint set number = 9",
        "delete from audit.checkpoint",
        "truncate audit.checkpoint cascade",
        "update audit.leaf set salt = salt",
        "delete from audit.subtree",
        "truncate audit.attestation",
    ],
)
def test_checkpoints_are_insert_only(settings: Settings, database: Connection, statement: str) -> None:
    add_lines(database, 1)
    write_checkpoints(settings)
    with pytest.raises(psycopg2.errors.RaiseException, match="insert only"), database:
        database.cursor().execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from audit.checkpoint",
        "insert into audit.checkpoint values (9, 1, decode(repeat('00', 32), 'hex'), '', '0')",
        "select * from audit.leaf",
        "select * from audit.subtree",
        "insert into audit.attestation values (1, 'timestamp', 'me', '')",
    ],
)
def test_the_api_may_neither_read_nor_make_checkpoints(
    settings: Settings, database: Connection, statement: str
) -> None:
    assert settings.database_url
    api = connect(settings.database_url, role="oncehub_api")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), api:
        api.cursor().execute(statement)
    api.close()


def test_a_file_without_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    for content in ("", "{}", '{"keys": [{"kty": "OKP"}]}', '{"keys": 3}'):
        path.write_text(content, "utf-8")
        with pytest.raises(ConfigError, match="is no JWK set"):
            trusted_keys(path)


def test_the_login_that_signs_reads_the_log_and_adds_checkpoints_and_no_more(
    settings: Settings, database: Connection
) -> None:
    add_lines(database, 3)
    assert settings.database_url
    parts = parse_dsn(settings.database_url)
    signing = replace(settings, signing_database_url=make_dsn(**{**parts, "user": "oncehub_signing"}))
    assert write_checkpoints(signing).lines == 3
    with database, database.cursor() as cursor:
        cursor.execute(
            "select array_agg(distinct table_schema || '.' || table_name || ' ' || privilege_type) "
            "from information_schema.role_table_grants where grantee = 'oncehub_signing'"
        )
        assert cursor.fetchone() == (
            [
                "audit.attestation INSERT",
                "audit.attestation SELECT",
                "audit.checkpoint INSERT",
                "audit.checkpoint SELECT",
                "audit.entry SELECT",
                "audit.leaf INSERT",
                "audit.leaf SELECT",
                "audit.purge SELECT",
                "audit.purge_signature INSERT",
                "audit.purge_signature SELECT",
                "audit.subtree INSERT",
                "audit.subtree SELECT",
                "hub.history SELECT",
                "hub.key SELECT",
                "public.oncehub_migration SELECT",
            ],
        )
    with closing(connect(str(signing.signing_database_url))) as login, login.cursor() as cursor:
        cursor.execute("select current_user, usesuper from pg_user where usename = current_user")
        assert cursor.fetchone() == ("oncehub_signing", False)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("select * from truth.person")


def test_signing_reads_no_more_of_the_tree_than_its_edge_and_signs_nothing_after_a_bent_one(
    settings: Settings, database: Connection
) -> None:
    add_lines(database, 300)
    assert sign_batch(database, signing(settings), lines=300) == 300
    add_lines(database, 260, first=300)
    with database, database.cursor() as cursor:
        # Beyond the edge: what is signed already is not read again.
        cursor.execute("set session_replication_role = replica")
        cursor.execute(
            "update audit.checkpoint set commitments = set_byte(commitments, 5, 0) where number = 1"
        )
        cursor.execute("set session_replication_role = origin")
    assert sign_batch(database, signing(settings), lines=260) == 260
    add_lines(database, 1, first=600)
    with database, database.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute("update audit.subtree set hash = set_byte(hash, 0, (get_byte(hash, 0) + 1) % 256)")
        cursor.execute("set session_replication_role = origin")
    with pytest.raises(StoreError, match="is not the one of checkpoint 2: it was altered"):
        sign_batch(database, signing(settings))


def test_a_log_keeps_its_name(settings: Settings, database: Connection) -> None:
    add_lines(database, 1)
    write_checkpoints(settings)
    add_lines(database, 1, first=1)
    with pytest.raises(ConfigError, match="ONCEHUB_AUDIT_ORIGIN names it another"):
        write_checkpoints(replace(settings, audit_origin="another"))


def test_a_log_that_was_signed_in_batches_becomes_one_tree(settings: Settings, database: Connection) -> None:
    add_lines(database, 3)
    baseline = hub_scripts().once["schema/audit.sql"]
    table = baseline[
        baseline.index("create table audit.checkpoint") : baseline.index("comment on table audit.checkpoint")
    ]
    batch = (
        "insert into audit.checkpoint values (1, '{1,2}', decode(repeat('00', 64), 'hex'), 'jws', '9', now())"
    )
    with database, database.cursor() as cursor:
        cursor.execute("drop table audit.attestation, audit.leaf, audit.subtree, audit.checkpoint cascade")
        cursor.execute(table)
        cursor.execute(batch)
        cursor.execute("delete from public.oncehub_migration where name ~ 'one_tree'")
    migrate(database)
    assert write_checkpoints(settings).lines == 3
    key = signing_key(settings.home)
    assert verify_database(database, {key.id: key.private}, None).genuine
    with database, database.cursor() as cursor:
        cursor.execute("select number, statement from audit.earlier_checkpoint")
        assert cursor.fetchall() == [(1, "jws")]
