"""Reads files of bounded size, and writes files that are whole or not there.

A kill or a full disk while a file is written leaves its former content, or none.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from oncehub.errors import ConfigError

MOST_BYTES: Final = 2_000_000
"""The largest configuration file, contract or schema; the largest of the product has a fortieth of it."""

MOST_KEY_BYTES: Final = 64_000
"""The largest file of a key, or of a set of keys."""

MOST_LEVELS: Final = 60
"""The deepest nesting of a configuration file, contract, schema or API description."""


def read_bounded(path: Path, most: int = MOST_BYTES, advice: str = "") -> bytes:
    """Return the content of a file of at most `most` bytes.

    Args:
        path: of the file.
        most: bytes.
        advice: what else to do, after the reason in the message.

    Raises:
        ConfigError: when it cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}{advice}") from None
    if len(content) > most:
        raise ConfigError(f"{path}: is larger than {most} bytes{advice}")
    return content


def check_levels(path: Path, content: Any, most: int = MOST_LEVELS) -> None:
    """Refuse content that nests deeper than `most`.

    Raises:
        ConfigError: naming the keys above the place.
    """
    left: list[tuple[tuple[str, ...], int, Any]] = [((), 1, content)]
    while left:
        keys, level, value = left.pop()
        if not isinstance(value, dict | list):
            continue
        if level > most:
            raise ConfigError(f"{path}: {'.'.join(keys)}: nests deeper than {most} levels")
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        left += [((*keys, str(key)) if level <= 3 else keys, level + 1, part) for key, part in inner]


def write_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put a file in place in one step, once all of it is on disk; folders above it are made.

    Raises:
        OSError: it cannot be written; the former file stays.
    """
    if path.exists() and not path.is_file():
        # A pipe or a terminal, such as /dev/stdout.
        path.write_bytes(content)
        return
    path = path.resolve()
    with file_beside(path, mode) as (file, beside):
        file.write(content)
        keep(file)
        beside.replace(path)


def create_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Do as `write_whole`, but never replace a file.

    Raises:
        FileExistsError: the file exists; it stays as it is.
        OSError: it cannot be written.
    """
    with file_beside(path, mode) as (file, beside):
        file.write(content)
        keep(file)
        # link() refuses an existing name: the first process wins, and no reader sees partial content.
        os.link(beside, path)


@contextmanager
def file_beside(path: Path, mode: int = 0o666) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a new file beside `path`, and yield it with its path; at the end it is removed, if it is there.

    Raises:
        OSError: it cannot be opened or written; the error names `path`.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if mode == 0o600 else 0o777)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file, beside
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, FileExistsError):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def keep(file: BinaryIO) -> None:
    """Write what a file holds to the disk."""
    file.flush()
    os.fsync(file.fileno())
