"""Writes files that are whole or not there: a kill or a full disk leaves the former content, or none."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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
