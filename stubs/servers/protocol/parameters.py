"""Query strings read strictly: an unknown, repeated or malformed parameter is a 400 that names it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from starlette.requests import Request

from stubs.servers.protocol.refusals import bad_parameter

VIETNAM = timezone(timedelta(hours=7))
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_VIETNAM_LOCAL = re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d")

Window = tuple[datetime | None, datetime | None]


def iso_instant(text: str) -> datetime:
    """An ISO 8601 instant with its offset; `ValueError` says what is expected."""
    if not _ISO.fullmatch(text):
        raise ValueError("expected an ISO 8601 instant with offset, as 2026-07-01T00:00:00+07:00")
    return datetime.fromisoformat(text)


def utc_instant(text: str) -> datetime:
    """An ISO 8601 instant in UTC, written with `Z`."""
    if not text.endswith("Z"):
        raise ValueError("expected an ISO 8601 instant in UTC, as 2026-07-01T00:00:00Z")
    return iso_instant(text)


def vietnam_instant(text: str) -> datetime:
    """A Vietnam local time `dd/MM/yyyy HH:mm:ss`."""
    if not _VIETNAM_LOCAL.fullmatch(text):
        raise ValueError("expected a local time as 01/07/2026 00:00:00")
    return datetime.strptime(text, "%d/%m/%Y %H:%M:%S").replace(tzinfo=VIETNAM)


class Query:
    """The parameters of one request, of which only `allowed` names may occur, each once."""

    def __init__(self, request: Request, *allowed: str) -> None:
        self._values: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name not in allowed:
                raise bad_parameter(name, f"unknown parameter; known are {', '.join(allowed)}")
            if name in self._values:
                raise bad_parameter(name, "given more than once")
            self._values[name] = value

    def text(self, name: str) -> str | None:
        """The parameter as sent, or None when absent."""
        return self._values.get(name)

    def integer(self, name: str, default: int, *, minimum: int, maximum: int | None = None) -> int:
        """A decimal integer within the bounds."""
        text = self._values.get(name, str(default))
        upper = "" if maximum is None else f" to {maximum}"
        if not re.fullmatch(r"[0-9]{1,12}", text):
            raise bad_parameter(name, f"expected an integer from {minimum}{upper}")
        number = int(text)
        if number < minimum or (maximum is not None and number > maximum):
            raise bad_parameter(name, f"expected an integer from {minimum}{upper}")
        return number

    def window(self, since: str, until: str, parse: Callable[[str], datetime]) -> Window:
        """The two bounds of a window in UTC; from inclusive, until exclusive, either may be absent."""
        bounds = self._instant(since, parse), self._instant(until, parse)
        if bounds[0] and bounds[1] and bounds[0] > bounds[1]:
            raise bad_parameter(until, f"earlier than {since}")
        return bounds

    def _instant(self, name: str, parse: Callable[[str], datetime]) -> datetime | None:
        text = self._values.get(name)
        if text is None:
            return None
        try:
            return parse(text).astimezone(UTC)
        except (ValueError, OverflowError) as wrong:
            raise bad_parameter(name, str(wrong)) from None
