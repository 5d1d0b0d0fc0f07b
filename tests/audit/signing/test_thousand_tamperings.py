"""A thousand random tamperings, half of them in the database and half in exported files: each is caught."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oncehub.audit.signing.anchors import anchor_place, read_anchors
from oncehub.audit.signing.archive_verification import verify_archive
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.export import export
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.verification import verify_database
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect

Fill = Callable[[int, int], None]

BATCHES, LINES = 6, 8
TAMPERINGS = 500

EARLIER = "44"
"""A partial tile that a longer one has followed: a log may leave it out."""

_LINE = (
    "transaction, client_id, agency, agreement, purpose, legal_basis, action, attributes, outcome, request_id"
)


class LogBender:
    """Bends the log in the database, in one random way at a time."""

    def __init__(self, owner: Connection, chance: random.Random) -> None:
        self._owner = owner
        self._chance = chance
        self._run("""
            set session_replication_role = replica;
            create table public.entry_before as table audit.entry;
            create table public.checkpoint_before as table audit.checkpoint;
            create table public.leaf_before as table audit.leaf;
        """)

    def restore(self) -> None:
        self._run("""
            truncate audit.entry, audit.checkpoint, audit.leaf, audit.subtree, audit.attestation;
            insert into audit.entry overriding system value table public.entry_before;
            insert into audit.checkpoint table public.checkpoint_before;
            insert into audit.leaf table public.leaf_before;
        """)

    def bend(self) -> str:
        """Bend something; return the statement that did."""
        way = self._chance.choice(
            [
                self._change,
                self._change,
                self._remove,
                self._insert,
                self._swap,
                self._cut,
                self._checkpoint,
                self._leaf,
            ]
        )
        statement = way()
        self._run(statement)
        return statement

    def _entry(self) -> int:
        return self._chance.randrange(1, BATCHES * LINES + 1)

    def _change(self) -> str:
        assignment = self._chance.choice([
            "agency = agency || ' '", "person = null", "at = at + interval '1 microsecond'",
            "attributes = attributes || attributes[1]", "attributes = '{}'", "outcome = 'not_found'",
            "purpose = upper(purpose)", "refused = '{x}'", "request_id = gen_random_uuid()",
            "legal_basis = normalize(legal_basis, NFD)", "client_id = ''", "procedure = '1.004222'",
            "person = overlay(person placing '0' from 9) || 'f'", "transaction = '7'", "action = 'feed'",
            "involvement = 'appeared'", "hidden_by = 'Luật'", "feed = 'residence'", "vouched_by = 'provider'",
            "feed = 'residence', first_sequence = 1, last_sequence = 2, given = ''",
        ])  # fmt: skip
        return f"update audit.entry set {assignment} where entry_id = {self._entry()}"

    def _remove(self) -> str:
        first = self._entry()
        return (
            f"delete from audit.entry where entry_id between {first} and {first + self._chance.randrange(4)}"
        )

    def _insert(self) -> str:
        number = self._chance.choice([1000, -1, BATCHES * LINES + 1])
        age = self._chance.choice(["0", "1 hour", "1 day"])
        # Beside signed lines, or as a new one that pretends to be old.
        transaction, age = self._chance.choice([("transaction", age), ("pg_current_xact_id()", "1 hour")])
        return f"""
            insert into audit.entry (entry_id, at, {_LINE}) overriding system value
            select {number}, at - interval '{age}', {_LINE.replace("transaction", transaction, 1)}
            from audit.entry where entry_id = {self._entry()}
        """

    def _swap(self) -> str:
        one, other = self._chance.sample(range(1, BATCHES * LINES + 1), 2)
        return f"""
            update audit.entry one set person = other.person, request_id = other.request_id
            from audit.entry other
            where (one.entry_id, other.entry_id) in (({one}, {other}), ({other}, {one}))
        """

    def _cut(self) -> str:
        last = self._chance.randrange(BATCHES)
        return f"""
            delete from audit.entry where entry_id > {last * LINES};
            delete from audit.leaf where entry_id > {last * LINES};
            delete from audit.checkpoint where number > {last};
        """

    def _checkpoint(self) -> str:
        number = self._chance.randrange(1, BATCHES + 1)
        place = self._chance.randrange(1, LINES)
        change = self._chance.choice([
            f"commitments = set_byte(commitments, {place}, (get_byte(commitments, {place}) + 1) % 256)",
            "commitments = substr(commitments, 33) || substr(commitments, 1, 32)",
            "commitments = substr(commitments, 33)",
            "size = size + 1000",
            "note = reverse(note)",
            f"note = overlay(note placing 'A' from 30) || '{place}'",
            "note = replace(note, chr(10) || size || chr(10), chr(10) || size + 1 || chr(10))",
            "horizon = (horizon::text::bigint - 1)::text::xid8",
            f"note = (select note from audit.checkpoint where number = {number % BATCHES + 1})",
        ])  # fmt: skip
        if self._chance.random() < 0.2:
            return f"delete from audit.checkpoint where number = {number}"
        return f"update audit.checkpoint set {change} where number = {number}"

    def _leaf(self) -> str:
        one, other = self._chance.sample(range(BATCHES * LINES), 2)
        return self._chance.choice(
            [
                f"update audit.leaf set salt = sha256(salt) where index = {one}",
                f"delete from audit.leaf where index = {one}",
                f"insert into audit.leaf values ({1000 + one}, {1000 + one}, sha256(''))",
                f"insert into audit.subtree values (1, {one}, sha256(''))",
                f"""
                update audit.leaf set entry_id = -entry_id where index in ({one}, {other});
                update audit.leaf one set entry_id = -other.entry_id, salt = other.salt
                from audit.leaf other where (one.index, other.index) in (({one}, {other}), ({other}, {one}));
            """,
            ]
        )

    def _run(self, statement: str) -> None:
        with self._owner, self._owner.cursor() as cursor:
            cursor.execute(statement)


@pytest.fixture
def owner(settings: Settings) -> Iterator[Connection]:
    assert settings.database_url
    connection = connect(settings.database_url)
    yield connection
    connection.close()


def test_each_of_five_hundred_random_tamperings_in_the_database_is_caught(
    settings: Settings, database: Connection, signed_log: Fill, owner: Connection
) -> None:
    signed_log(BATCHES, LINES)
    write_checkpoints(settings)
    key = signing_key(settings.home)
    trusted, anchors = {key.id: key.private}, read_anchors(anchor_place(settings))
    bender = LogBender(owner, random.Random(1))
    missed = []
    for _ in range(TAMPERINGS):
        bender.restore()
        statement = bender.bend()
        if verify_database(database, trusted, anchors).genuine:
            missed.append(statement)
    assert missed == []
    bender.restore()
    assert verify_database(database, trusted, anchors).genuine


def bend_file(folder: Path, path: Path, chance: random.Random) -> str:
    """Change, remove, insert or reorder something in a file of an exported log; return what was done."""
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    place = chance.randrange(len(content))
    way = chance.choice(["flip", "flip", "cut", "double", "drop", "swap", "leave out", "add", "replace"])
    if way == "flip":
        content = (
            content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]
        )
    elif way == "cut":
        content = content[:place]
    elif way == "double":
        content = b"".join(lines + lines[-1:])
    elif way == "drop":
        del lines[chance.randrange(len(lines))]
        content = b"".join(lines)
    elif way == "swap" and len({*lines}) > 1:
        one, other = chance.choice(
            [(one, other) for one in range(len(lines)) for other in range(one) if lines[one] != lines[other]]
        )
        lines[one], lines[other] = lines[other], lines[one]
        content = b"".join(lines)
    elif way == "replace" and (others := [each for each in files(folder) if each.read_bytes() != content]):
        content = chance.choice(others).read_bytes()
    elif way == "leave out" and path.name != EARLIER:
        path.unlink()
        return f"{way} {path}"
    else:
        path.with_name(f"{path.name}.more").write_bytes(content)
        return f"{way} {path}"
    path.write_bytes(content)
    return f"{way} {path} at {place}"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_each_of_five_hundred_random_tamperings_in_exported_files_is_caught(
    settings: Settings, signed_log: Fill, tmp_path: Path
) -> None:
    folder, whole = tmp_path / "log", tmp_path / "whole"
    signed_log(1, 300)
    export(settings, whole, with_lines=True)
    signed_log(1, 10)
    export(settings, whole, with_lines=True)
    key = signing_key(settings.home)
    trusted, anchors = {key.id: key.private}, read_anchors(anchor_place(settings))
    assert verify_archive(whole, trusted, anchors).genuine
    chance = random.Random(1)
    missed = []
    for _ in range(TAMPERINGS):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        # Of the few files the checkpoint as often as all others.
        path = chance.choice([folder / "checkpoint", chance.choice(files(folder))])
        done = bend_file(folder, path, chance)
        if verify_archive(folder, trusted, anchors).genuine:
            missed.append(done)
    assert missed == []
