"""A thousand random tamperings, half of them in the database and half in the archives: each is caught."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oncehub.audit.signing.anchors import anchor_place, read_anchors
from oncehub.audit.signing.archive_verification import verify_archives
from oncehub.audit.signing.archives import export
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.verification import verify_database
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect

Fill = Callable[[int, int], None]

BATCHES, LINES = 6, 8
TAMPERINGS = 500

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
        """)

    def restore(self) -> None:
        self._run("""
            truncate audit.entry, audit.checkpoint;
            insert into audit.entry overriding system value table public.entry_before;
            insert into audit.checkpoint table public.checkpoint_before;
        """)

    def bend(self) -> str:
        """Bend something; return the statement that did."""
        way = self._chance.choice(
            [self._change, self._change, self._remove, self._insert, self._swap, self._cut, self._checkpoint]
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
            delete from audit.checkpoint where number > {last};
        """

    def _checkpoint(self) -> str:
        number = self._chance.randrange(1, BATCHES + 1)
        place = self._chance.randrange(1, LINES)
        change = self._chance.choice([
            f"leaves = set_byte(leaves, {place}, (get_byte(leaves, {place}) + 1) % 256)",
            f"entries[{place}:{place + 1}] = array[entries[{place + 1}], entries[{place}]]",
            "statement = reverse(statement)",
            f"statement = overlay(statement placing 'A' from 30) || '{place}'",
            "horizon = (horizon::text::bigint - 1)::text::xid8",
            f"statement = (select statement from audit.checkpoint where number = {number % BATCHES + 1})",
        ])  # fmt: skip
        if self._chance.random() < 0.2:
            return f"delete from audit.checkpoint where number = {number}"
        return f"update audit.checkpoint set {change} where number = {number}"

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
        assert verify_database(database, trusted, anchors).genuine
        statement = bender.bend()
        if verify_database(database, trusted, anchors).genuine:
            missed.append(statement)
    assert missed == []


def bend_archive(path: Path, chance: random.Random) -> str:
    """Change, remove, insert or reorder something in an archive, and zip it anew; return what was done."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(sorted(members))
    content = members[name]
    lines = content.splitlines(keepends=True)
    place = chance.randrange(len(content))
    way = chance.choice(["flip", "cut", "double", "drop", "swap", "leave out", "add"])
    if way == "flip":
        members[name] = (
            content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]
        )
    elif way == "cut":
        members[name] = content[:place]
    elif way == "double":
        members[name] = b"".join(lines + lines[-1:])
    elif way == "drop":
        del lines[chance.randrange(len(lines))]
        members[name] = b"".join(lines)
    elif way == "swap" and len(lines) > 1:
        one, other = chance.sample(range(len(lines)), 2)
        lines[one], lines[other] = lines[other], lines[one]
        members[name] = b"".join(lines)
    elif way == "leave out":
        del members[name]
    else:
        members[f"{name}.more"] = content
    with zipfile.ZipFile(path, "w") as archive:
        for member, changed in members.items():
            archive.writestr(member, changed)
    return f"{way} {name} at {place}"


def test_each_of_five_hundred_random_tamperings_in_the_archives_is_caught(
    settings: Settings, signed_log: Fill, tmp_path: Path
) -> None:
    folder = tmp_path / "archives"
    for _ in range(2):
        signed_log(BATCHES // 2, LINES)
        write_checkpoints(settings)
        export(settings, folder)
    key = signing_key(settings.home)
    trusted, anchors = {key.id: key.private}, read_anchors(anchor_place(settings))
    before = {path: path.read_bytes() for path in sorted(folder.glob("*.zip"))}
    assert verify_archives(folder, trusted, anchors).genuine
    chance = random.Random(1)
    missed = []
    for _ in range(TAMPERINGS):
        path = chance.choice(list(before))
        done = bend_archive(path, chance)
        if verify_archives(folder, trusted, anchors).genuine:
            missed.append(done)
        path.write_bytes(before[path])
    assert missed == []
