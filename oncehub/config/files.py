"""Reads files and documents of bounded size and depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from oncehub.errors import ConfigError

MOST_BYTES: Final = 2_000_000
"""The largest configuration file, contract or schema; the largest of the product has a fortieth of it."""

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
