"""A line of the access log as the bytes that are sealed and archived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
"""How lines and statements of seals write a moment, in UTC: `2026-05-01T01:02:03.000004Z`."""


def line(row: Mapping[str, Any]) -> bytes:
    """Return a row of `audit.entry` as canonical JSON (RFC 8785), without a newline.

    Moments are text in UTC with microseconds; what is null is left out, so that a column added later leaves
    the bytes of earlier lines as they were.
    """
    stated = {name: value for name, value in row.items() if value is not None}
    return orjson.dumps(stated, default=_text, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)


def moment(value: datetime) -> str:
    """Return a moment as `MOMENT` has it."""
    return value.astimezone(UTC).strftime(MOMENT)


def _text(value: Any) -> str:
    return moment(value) if isinstance(value, datetime) else str(value)
