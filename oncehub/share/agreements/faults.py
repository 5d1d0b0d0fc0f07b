"""Faults of agreements and procedures: one line each, with file, line, column and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence

from oncehub.config.documents import Document
from oncehub.errors import ConfigError


def at(document: Document, *keys: str | int) -> str:
    """Return how a fault of a key begins: `file:line:column: key.of.the.document`."""
    return f"{document.where(*keys)}: {'.'.join(map(str, keys))}"


def listed(
    document: Document, keys: tuple[str | int, ...], values: Sequence[str]
) -> Iterator[tuple[str, str, bool]]:
    """Give each value of a list with the beginning of its faults, and whether an earlier one equals it."""
    for index, value in enumerate(values):
        yield at(document, *keys, index), value, value in values[:index]


def unknown(place: str, value: str, known: Collection[str]) -> str:
    """Return the fault of a value that names nothing known, with the closest name."""
    close = difflib.get_close_matches(value, known, n=1)
    advice = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known)) or 'none'}"
    return f"{place}: {value!r} is not known; {advice}"


def repeated(place: str, value: str) -> str:
    """Return the fault of a value that a list holds twice."""
    return f"{place}: {value!r} is repeated; keep one"


def misnamed(document: Document, key: str, value: str) -> list[str]:
    """Return the fault of a document whose name differs from its file's, if it does."""
    if value == document.path.stem:
        return []
    return [f"{at(document, key)}: {value!r} differs from the file's name; write {key}: {document.path.stem}"]


def raise_faults(faults: list[str]) -> None:
    """Raise a `ConfigError` with one line a fault, when there is any."""
    if faults:
        raise ConfigError("\n".join(faults))
