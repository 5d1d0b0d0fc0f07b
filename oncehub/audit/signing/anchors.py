"""Stores the latest checkpoints outside the database and its archives.

Tampering with the database alone is detected by comparing it with the anchors.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

import orjson

from oncehub.errors import ConfigError
from oncehub.settings import Settings


@dataclass(frozen=True)
class Archived:
    """An archive that was written, and the last checkpoint in it."""

    archive: str
    checkpoint: int


@dataclass(frozen=True)
class Anchors:
    """What is anchored.

    Attributes:
        heads: the head of each checkpoint by its number.
        archives: the archives that were written.
        epochs: of the database, each begun by an adoption (`oncehub restore adopt`); what was anchored beyond
            the last checkpoint that the adopted database had is left out of `heads` and `archives`.
    """

    heads: dict[int, str] = field(default_factory=dict)
    archives: list[Archived] = field(default_factory=list)
    epochs: set[str] = field(default_factory=set)


def anchor_path(settings: Settings) -> Path:
    """Return the file of heads: `ONCEHUB_AUDIT_ANCHOR`, best on another machine's disk, else below `home`."""
    given = os.environ.get("ONCEHUB_AUDIT_ANCHOR")
    return Path(given) if given else settings.home / "audit" / "heads.jsonl"


def read_anchors(path: Path) -> Anchors:
    """Return what is anchored; nothing when there is no file.

    Raises:
        ConfigError: when the file cannot be read, holds other content, or two heads for one checkpoint.
    """
    anchors = Anchors()
    for place, text in enumerate(_whole_lines(path), 1):
        try:
            _note(anchors, orjson.loads(text))
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{path}:{place}: is no anchor of this log: {error}") from None
    return anchors


def anchors_to_verify(path: Path) -> Anchors:
    """Return what is anchored, which a verification depends on.

    Raises:
        ConfigError: when the file is missing, holds no head, or does not begin with the first checkpoint and
            go on without a gap; see also `read_anchors`.
    """
    anchors = read_anchors(path)
    if not path.exists() or not anchors.heads:
        state = "holds no anchored checkpoint" if path.exists() else "there is no such file of anchors"
        raise ConfigError(
            f"{path}: {state}, so the removal of the latest entries would not be detected; name the file "
            "with --anchor or ONCEHUB_AUDIT_ANCHOR, or verify without it: --no-anchor"
        )
    if gap := next((number for number in range(1, max(anchors.heads)) if number not in anchors.heads), 0):
        raise ConfigError(
            f"{path}: lacks checkpoint {gap}, though it goes on to {max(anchors.heads)}: lines were removed "
            "from it; use a whole copy, or verify without it: --no-anchor"
        )
    return anchors


def write_anchors(
    path: Path,
    heads: Mapping[int, str] | None = None,
    archives: Sequence[Archived] = (),
    adopted: Mapping[str, int] | None = None,
) -> None:
    """Append to the file and flush it to disk; first cut off a last line that a kill left incomplete.

    Args:
        path: of the file.
        heads: by the number of their checkpoint.
        archives: that were written.
        adopted: the last checkpoint that the database had as an epoch began, by the epoch.

    Raises:
        ConfigError: when the file cannot be written.
    """
    content: list[dict[str, Any]] = [
        {"checkpoint": number, "adopted": epoch} for epoch, number in (adopted or {}).items()
    ]
    content += [{"checkpoint": number, "head": head} for number, head in sorted((heads or {}).items())]
    content += [{"checkpoint": each.checkpoint, "archive": each.archive} for each in archives]
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("ab", buffering=0) as file:
            _append(file, b"".join(orjson.dumps(each) + b"\n" for each in content), path)
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; ONCEHUB_AUDIT_ANCHOR must name a file that the hub may append to"
        ) from None


def _append(file: FileIO, lines: bytes, path: Path) -> None:
    """Append all lines or none; cut off before what a kill left of a line."""
    length = _length_of_whole_lines(path)
    file.truncate(length)
    try:
        left = memoryview(lines)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(length)
        raise


def _note(anchors: Anchors, content: Mapping[str, Any]) -> None:
    number = int(content["checkpoint"])
    if "adopted" in content:
        anchors.epochs.add(str(content["adopted"]))
        for later in [each for each in anchors.heads if each > number]:
            del anchors.heads[later]
        anchors.archives[:] = [each for each in anchors.archives if each.checkpoint <= number]
    elif "archive" in content:
        anchors.archives.append(Archived(str(content["archive"]), number))
    elif anchors.heads.setdefault(number, str(content["head"])) != content["head"]:
        raise ValueError(f"checkpoint {number} has another head in an earlier line")


def _whole_lines(path: Path) -> Iterable[bytes]:
    try:
        return path.read_bytes()[: _length_of_whole_lines(path)].splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _length_of_whole_lines(path: Path) -> int:
    return path.read_bytes().rfind(b"\n") + 1
