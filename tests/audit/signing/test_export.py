"""The exported log: files that only grow, and each way of bending them told by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from oncehub.audit.log.hashing import leaf_hash
from oncehub.audit.signing.anchors import anchor_place, read_anchors
from oncehub.audit.signing.archive_verification import verify_archive
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.export import export, lines_path
from oncehub.audit.signing.keys import raw_keys, signing_key
from oncehub.audit.signing.line_proofs import line_proofs
from oncehub.audit.signing.verification import Finding, Verification
from oncehub.audit.tlog.notes import NotGenuine
from oncehub.audit.tlog.proofs import Proof, commitment
from oncehub.audit.tlog.tiles import entries_of, tile_path
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.store.connection import Connection

from ..conftest import ENTRY, add_lines

Edit = Callable[[list[bytes]], list[bytes]]


@pytest.fixture
def folder(settings: Settings, database: Connection, tmp_path: Path) -> Path:
    """An exported log of 258 and then 260 lines, with its lines."""
    folder = tmp_path / "log"
    for first, lines in ((0, 258), (258, 2)):
        add_lines(database, lines, first=first)
        write_checkpoints(settings)
        export(settings, folder, with_lines=True)
    return folder


def verified(settings: Settings, folder: Path) -> Verification:
    key = signing_key(settings.home)
    return verify_archive(folder, {key.id: key.private}, read_anchors(anchor_place(settings)))


def edit(folder: Path, change: Edit) -> None:
    path = folder / lines_path(1)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def told(finding: Finding) -> tuple[str, int | None, int | None]:
    return finding.what, finding.position, finding.entry_id


def test_an_unaltered_export_is_genuine_without_the_database(settings: Settings, folder: Path) -> None:
    outcome = verified(settings, folder)
    assert (outcome.findings, outcome.lines, outcome.anchored, outcome.waiting) == ([], 260, 2, 0)
    held = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert held == {
        "checkpoint", "tile/0/000", "tile/0/001.p/2", "tile/0/001.p/4", "tile/1/000.p/1", "tile/entries/000",
        "tile/entries/001.p/2", "tile/entries/001.p/4", "confidential/lines/000.jsonl",
        "confidential/lines/001.jsonl",
    }  # fmt: skip
    assert (folder / lines_path(0)).stat().st_mode & 0o777 == 0o600


def test_what_is_published_tells_nothing_of_a_line(settings: Settings, folder: Path, tmp_path: Path) -> None:
    export(settings, tmp_path / "published")
    shutil.rmtree(folder / "confidential")
    published = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    lines = [
        text for text in (str(ENTRY.person), ENTRY.agency, ENTRY.agreement) if text.encode() in published
    ]
    assert lines == []
    # Two lines that say the same are two entries that have nothing in common.
    entries = entries_of((tmp_path / "published" / tile_path("entries", 0)).read_bytes())
    assert len({*entries}) == 256


def test_a_repeat_writes_nothing_and_a_killed_export_is_completed(
    settings: Settings, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert export(settings, folder, with_lines=True).files == 0
    kept = read_anchors(anchor_place(settings))
    other, left = tmp_path / "killed", 5

    def killed(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt

    monkeypatch.setattr("oncehub.files.os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        export(settings, other)
    monkeypatch.undo()
    assert not (other / "checkpoint").exists()
    assert read_anchors(anchor_place(settings)) == kept
    assert export(settings, other).size == 260
    assert verified(settings, other).genuine


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda lines: [lines[0], lines[1].replace(b'"G01"', b'"G02"'), *lines[2:]], [("changed", 258, 258)]),
        (lambda lines: [line.replace(b'"G01"', b'"G02"') for line in lines[:2]] + lines[2:],
         [("changed", 257, 257), ("changed", 258, 258)]),
        (lambda lines: [lines[0], *lines[2:]], [("removed", 258, None)]),
        (lambda lines: [*lines, lines[0].replace(b'"index":256', b'"index":999')], [("inserted", 1000, 257)]),
        (lambda lines: [lines[1], lines[0], *lines[2:]], [("reordered", 257, 257)]),
        (lambda lines: [lines[0].replace(b'"index":256', b'"index":257'), *lines[2:]],
         [("removed", 257, None), ("reordered", 258, 257)]),
        (lambda lines: [lines[0].replace(b'"salt":"', b'"salt":"00'), *lines[1:]], [("changed", 257, 257)]),
        (lambda lines: [b" " + lines[0], *lines[1:]], [("changed", None, None), ("removed", 257, None)]),
    ],
)  # fmt: skip
def test_each_bent_line_is_named(
    settings: Settings, folder: Path, change: Edit, what: list[tuple[str, int | None, int | None]]
) -> None:
    edit(folder, change)
    assert [told(finding) for finding in verified(settings, folder).findings] == what


def test_an_end_that_was_cut_off_is_named(settings: Settings, database: Connection, folder: Path) -> None:
    kept = shutil.copytree(folder, folder.with_name("earlier"))
    add_lines(database, 1, first=300)
    write_checkpoints(settings)
    export(settings, folder, with_lines=True)
    (cut,) = verified(settings, kept).findings
    assert str(cut) == "cut off: checkpoint 3: the checkpoints from here to 3 were made and are not there"
    (kept / "checkpoint").replace(folder / "checkpoint")
    assert {"cut off", "inserted"} <= {finding.what for finding in verified(settings, folder).findings}


def test_a_folder_of_another_log_or_history_is_refused_and_left_as_it_is(
    settings: Settings, database: Connection, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="has lines for an auditor"):
        export(settings, folder)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "checkpoint").write_text("nonsense", "utf-8")
    with pytest.raises(ConfigError, match="is no signed note"):
        export(settings, tmp_path / "broken")
    with database, database.cursor() as cursor:
        # The database is put back to an earlier state, and goes on otherwise.
        cursor.execute("""
            set local session_replication_role = replica;
            delete from audit.checkpoint where number = 2;
            delete from audit.leaf where index >= 258;
            delete from audit.entry where entry_id > 258;
        """)
    anchor_place(settings).unlink()
    add_lines(database, 3, first=400)
    write_checkpoints(settings, anchor_anew=True)
    before = (folder / "checkpoint").read_bytes()
    with pytest.raises(ConfigError, match="tree of 260 entries is not the beginning of this database's"):
        export(settings, folder, with_lines=True)
    assert (folder / "checkpoint").read_bytes() == before


def test_a_proof_of_a_line_holds_without_the_hub_and_for_that_line_alone(
    settings: Settings, database: Connection, folder: Path
) -> None:
    request = ENTRY.request_id
    (proof,) = line_proofs(settings, request)
    keys = raw_keys({"": signing_key(settings.home).private})
    read = Proof.parse(str(proof))
    assert (read, read.verify(keys).size) == (proof, 260)
    assert orjson.loads(read.line)["request_id"] == str(request)
    tile = (folder / tile_path(0, 0)).read_bytes()
    assert tile[32 * read.index :][:32] == leaf_hash(commitment(read.salt, read.line))
    for bent in (
        replace(read, line=read.line.replace(b"G01", b"G02")),
        replace(read, salt=bytes(32)),
        replace(read, index=read.index + 1),
        replace(read, note=read.note.replace("\n260\n", "\n261\n")),
    ):
        with pytest.raises(NotGenuine):
            Proof.parse(str(bent)).verify(keys)
    with pytest.raises(NotGenuine, match="not trusted"):
        read.verify([bytes(32)])
    with database:
        database.cursor().execute(
            "set local session_replication_role = replica; update audit.entry set agency = 'G02'"
        )
    with pytest.raises(Exception, match="does not say what was signed"):
        line_proofs(settings, request)


def test_a_line_that_waits_or_that_nobody_wrote_has_no_proof(
    settings: Settings, database: Connection
) -> None:
    with pytest.raises(ConfigError, match="has no line of the request"):
        line_proofs(settings, ENTRY.request_id)
    add_lines(database, 1, first=ENTRY.request_id.int)
    with pytest.raises(ConfigError, match="waits for its checkpoint"):
        line_proofs(settings, ENTRY.request_id)
