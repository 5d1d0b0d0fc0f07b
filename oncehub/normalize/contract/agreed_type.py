"""Reads a value of another JSON type as the type of the contract, where nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

ABSENT: Final = object()
"""Stands for a value that cannot be read."""

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_FRACTION: Final = re.compile(r"-?[0-9]{1,17}\.[0-9]{1,17}")


def in_agreed_type(value: Any, kinds: Collection[str]) -> Any:
    """Read a JSON value as one of the JSON types `kinds`, none of which it has.

    A whole number is read as the text of its digits, and a text as a number when it is written exactly as
    that number would be. No boolean, fraction as text, object, list or null is read.

    Returns:
        The value read, or ABSENT.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if "string" in kinds else ABSENT
    if not isinstance(value, str):
        return ABSENT
    return _number(value, kinds)


def _number(text: str, kinds: Collection[str]) -> Any:
    if _INTEGER.fullmatch(text):
        whole = int(text)
        as_integer = "integer" in kinds and -(2**63) <= whole < 2**63
        as_fraction = "number" in kinds and int(float(whole)) == whole
        return whole if as_integer or as_fraction else ABSENT
    if "number" in kinds and _FRACTION.fullmatch(text) and repr(float(text)) == text:
        return float(text)
    return ABSENT
