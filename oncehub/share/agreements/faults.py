"""How faults of agreements and procedures are told: one line each, with file, line, column and a way out."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from oncehub.config.documents import Document
from oncehub.errors import ConfigError


def unknown(place: str, key: str, value: str, known: Collection[str]) -> str:
    """Tell that a value names nothing that there is, and what was probably meant."""
    close = difflib.get_close_matches(value, known, n=1)
    advice = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known)) or 'none'}"
    return f"{place}: {key}: {value!r} is not known; {advice}"


def misnamed(document: Document, key: str, value: str) -> list[str]:
    """Tell where a document's name differs from its file's."""
    if value == document.path.stem:
        return []
    return [
        f"{document.where(key)}: {key}: {value!r} differs from the file's name; "
        f"write {key}: {document.path.stem}"
    ]


def raise_faults(faults: list[str]) -> None:
    """Raise what was found.

    Raises:
        ConfigError: one line a fault, when there is any.
    """
    if faults:
        raise ConfigError("\n".join(faults))
