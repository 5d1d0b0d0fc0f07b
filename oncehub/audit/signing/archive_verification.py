"""Verifies an exported access log from its files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from joserfc.jwk import OKPKey

from oncehub.audit.log.hashing import HASH_BYTES, leaf_hash
from oncehub.audit.signing.anchors import Anchors
from oncehub.audit.signing.attestations import COSIGNED, STAMPED, Attestation, Attestors
from oncehub.audit.signing.export import CONFIDENTIAL, lines_path, opening, stamped_notes
from oncehub.audit.signing.findings import (
    ENOUGH,
    Finding,
    LineVerifier,
    Verification,
    What,
    anchor_findings,
    is_of,
)
from oncehub.audit.signing.keys import raw_keys
from oncehub.audit.signing.stored import FoundLine
from oncehub.audit.tlog.notes import MOST_NOTE_BYTES, Checkpoint, NotGenuine, VerifierKey, read_checkpoint
from oncehub.audit.tlog.tiles import CHECKPOINT, MOST_LEVELS, entries_of, tile_path, tiles_of
from oncehub.audit.tlog.tree import TILE_WIDTH, Edge, pieces
from oncehub.errors import ConfigError

MOST_LINE_BYTES: Final = 100_000
"""The longest line; those of the hub have about 700 bytes."""

_MOST_LINES_BYTES: Final = TILE_WIDTH * MOST_LINE_BYTES


def verify_archive(
    folder: Path,
    trusted: Mapping[str, OKPKey],
    anchors: Anchors | None,
    others: Attestors | None = None,
) -> Verification:
    """Verify every file of an exported log: its tree, and the lines where it has them.

    Args:
        folder: that `oncehub audit export` wrote.
        trusted: public keys by their thumbprint.
        anchors: kept elsewhere; what was exported by them must be in the folder. None waives them.
        others: witnesses and authorities that are known.

    Raises:
        ConfigError: when the folder has no log.
    """
    if not (folder / CHECKPOINT).exists() and not (folder / "tile").exists():
        raise ConfigError(f"{folder}: has no exported log; `oncehub audit export` writes one")
    archive = _Archive(folder, raw_keys(trusted), others or Attestors())
    archive.verify(anchors)
    return archive.outcome


class _Archive:
    def __init__(self, folder: Path, keys: Sequence[bytes], others: Attestors) -> None:
        self._folder = folder
        self._keys = keys
        self._others = others
        self._known = {CHECKPOINT}
        self._edge = Edge()
        self._origin = ""
        self._tiles = dict[int, list[bytes]]()
        self.outcome = Verification()
        self._lines = LineVerifier(self.outcome)

    def verify(self, anchors: Anchors | None) -> None:
        """Verify all files, until there are `ENOUGH` findings."""
        checkpoint = self._checkpoint()
        if checkpoint is None:
            return
        self._origin = checkpoint.origin
        self.outcome.checkpoints = 1
        self.outcome.lines = checkpoint.size
        heads = self._anchored(checkpoint, anchors)
        for index, width in tiles_of(0, checkpoint.size):
            if len(self.outcome.findings) >= ENOUGH:
                return
            self._verify_bundle(index, width, heads)
        if self._edge.root() != checkpoint.root:
            self._found("changed", "the entries are not those that the checkpoint was signed over")
        self._verify_levels(checkpoint.size)
        self._verify_stamps()
        self._verify_others(checkpoint.size)

    def _checkpoint(self) -> Checkpoint | None:
        content = self._read(CHECKPOINT, MOST_NOTE_BYTES)
        if content is None:
            self._found("removed", "the checkpoint is missing")
            return None
        try:
            checkpoint, note = read_checkpoint(content, self._keys)
        except NotGenuine as error:
            self._found("forged", f"its checkpoint {error}")
            return None
        own = [VerifierKey(checkpoint.origin, key) for key in self._keys]
        for line in note.signatures:
            if not any(line.is_by(key) for key in own):
                by = next((str(each.key) for each in self._others.witnesses if line.is_by(each.key)), "")
                attestation = Attestation(COSIGNED, by, str(line).encode())
                self.outcome.attests(self._others, None, note, attestation)
        return checkpoint

    def _anchored(self, checkpoint: Checkpoint, anchors: Anchors | None) -> dict[int, Checkpoint]:
        """Return the anchored checkpoints over this tree by their size, and find what is missing."""
        if anchors is None:
            return {}
        heads = {number: Checkpoint.parse(text) for number, text in anchors.heads.items()}
        within = {number: each for number, each in heads.items() if each.size <= checkpoint.size}
        last = max(within, default=0)
        made = last if last and within[last].size == checkpoint.size else last + 1
        if made > last and any(each.size > checkpoint.size for each in heads.values()):
            self._found("forged", "its checkpoint is none of those that were anchored")
            made = last
        self.outcome.findings.extend(anchor_findings(anchors, last, made, anchors.exported))
        return {each.size: each for each in within.values()}

    def _verify_bundle(self, index: int, width: int, heads: Mapping[int, Checkpoint]) -> None:
        """Verify a bundle of entries, the tile of their hashes, and their lines."""
        first, path = index * TILE_WIDTH, tile_path("entries", index, width)
        tile = self._tile(0, index, width)
        content = self._read(path, TILE_WIDTH * (HASH_BYTES + 2))
        try:
            entries = entries_of(content or b"")
        except ValueError as error:
            self._found("changed", f"{path}: {error}")
            entries = []
        if content is None:
            self._found("removed", f"{path} is missing")
        elif len(entries) != width:
            self._found("changed", f"{path} has {len(entries)} entries, not {width}")
        hashes = list(map(leaf_hash, entries))
        for place, (of_entry, of_tile) in enumerate(zip(hashes, tile, strict=False)):
            if of_entry != of_tile:
                detail = f"{path} has another entry here than {tile_path(0, index, width)}"
                self.outcome.findings.append(Finding("changed", None, first + place + 1, None, detail))
        self._verify_parts("entries", index, width, content or b"", HASH_BYTES + 2)
        self._grow(first, hashes if len(entries) == width else tile, heads)
        if len(entries) == width and (self._folder / CONFIDENTIAL).exists():
            self._lines.verify(None, first, entries, self._lines_of(index))

    def _grow(self, first: int, hashes: Sequence[bytes], heads: Mapping[int, Checkpoint]) -> None:
        for index, each in enumerate(hashes, first):
            for completed in self._edge.extend([each]):
                self._tiles.setdefault(completed.level, []).append(completed.hash)
            if anchored := heads.get(index + 1):
                self.outcome.anchored += 1
                if self._edge.root() != anchored.root or not is_of(self._origin, anchored.origin):
                    detail = f"the tree of {index + 1} entries is not the one that was anchored"
                    self._found("forged", detail)

    def _verify_levels(self, size: int) -> None:
        """Compare the tiles above the entries with what the entries give."""
        for level in range(1, MOST_LEVELS):
            hashes = self._tiles.get(level, [])
            for index, width in tiles_of(level, size):
                first = index * TILE_WIDTH
                if self._tile(level, index, width) not in ([], hashes[first : first + width]):
                    self._found("changed", f"{tile_path(level, index, width)} is not what its entries give")

    def _tile(self, level: int, index: int, width: int) -> list[bytes]:
        path = tile_path(level, index, width)
        content = self._read(path, TILE_WIDTH * HASH_BYTES)
        if content is None:
            self._found("removed", f"{path} is missing")
            return []
        if len(content) != width * HASH_BYTES:
            self._found("changed", f"{path} has {len(content)} bytes, not {width * HASH_BYTES}")
            return []
        self._verify_parts(level, index, width, content, HASH_BYTES)
        return pieces(content)

    def _verify_parts(self, level: int | str, index: int, width: int, content: bytes, step: int) -> None:
        """Compare earlier, shorter states of a tile, which may stay beside it."""
        folder = self._folder / tile_path(level, index, 1).removesuffix("/1")
        for shorter in sorted(folder.glob("*")) if folder.is_dir() else ():
            if shorter.name.isdecimal() and 0 < int(shorter.name) < width:
                path = tile_path(level, index, int(shorter.name))
                if self._read(path, len(content)) != content[: int(shorter.name) * step]:
                    self._found("changed", f"{path} is not the beginning of {tile_path(level, index, width)}")

    def _lines_of(self, index: int) -> list[FoundLine]:
        """Return the lines of a bundle that are there; what is no line is found."""
        path, found = lines_path(index), list[FoundLine]()
        content = self._read(path, _MOST_LINES_BYTES)
        if content is None:
            return found
        before = -1
        for text in content.removesuffix(b"\n").split(b"\n") if content else ():
            line = _line(text)
            if line is None:
                self._found("changed", f"{path} has what is no line: {len(text)} bytes after index {before}")
                continue
            if line.index <= before:
                detail = f"{path} has it after the one with index {before}"
                self.outcome.findings.append(
                    Finding("reordered", None, line.index + 1, line.entry_id, detail)
                )
            before = line.index
            found.append(line)
        if content and not content.endswith(b"\n"):
            self._found("changed", f"{path} does not end with a whole line")
        return found

    def _verify_stamps(self) -> None:
        for path, of in stamped_notes(self._folder):
            answer = self._read(path.relative_to(self._folder).as_posix(), 1 << 20)
            stamped = self._read(of.relative_to(self._folder).as_posix(), MOST_NOTE_BYTES)
            try:
                checkpoint, note = read_checkpoint(stamped or b"", self._keys)
            except NotGenuine as error:
                self._found("forged", f"{of.name}, which was time-stamped, {error}")
                continue
            attestation = Attestation(STAMPED, path.name, answer or b"")
            self.outcome.attests(self._others, None, note, attestation)
            if checkpoint.size > self.outcome.lines:
                self._found("cut off", f"{of.name} was time-stamped with {checkpoint.size} entries")

    def _verify_others(self, size: int) -> None:
        """Find files that belong to no tree of this size."""
        for path in sorted(self._folder.rglob("*")):
            name = path.relative_to(self._folder).as_posix()
            if path.is_dir() or name in self._known or path.name.startswith("."):
                continue
            self._found(
                "inserted",
                f"{name} belongs to no tree of {size} entries: it was added, the checkpoint was replaced by "
                "an earlier one, or an export was interrupted; export again",
            )

    def _read(self, path: str, most: int) -> bytes | None:
        """Return a file's content, as far as it is to be read."""
        self._known.add(path)
        try:
            with (self._folder / path).open("rb") as file:
                return file.read(most + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._found("changed", f"{path} cannot be read: {error.strerror}")
            return None

    def _found(self, what: What, detail: str) -> None:
        self.outcome.findings.append(Finding(what, None, None, None, detail))


def _line(text: bytes) -> FoundLine | None:
    """Return a line as found; None for bytes that are not as they were written."""
    try:
        content: Any = orjson.loads(text)
        written = orjson.dumps(content["line"], option=orjson.OPT_SORT_KEYS)
        found = FoundLine(
            int(content["index"]), content["line"].get("entry_id"), written, bytes.fromhex(content["salt"])
        )
        as_written = opening(found.index, found.salt, written) == text + b"\n"
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if as_written and isinstance(content["line"], dict) else None
