"""Publishes the access log as files of C2SP tlog-tiles, which software of others verifies.

`checkpoint`, `tile/<level>/<index>` and `tile/entries/<index>` tell nothing of any line. For an auditor, the
lines and the salts of their commitments can be written beside them, below `confidential/`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from oncehub.audit.signing.anchors import anchor_place, write_anchors
from oncehub.audit.signing.attestations import STAMPED, Attestation, cosigned, given
from oncehub.audit.signing.stored import LastCheckpoint, StoredHashes, last_checkpoint, stored_lines
from oncehub.audit.tlog.notes import Checkpoint, Note, NotGenuine
from oncehub.audit.tlog.tiles import CHECKPOINT, MOST_LEVELS, bundle, tile_path, tiles_of
from oncehub.audit.tlog.tree import TILE_HEIGHT, TILE_WIDTH, tree_root
from oncehub.errors import ConfigError, RunBusy, StoreError
from oncehub.files import write_whole
from oncehub.settings import Settings
from oncehub.store.connection import Connection, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

CONFIDENTIAL: Final = "confidential"
"""The folder of lines, which is never published."""

STAMPS: Final = "timestamps"
"""The folder of time-stamps, each beside the note that it is of."""


@dataclass(frozen=True)
class ExportReport:
    """What one export wrote.

    Attributes:
        files: new or changed ones.
        entries: of the tree that the folder did not have yet.
        size: entries of the tree that it has now.
        last: number of its checkpoint; 0 when there is none.
    """

    files: int
    entries: int
    size: int
    last: int


def lines_path(index: int) -> str:
    """Return the path of the lines that a bundle commits to."""
    return f"{CONFIDENTIAL}/lines/{tile_path('entries', index).removeprefix('tile/entries/')}.jsonl"


def opening(index: int, salt: bytes, text: bytes) -> bytes:
    """Return a line and the salt of its commitment as a line of a file."""
    content = {"index": index, "line": orjson.Fragment(text), "salt": salt.hex()}
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def export(
    settings: Settings, folder: Path, database: Connection | None = None, *, with_lines: bool = False
) -> ExportReport:
    """Write what the folder lacks of the signed tree; a repeat writes nothing.

    The checkpoint is put in place last, when all that it is over is on disk. Killed before, a repeat
    completes it. A file that is there is never replaced by one with other content.

    Args:
        settings: name the database and the file of anchors.
        folder: that is published.
        database: used instead of a connection of its own.
        with_lines: also write the lines, for an auditor: such a folder must not be published.

    Raises:
        RunBusy: when another process signs or exports.
        ConfigError: when the folder or the anchor cannot be written, is of another log or of another history
            of this one, or has lines and is to have none.
        StoreError: when the database cannot be used, or its tree was altered.
    """
    with (
        without_values("exporting the access log"),
        opened(settings, database) as connection,
        locked(connection, "checkpoint") as alone,
    ):
        if not alone:
            raise RunBusy("another process signs or exports the access log")
        if (folder / CONFIDENTIAL).exists() and not with_lines:
            raise ConfigError(
                f"{folder}: has lines for an auditor ({CONFIDENTIAL}/); name another folder to be published, "
                "or continue this one: --with-lines"
            )
        with connection:
            last = last_checkpoint(connection)
            if last.note is None:
                return ExportReport(0, 0, 0, 0)
            try:
                report = _Export(connection, folder, last).write(last.note, with_lines=with_lines)
            except LookupError as error:
                raise StoreError(f"{error}: it was altered; see: oncehub audit verify") from None
            except OSError as error:
                raise ConfigError(
                    f"{folder}: {error.strerror}; name a folder that the hub may write to"
                ) from None
        if report.files:
            write_anchors(anchor_place(settings), exported=last.number)
    return report


class _Export:
    def __init__(self, connection: Connection, folder: Path, last: LastCheckpoint) -> None:
        self._connection = connection
        self._folder = folder
        self._last = last
        self._hashes = StoredHashes(connection)
        self._files = 0

    def write(self, note: Note, *, with_lines: bool) -> ExportReport:
        """Write what is missing, the checkpoint last."""
        size, known = self._last.checkpoint.size, self._known()
        for level in range(MOST_LEVELS):
            self._write_tiles(level, known)
        for index, width in tiles_of(0, size, known // TILE_WIDTH):
            first = index * TILE_WIDTH
            content = bundle(self._hashes.commitments(first, first + width))
            self._append(tile_path("entries", index, width), content)
        # The lines of earlier bundles may be missing: the folder was made without them.
        for index, width in tiles_of(0, size) if with_lines else ():
            self._write_lines(index, width)
        attested = given(self._connection, self._last.number)
        for each in attested:
            if each.kind == STAMPED:
                self._write_stamp(note, each)
        self._replace(CHECKPOINT, str(cosigned(note, attested)).encode())
        return ExportReport(self._files, size - known, size, self._last.number)

    def _known(self) -> int:
        """Return the size of the tree that the folder has.

        Raises:
            ConfigError: when it is not the beginning of this one.
        """
        path, ours = self._folder / CHECKPOINT, self._last.checkpoint
        if not path.exists():
            return 0
        try:
            theirs = Checkpoint.parse(Note.parse(path.read_bytes()).text)
        except NotGenuine as error:
            raise ConfigError(f"{path}: {error}; see: oncehub audit verify --archive") from None
        if theirs.origin != ours.origin:
            raise ConfigError(
                f"{self._folder}: is of the log {theirs.origin}, and this one is {ours.origin}; name another "
                "folder, and keep this one"
            )
        if theirs.size > ours.size or tree_root(self._hashes, theirs.size) != theirs.root:
            raise ConfigError(
                f"{path}: its tree of {theirs.size} entries is not the beginning of this database's, which "
                "was restored from before it, was altered, or is another hub's; name another folder, and "
                "keep this one: it is evidence"
            )
        return theirs.size

    def _write_tiles(self, level: int, known: int) -> None:
        height = level * TILE_HEIGHT
        for index, width in tiles_of(level, self._last.checkpoint.size, (known >> height) // TILE_WIDTH):
            first = index * TILE_WIDTH
            self._append(
                tile_path(level, index, width), b"".join(self._hashes.hashes(level, first, first + width))
            )

    def _write_lines(self, index: int, width: int) -> None:
        """Write the lines of a bundle, which one that is full has already."""
        path, first = lines_path(index), index * TILE_WIDTH
        if self._has_lines(path, width):
            return
        lines = stored_lines(self._connection, first, first + width)
        content = b"".join(opening(each.index, each.salt, each.text) for each in lines if each.text)
        self._replace(path, content, mode=0o600)

    def _has_lines(self, path: str, width: int) -> bool:
        try:
            return (self._folder / path).read_bytes().count(b"\n") == width
        except FileNotFoundError:
            return False

    def _write_stamp(self, note: Note, attested: Attestation) -> None:
        self._append(f"{STAMPS}/{self._last.number}.checkpoint", str(note).encode())
        self._append(f"{STAMPS}/{self._last.number}.tsr", attested.content)

    def _append(self, path: str, content: bytes) -> None:
        """Write a file unless it is there.

        Raises:
            ConfigError: when it has other content.
        """
        target = self._folder / path
        if not target.exists():
            self._replace(path, content)
        elif target.read_bytes() != content:
            raise ConfigError(
                f"{target}: is there with other content than this log has: the folder is of another history, "
                "or was altered; see: oncehub audit verify --archive"
            )
        if not target.parent.name.endswith(".p"):
            shutil.rmtree(target.with_name(f"{target.name}.p"), ignore_errors=True)

    def _replace(self, path: str, content: bytes, mode: int = 0o666) -> None:
        target = self._folder / path
        if not target.exists() or target.read_bytes() != content:
            write_whole(target, content, mode=mode)
            self._files += 1


def stamped_notes(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the files of each time-stamp in a folder: the answer, and the note that it is of."""
    for path in sorted((folder / STAMPS).glob("*.tsr")):
        yield path, path.with_suffix(".checkpoint")
