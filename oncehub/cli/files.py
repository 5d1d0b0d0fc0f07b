"""Reads and writes the files that a command line names."""

from __future__ import annotations

from pathlib import Path

from oncehub.errors import ConfigError
from oncehub.whole_files import write_whole


def read_file(path: Path, advice: str = "") -> bytes:
    """Return the content of a file.

    Args:
        path: as given.
        advice: what else to do, after the reason in the message.

    Raises:
        ConfigError: when it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}{advice}") from None


def write_file(path: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        ConfigError: when it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
