"""A published log: files of tiles, bundles of entries and a checkpoint, in a folder or at a URL.

Source: C2SP tlog-tiles (https://c2sp.org/tlog-tiles).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import requests

from oncehub.audit.log.hashing import HASH_BYTES
from oncehub.audit.tlog.notes import MOST_NOTE_BYTES
from oncehub.audit.tlog.tree import TILE_HEIGHT, TILE_WIDTH, pieces
from oncehub.errors import SourceUnavailable

CHECKPOINT: Final = "checkpoint"
MOST_LEVELS: Final = 8
"""Levels of a log with as many entries as fit a 63-bit number."""

# Each entry of this log is one hash, behind its length.
_LENGTH: Final = HASH_BYTES.to_bytes(2)
_SECONDS: Final = 30


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile, or with `entries` as level of a bundle; it has `width` hashes or entries."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    name = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return f"tile/{level}/{name}" + ("" if width == TILE_WIDTH else f".p/{width}")


def tiles_of(level: int, size: int, first: int = 0) -> Iterator[tuple[int, int]]:
    """Yield index and width of the tiles of a level in a tree of `size` entries, from the tile `first` on."""
    complete = size >> (level * TILE_HEIGHT)
    for index in range(first, -(-complete // TILE_WIDTH)):
        yield index, min(TILE_WIDTH, complete - index * TILE_WIDTH)


def bundle(entries: Sequence[bytes]) -> bytes:
    """Return the content of a bundle of entries."""
    return b"".join(_LENGTH + each for each in entries)


def entries_of(content: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        ValueError: when it is no bundle of this log.
    """
    step = HASH_BYTES + len(_LENGTH)
    parts = [content[start : start + step] for start in range(0, len(content), step)]
    if any(len(part) != step or not part.startswith(_LENGTH) for part in parts):
        raise ValueError("it is no bundle of entries of 32 bytes")
    return [part[len(_LENGTH) :] for part in parts]


class PublishedLog:
    """Reads a log's files.

    Args:
        place: a folder, or an http(s) URL.
    """

    def __init__(self, place: str) -> None:
        self._place = place.rstrip("/")
        self._session = requests.Session() if place.startswith(("http://", "https://")) else None

    def checkpoint(self) -> bytes | None:
        """Return the checkpoint; None when there is none."""
        return self.read(CHECKPOINT, MOST_NOTE_BYTES)

    def read(self, path: str, most: int) -> bytes | None:
        """Return the content of a file; None when there is none.

        Raises:
            SourceUnavailable: when it cannot be read, or has more than `most` bytes.
        """
        try:
            content = self._fetched(path, most) if self._session else self._opened(path, most)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, requests.RequestException) as error:
            raise SourceUnavailable(f"{self._place}/{path}: cannot be read: {type(error).__name__}") from None
        if content is not None and len(content) > most:
            raise SourceUnavailable(f"{self._place}/{path}: has more than {most} bytes")
        return content

    def _opened(self, path: str, most: int) -> bytes:
        with (Path(self._place) / path).open("rb") as file:
            return file.read(most + 1)

    def _fetched(self, path: str, most: int) -> bytes | None:
        assert self._session
        with self._session.get(
            f"{self._place}/{path}", timeout=_SECONDS, stream=True, allow_redirects=False
        ) as answer:
            if answer.status_code in (404, 410):
                return None
            answer.raise_for_status()
            content = b""
            for part in answer.iter_content(1 << 16):
                content += part
                if len(content) > most:
                    break
            return content


class PublishedHashes:
    """The hashes of a published log, read as a tree of `size` entries needs them."""

    def __init__(self, log: PublishedLog, size: int) -> None:
        self._log = log
        self._size = size

    def hashes(self, level: int, start: int, stop: int) -> Sequence[bytes]:
        """Return the hashes of a level with the indexes from `start` up to `stop`; see `tree.Hashes`.

        Raises:
            LookupError: when a tile is missing or has too few hashes.
        """
        found: list[bytes] = []
        for index, width in tiles_of(level, self._size, start // TILE_WIDTH):
            if index * TILE_WIDTH >= stop:
                break
            found += self._tile(level, index, width)
        first = start // TILE_WIDTH * TILE_WIDTH
        return found[start - first : stop - first]

    def _tile(self, level: int, index: int, width: int) -> list[bytes]:
        # A partial tile may have been removed since it is full.
        for path in dict.fromkeys((tile_path(level, index, width), tile_path(level, index))):
            content = self._log.read(path, TILE_WIDTH * HASH_BYTES)
            if content is not None and len(content) >= width * HASH_BYTES:
                return pieces(content)[:width]
        raise LookupError(f"{tile_path(level, index, width)} is missing or too short")
