"""Verifies archives of the access log against their checkpoints, from the files alone."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from joserfc.jwk import OKPKey

from oncehub.audit.log.hashing import HASH_BYTES
from oncehub.audit.signing.anchors import Anchors, Archived
from oncehub.audit.signing.archives import LINKING, Linking, checkpoint_number, lines_file, link, read_linking
from oncehub.audit.signing.batches import FoundBatch, found_line
from oncehub.audit.signing.verification import Chain, Finding, Verification
from oncehub.errors import ConfigError


@dataclass(frozen=True)
class _Archive:
    path: Path
    linking: Linking


def verify_archives(folder: Path, trusted: Mapping[str, OKPKey], anchors: Anchors | None) -> Verification:
    """Verify every line of the archives in a folder against its checkpoint.

    Args:
        folder: where `oncehub audit export` wrote them.
        trusted: public keys by their thumbprint.
        anchors: kept elsewhere; every anchored archive must be in the folder. None waives them.

    Raises:
        ConfigError: when the folder has no archive.
    """
    paths = sorted(folder.glob("mlog-*.zip"))
    if not paths:
        raise ConfigError(f"{folder}: has no archive mlog-*.zip; `oncehub audit export` writes them")
    chain = Chain(trusted, anchors)
    archives = dict[str, _Archive]()
    for path in paths:
        try:
            archives[path.name] = _Archive(path, read_linking(path))
        except ValueError as error:
            chain.found(Finding("changed", None, None, None, str(error)))
    archived = anchors.archives if anchors else []
    for finding in _missing(archives, archived):
        chain.found(finding)
    chain.follow(batch for archive in _in_order(archives) for batch in _batches(archive, archives))
    chain.end(max((each.checkpoint for each in archived), default=0))
    return chain.outcome


def _missing(archives: Mapping[str, _Archive], archived: Sequence[Archived]) -> Iterator[Finding]:
    for anchored in archived:
        if anchored.archive not in archives:
            yield Finding("removed", None, None, None, f"the archive {anchored.archive} is not there")
    for name, archive in archives.items():
        before = archive.linking.archive
        if before and before not in archives:
            yield Finding("removed", None, None, None, f"{name} goes on from {before}, which is not there")


def _in_order(archives: Mapping[str, _Archive]) -> list[_Archive]:
    """Sort archives by their first checkpoint; the chain verifies that they follow each other."""
    return sorted(archives.values(), key=lambda archive: (archive.linking.checkpoints or [0])[0])


def _batches(archive: _Archive, archives: Mapping[str, _Archive]) -> Iterator[FoundBatch]:
    """Yield the checkpoints of an archive, each with its lines; holds one batch at a time."""
    problems = [*_linking_problems(archive, archives)]
    with zipfile.ZipFile(archive.path) as file:
        names = {name for name in file.namelist() if name != LINKING}
        for name in sorted({*names, *archive.linking.files} - _lines_files(names), key=checkpoint_number):
            number = checkpoint_number(name)
            parts = (name, lines_file(number)) if number else (name,)
            members = {part: _content(file, part) for part in parts if part in names}
            problems += _member_problems(archive, parts, members)
            if number and name in names:
                yield _batch(number, members[name], members.get(lines_file(number), b""), tuple(problems))
                problems = []
    if problems:
        yield _batch(0, b"", b"", tuple(problems))


def _lines_files(names: Set[str]) -> set[str]:
    """Return the names of files of lines that come with their checkpoint."""
    return {lines_file(number) for name in names if (number := checkpoint_number(name))}


def _content(file: zipfile.ZipFile, name: str) -> bytes:
    try:
        return file.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        # What is there is not what was written; the linking digest reports it by name.
        return b""


def _linking_problems(archive: _Archive, archives: Mapping[str, _Archive]) -> Iterator[str]:
    name, linking = archive.path.name, archive.linking
    before = archives.get(linking.archive)
    if before and before.linking.last != linking.digest:
        yield f"{name} goes on from another state of {linking.archive}"
    if name[-20:-4] != linking.last[:16]:
        yield f"{name} does not end with the digest that its name tells"


def _member_problems(archive: _Archive, parts: Iterable[str], members: Mapping[str, bytes]) -> Iterator[str]:
    name, linking = archive.path.name, archive.linking
    for part in parts:
        if part not in linking.files:
            if part in members:
                yield f"{name} was given {part} later"
        elif part not in members:
            yield f"{name} lacks {part}"
        elif link(linking.before(part), members[part]) != linking.files[part]:
            yield f"{part} in {name} is not what was archived"


def _batch(number: int, checkpoint: bytes, lines: bytes, problems: tuple[str, ...]) -> FoundBatch:
    content = _checkpoint(checkpoint)
    leaves = bytes.fromhex(content["leaves"])
    return FoundBatch(
        number=number,
        statement=content["statement"],
        leaves=[leaves[start : start + HASH_BYTES] for start in range(0, len(leaves), HASH_BYTES)],
        lines=[found_line(text) for text in lines.removesuffix(b"\n").split(b"\n")] if lines else [],
        problems=problems,
    )


def _checkpoint(content: bytes) -> dict[str, Any]:
    """Return statement and hashes; empty ones, which no key signed, for a file with other content."""
    try:
        checkpoint = orjson.loads(content)
        bytes.fromhex(checkpoint["leaves"])
        return {"statement": str(checkpoint["statement"]), "leaves": checkpoint["leaves"]}
    except (ValueError, TypeError, KeyError):
        return {"statement": "", "leaves": ""}
