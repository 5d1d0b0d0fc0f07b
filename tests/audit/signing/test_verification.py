"""Each way of bending the log in the database, told by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from oncehub.audit.signing.anchors import Anchors, anchor_place, read_anchors
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.findings import Finding, Verification
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.verification import verify_database
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect

from ..conftest import add_lines

Fill = Callable[[int, int], None]
Bend = Callable[[str], list[Finding]]


@pytest.fixture
def owner(settings: Settings) -> Iterator[Connection]:
    """Somebody who owns the database and whom no trigger stops."""
    assert settings.database_url
    connection = connect(settings.database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
    yield connection
    connection.close()


@pytest.fixture
def bend(settings: Settings, database: Connection, signed_log: Fill, owner: Connection) -> Bend:
    """Checkpoint three batches of four lines, numbered 1 to 12, run a statement, and return what is found."""
    signed_log(3, 4)
    write_checkpoints(settings)

    def run(statement: str) -> list[Finding]:
        with owner, owner.cursor() as cursor:
            cursor.execute(statement)
        return verified(settings, database).findings

    return run


def verified(settings: Settings, database: Connection, anchors: Anchors | None = None) -> Verification:
    key = signing_key(settings.home)
    return verify_database(database, {key.id: key.private}, anchors or read_anchors(anchor_place(settings)))


def waived(settings: Settings, database: Connection) -> Verification:
    key = signing_key(settings.home)
    return verify_database(database, {key.id: key.private}, None)


def told(finding: Finding) -> tuple[str, int | None, int | None, int | None]:
    return finding.what, finding.checkpoint, finding.position, finding.entry_id


def test_an_unaltered_log_is_genuine(settings: Settings, database: Connection, signed_log: Fill) -> None:
    signed_log(3, 4)
    add_lines(database, 2, first=100)
    write_checkpoints(settings)
    add_lines(database, 1, first=200)
    outcome = verified(settings, database)
    assert (outcome.genuine, outcome.checkpoints, outcome.lines, outcome.waiting, outcome.anchored) == (
        True, 4, 14, 1, 4
    )  # fmt: skip


@pytest.mark.parametrize(
    "assignment",
    [
        "person = null",
        "agency = 'G02'",
        "at = at - interval '1 second'",
        "attributes = attributes[:1]",
        "refused = array['person.sex']",
        "outcome = 'refused'",
        "request_id = gen_random_uuid()",
        "transaction = '3'",
    ],
)
def test_a_changed_line_is_named(bend: Bend, assignment: str) -> None:
    first = bend(f"update audit.entry set {assignment} where entry_id in (6, 11)")[0]
    assert told(first) == ("changed", 2, 2, 6)


def test_a_removed_line_is_named(bend: Bend) -> None:
    (only,) = bend("delete from audit.entry where entry_id = 7")
    assert told(only) == ("removed", 2, 3, 7)


def test_lines_whose_content_changed_places_are_named(bend: Bend) -> None:
    swap = """
        update audit.entry one set person = other.person, request_id = other.request_id
        from audit.entry other
        where (one.entry_id, other.entry_id) in ((6, 7), (7, 6))
    """
    assert told(bend(swap)[0]) == ("changed", 2, 2, 6)


def test_a_checkpoints_lines_put_in_another_order_are_named(bend: Bend) -> None:
    first, second = bend("""
        update audit.leaf one set entry_id = -other.entry_id, salt = other.salt
        from audit.leaf other where (one.index, other.index) in ((5, 6), (6, 5));
        update audit.leaf set entry_id = -entry_id where entry_id < 0
    """)
    assert [told(first), told(second)] == [("reordered", 2, 2, 7), ("reordered", 2, 3, 6)]


def test_a_line_slipped_in_below_the_checkpoints_is_named(bend: Bend) -> None:
    copied = """
        insert into audit.entry overriding system value
        select 99, at, client_id, agency, agreement, purpose, legal_basis, action, procedure, person,
            attributes, refused, outcome, request_id, transaction
        from audit.entry where entry_id = 6
    """
    (only,) = bend(copied)
    assert told(only) == ("inserted", None, None, 99)


def test_a_line_slipped_in_with_an_old_date_is_named_before_and_after_it_is_signed(
    bend: Bend, settings: Settings, database: Connection
) -> None:
    (waiting,) = bend("""
        insert into audit.entry (at, client_id, agency, agreement, purpose, legal_basis, action, attributes,
            outcome, request_id)
        select at - interval '1 day', client_id, agency, agreement, purpose, legal_basis, action, attributes,
            outcome, request_id
        from audit.entry where entry_id = 6
    """)
    assert told(waiting) == ("misdated", None, None, 13)
    write_checkpoints(settings)
    (signed,) = verified(settings, database).findings
    assert told(signed) == ("misdated", 4, 1, 13)


def test_a_removed_checkpoint_is_named(bend: Bend) -> None:
    first = bend("delete from audit.checkpoint where number = 2")[0]
    assert told(first)[:2] == ("removed", 2)


def test_an_end_that_was_cut_off_is_known_from_the_anchor(
    bend: Bend, settings: Settings, database: Connection
) -> None:
    cut = """
        delete from audit.checkpoint where number = 3;
        delete from audit.leaf where entry_id > 8;
        delete from audit.entry where entry_id > 8
    """
    (only,) = bend(cut)
    assert told(only)[:2] == ("cut off", 3)
    assert waived(settings, database).genuine


def test_a_log_signed_anew_after_it_was_bent_is_known_from_the_anchor(
    bend: Bend, settings: Settings, database: Connection
) -> None:
    bend(
        "delete from audit.checkpoint; delete from audit.leaf; "
        "update audit.entry set agency = 'G02' where entry_id = 6"
    )
    add_lines(database, 1, first=300)
    anchor_place(settings).rename(settings.home / "kept.jsonl")
    write_checkpoints(settings)
    anew = verified(settings, database, read_anchors(settings.home / "kept.jsonl"))
    assert told(anew.findings[0])[:2] == ("forged", 1)


def test_a_checkpoint_by_another_key_is_named(
    settings: Settings, database: Connection, signed_log: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_log(1, 2)
    trusted = signing_key(settings.home)
    monkeypatch.setenv("ONCEHUB_KEY_SIGNING", "A" * 43 + "=")
    add_lines(database, 2)
    write_checkpoints(settings, database, new_key=True)
    outcome = verify_database(database, {trusted.id: trusted.private}, None)
    assert told(outcome.findings[0])[:2] == ("forged", 2)
    other = signing_key(settings.home)
    both = {trusted.id: trusted.private, other.id: other.private}
    assert verify_database(database, both, None).genuine


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ("commitments = set_byte(commitments, 39, 255 - get_byte(commitments, 39))", "changed"),
        ("note = 'nonsense'", "forged"),
        ("note = note || 'A'", "forged"),
        ("note = note || '— a.example/b AAAAAAAA\n'", "forged"),
        ("horizon = '1'", "changed"),
        ("note = (select note from audit.checkpoint where number = 1)", "forged"),
        ("size = size + 100", "changed"),
    ],
)
def test_a_bent_checkpoint_is_named(bend: Bend, column: str, what: str) -> None:
    first = bend(f"update audit.checkpoint set {column} where number = 2")[0]
    assert told(first)[:2] == (what, 2)


def test_every_bent_line_is_named(bend: Bend) -> None:
    found = bend("update audit.entry set agency = 'G02' where entry_id in (2, 5, 6, 12)")
    assert [told(each) for each in found] == [
        ("changed", 1, 2, 2), ("changed", 2, 1, 5), ("changed", 2, 2, 6), ("changed", 3, 4, 12)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("update audit.leaf set salt = sha256('') where index = 5", ("changed", 2, 2, 6)),
        ("delete from audit.leaf where index = 5", ("removed", 2, 2, None)),
        ("insert into audit.leaf values (40, 40, sha256(''))", ("inserted", None, 41, 40)),
        ("insert into audit.subtree values (1, 0, sha256(''))", ("changed", None, None, None)),
        ("insert into audit.attestation values (9, 'timestamp', 'me', '')", ("inserted", 9, None, None)),
    ],
)
def test_what_is_bent_beside_the_checkpoints_is_named(
    bend: Bend, statement: str, what: tuple[str, int | None, int | None, int | None]
) -> None:
    assert told(bend(statement)[0]) == what


def test_a_bent_hash_above_the_entries_is_named(
    settings: Settings, database: Connection, owner: Connection
) -> None:
    add_lines(database, 260)
    write_checkpoints(settings)
    with owner, owner.cursor() as cursor:
        cursor.execute("update audit.subtree set hash = sha256('')")
    (only,) = verified(settings, database).findings
    assert "over the lines 1 to 256 is not that of the entries" in only.detail


def test_the_report_on_a_badly_altered_log_is_limited(bend: Bend) -> None:
    assert len(bend("update audit.entry set agency = 'G02'")) < 300
