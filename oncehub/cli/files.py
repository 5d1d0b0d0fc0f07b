"""Reads and writes the files that a command line names."""

from __future__ import annotations

from pathlib import Path

from oncehub.errors import ConfigError
from oncehub.files import read_bounded, write_whole

_MOST_BYTES = 64_000_000


def read_file(path: Path, advice: str = "") -> bytes:
    """Return the content of a file.

    Args:
        path: as given.
        advice: what else to do, after the reason in the message.

    Raises:
        ConfigError: when it cannot be read, or is larger than 64 MB.
    """
    return read_bounded(path, _MOST_BYTES, advice)


def write_file(path: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        ConfigError: when it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
