"""Reading a value in the type that was agreed, where nothing is lost by it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

ABSENT: Final = object()
"""What a value that cannot be read is read as."""

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_FRACTION: Final = re.compile(r"-?[0-9]{1,17}\.[0-9]{1,17}")


def in_agreed_type(value: Any, kinds: Collection[str]) -> Any:
    """Read a JSON value as one of the JSON types `kinds`, of none of which it is.

    A whole number is a text of its digits, and a text a number when it is written just as that number would
    be. Nothing else is read: no flag, no fraction as text, no object, list or null.

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
