"""What one answer of a source holds: its records, and what it states about itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oncehub.config.reading import InHeader, Place
from oncehub.errors import ContractBroken

_PLAIN_WORD = re.compile(r"[A-Za-z_]{1,40}")


@dataclass(frozen=True)
class Content:
    """One answer, parsed.

    Attributes:
        what: names the answer in errors.
        records: as the source sent them.
        body: where paths lead from; None where the format has no room beside the records.
        headers: of the answer.
    """

    what: str
    records: list[Any] = field(repr=False)
    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def value(self, place: Place) -> Any:
        """Return what stands at a path of the body or in a header, None where there is nothing."""
        return self.headers.get(place.header) if isinstance(place, InHeader) else at(self.body, place)

    def count(self, place: Place) -> int | None:
        """Return the number at a place, also where it is written as text; None where there is nothing.

        Raises:
            ContractBroken: when something else stands there.
        """
        value = self.value(place)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
            value = int(value)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise ContractBroken(f"{self.what}: holds no count at {shown(place)}")
        return value


def at(content: Any, path: str) -> Any:
    """Return what stands at a dotted path, None where it leads nowhere."""
    for name in path.split("."):
        if not isinstance(content, dict):
            return None
        content = content.get(name)
    return content


def lists_in(body: Any, depth: int = 3) -> list[str]:
    """The dotted paths at which lists stand, where their names are plain words and so tell of nobody."""
    found = []
    for name, part in body.items() if isinstance(body, dict) else ():
        if not _PLAIN_WORD.fullmatch(name):
            continue
        if isinstance(part, list):
            found.append(name)
        elif depth > 1:
            found += [f"{name}.{path}" for path in lists_in(part, depth - 1)]
    return found


def shown(place: Place | None) -> str:
    """Write a place for an error message."""
    if place is None:
        return "its top"
    return f"the header {place.header}" if isinstance(place, InHeader) else f"`{place}`"
