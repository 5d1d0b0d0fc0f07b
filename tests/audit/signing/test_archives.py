"""Archives: the same bytes from the same checkpoints, and each way of bending files told by name."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from oncehub.audit.signing.anchors import Anchors, anchor_place, read_anchors
from oncehub.audit.signing.archive_verification import verify_archives
from oncehub.audit.signing.archives import export
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.verification import Finding, Verification
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.store.connection import Connection

from ..conftest import add_lines

Fill = Callable[[int, int], None]
Edit = Callable[[bytes], bytes | None]

LINES = "lines-000000000002.jsonl"


@pytest.fixture
def folder(settings: Settings, database: Connection, signed_log: Fill, tmp_path: Path) -> Path:
    """Archives of three checkpoints of four lines in one file, and of a fourth in another."""
    signed_log(3, 4)
    folder = tmp_path / "archives"
    export(settings, folder)
    add_lines(database, 2, first=100)
    write_checkpoints(settings)
    export(settings, folder)
    return folder


def verified(settings: Settings, folder: Path, anchors: Anchors | None = None) -> Verification:
    key = signing_key(settings.home)
    return verify_archives(folder, {key.id: key.private}, anchors or read_anchors(anchor_place(settings)))


def archives(folder: Path) -> list[Path]:
    return sorted(folder.glob("mlog-*.zip"), key=lambda path: path.stat().st_mtime_ns)


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def edit(path: Path, member: str, change: Edit) -> None:
    """Write an archive again with one member changed, or left out for None."""
    held = contents(path)
    held[member] = change(held.get(member, b""))  # type: ignore[assignment]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in held.items():
            if content is not None:
                archive.writestr(name, content)


def first(settings: Settings, folder: Path) -> Finding:
    """The first line that is named; what the linking says of its file comes with it."""
    findings = verified(settings, folder).findings
    assert any("archived" in finding.detail or "later" in finding.detail for finding in findings)
    return next(finding for finding in findings if finding.position)


def test_unaltered_archives_are_genuine_without_the_database(settings: Settings, folder: Path) -> None:
    outcome = verified(settings, folder)
    assert (outcome.genuine, outcome.checkpoints, outcome.lines) == (True, 4, 14)
    assert (outcome.anchored, outcome.waiting) == (4, 0)


def test_their_form_is_that_of_message_log_archives(folder: Path) -> None:
    one, two = archives(folder)
    assert re.fullmatch(r"mlog-\d{14}-\d{14}-[0-9a-f]{16}\.zip", one.name)
    digest, name, algorithm = contents(one)["linkinginfo"].decode().splitlines()[0].split(" ")
    assert (digest, name, algorithm) == ("-", "-", "SHA-256")
    before = ""
    for text in contents(one)["linkinginfo"].decode().splitlines()[1:]:
        digest, name = text.split(" ")
        own = sha256(contents(one)[name]).hexdigest()
        assert digest == sha256((before + own).encode()).hexdigest()
        before = digest
    assert one.name.endswith(f"-{before[:16]}.zip")
    assert contents(two)["linkinginfo"].decode().startswith(f"{before} {one.name} SHA-256\n")


def test_the_same_checkpoints_give_the_same_bytes(settings: Settings, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "again")
    (tmp_path / "again" / archives(folder)[1].name).unlink()
    report = export(settings, tmp_path / "again")
    assert (report.checkpoints, report.last, report.archives) == (1, 4, [archives(folder)[1].name])
    for path in archives(folder):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    assert export(settings, folder).archives == []


def test_a_changed_line_is_named(settings: Settings, folder: Path) -> None:
    edit(archives(folder)[0], LINES, lambda text: text.replace(b'"G01"', b'"G02"', 1))
    found = first(settings, folder)
    assert (found.what, found.checkpoint, found.position, found.entry_id) == ("changed", 2, 1, 5)


def test_a_removed_line_is_named(settings: Settings, folder: Path) -> None:
    edit(archives(folder)[0], LINES, lambda text: b"".join(text.splitlines(keepends=True)[:2]))
    found = first(settings, folder)
    assert (found.what, found.checkpoint, found.position) == ("removed", 2, 3)


def test_an_inserted_line_is_named(settings: Settings, folder: Path) -> None:
    edit(archives(folder)[0], LINES, lambda text: text.replace(b"\n", b'\n{"entry_id":77}\n', 1))
    found = first(settings, folder)
    assert (found.what, found.checkpoint, found.position, found.entry_id) == ("inserted", 2, 2, 77)


def test_reordered_lines_are_named(settings: Settings, folder: Path) -> None:
    edit(archives(folder)[0], LINES, lambda text: b"".join(sorted(text.splitlines(keepends=True))[::-1]))
    found = first(settings, folder)
    assert (found.what, found.checkpoint, found.position) == ("reordered", 2, 1)


def test_a_member_added_or_left_out_is_named(settings: Settings, folder: Path) -> None:
    edit(archives(folder)[0], "note.txt", lambda _: b"hello")
    assert "was given note.txt later" in str(verified(settings, folder).findings[0])
    edit(archives(folder)[0], "note.txt", lambda _: None)
    edit(archives(folder)[0], LINES, lambda _: None)
    assert any(f"lacks {LINES}" in str(finding) for finding in verified(settings, folder).findings)


def test_members_twice_too_large_or_between_others_stop_before_any_is_read(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = archives(folder)[0]
    whole = one.read_bytes()

    def said() -> str:
        (finding, *_) = verified(settings, folder).findings
        one.write_bytes(whole)
        return str(finding)

    with zipfile.ZipFile(one, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(LINES, b"another")
    assert f"it has {LINES} twice" in said()
    one.write_bytes(whole + b"more")
    assert "bytes after its members" in said()
    one.write_bytes(b"before" + whole)
    assert "bytes before checkpoint-000000000001.json" in said()
    with zipfile.ZipFile(one, "a") as archive:
        archive.comment = b"hello"
    assert "bytes after its members" in said()
    with zipfile.ZipFile(one, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lines-000000000009.jsonl", bytes(16 << 20))
    assert "lines-000000000009.jsonl expands to 16,777,216 bytes" in said()
    monkeypatch.setattr("oncehub.audit.signing.archives.MEMBER_BYTES", 100)
    assert "is too large" in said()
    monkeypatch.undo()
    with zipfile.ZipFile(one, "a") as archive:
        for number in range(200):
            archive.writestr(f"{number}", b"")
    assert "members, more than 201" in said()
    assert verified(settings, folder).genuine


def test_a_missing_archive_is_named(settings: Settings, folder: Path) -> None:
    one, two = archives(folder)
    kept = one.read_bytes()
    one.unlink()
    assert f"the archive {one.name} is not there" in str(verified(settings, folder).findings[0])
    one.write_bytes(kept)
    two.unlink()
    told = [finding.what for finding in verified(settings, folder).findings]
    assert told == ["removed", "cut off"]


def test_a_broken_archive_is_named(settings: Settings, folder: Path) -> None:
    _, two = archives(folder)
    two.write_bytes(two.read_bytes()[:100])
    assert f"{two.name} cannot be read" in str(verified(settings, folder).findings[0])
    with pytest.raises(ConfigError, match="keep only whole archives"):
        export(settings, folder)


def test_a_folder_without_archives_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no archive"):
        verified(settings, tmp_path)


def test_a_kill_leaves_no_half_archive(
    settings: Settings, signed_log: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_log(1, 2)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("oncehub.files.os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        export(settings, tmp_path / "archives")
    monkeypatch.undo()
    assert archives(tmp_path / "archives") == []
    assert export(settings, tmp_path / "archives").checkpoints == 1
    assert verified(settings, tmp_path / "archives").genuine
