"""Small quantities as people write them in YAML: durations and rates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: Any) -> Any:
    match = re.fullmatch(r"(\d+)([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("write a duration such as 30s, 5m, 1h or 2d")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def _age(value: Any) -> Any:
    match = re.fullmatch(r"([1-9]\d{0,4})([dy])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("write an age in days or years, such as 90d or 3y")
    return int(match[1]) * timedelta(days={"d": 1, "y": 365.25}[match[2]])


def _rate(value: Any) -> Any:
    match = re.fullmatch(r"(\d+)/([smhd])", value) if isinstance(value, str) else None
    if not match or int(match[1]) == 0:
        raise ValueError("write a rate such as 20/s or 600/m")
    return int(match[1]) / _SECONDS[match[2]]


Duration = Annotated[timedelta, BeforeValidator(_duration, json_schema_input_type=str)]
"""`30s`, `5m`, `1h`, `2d`."""

Age = Annotated[timedelta, BeforeValidator(_age, json_schema_input_type=str)]
"""`90d`, `3y`; a year of 365.25 days."""

Rate = Annotated[float, BeforeValidator(_rate, json_schema_input_type=str)]
"""Requests a second, written `20/s` or `600/m`."""


def in_words(quantity: timedelta | float) -> str:
    """Write a duration, or a rate of requests a second, as YAML does: `1h`, `20/s`, `600/m`."""
    if isinstance(quantity, timedelta):
        seconds = int(quantity.total_seconds())
        unit = next(unit for unit, size in reversed(_SECONDS.items()) if seconds % size == 0)
        return f"{seconds // _SECONDS[unit]}{unit}"
    unit = next((unit for unit, size in _SECONDS.items() if (quantity * size).is_integer()), "h")
    return f"{quantity * _SECONDS[unit]:g}/{unit}"


@dataclass(frozen=True)
class Written:
    """Refuses a text that is not all of `pattern`, and says what to write instead of quoting the pattern."""

    pattern: str
    advice: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check what is otherwise a text."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Editors check by the pattern."""
        return {**handler(schema), "pattern": self.pattern}

    def _checked(self, text: str) -> str:
        # Unlike at `$`, no line end may follow.
        if not re.fullmatch(self.pattern, text):
            raise ValueError(self.advice)
        return text
