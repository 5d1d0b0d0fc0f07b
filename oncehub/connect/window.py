"""The span of statement times that one read asks for, in the form the source understands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from oncehub.model.connector import Stream, Updated
from oncehub.model.errors import ConfigError


@dataclass(frozen=True)
class Window:
    """Statement times from `since` (inclusive) until `until` (exclusive), time-zone aware.

    `since` None means a full read; `until` None, whatever the source has.
    """

    since: datetime | None
    until: datetime | None

    def __post_init__(self) -> None:
        for bound in (self.since, self.until):
            if bound is not None and bound.tzinfo is None:
                raise ValueError("a window's bounds need a time zone")


def window_parameters(window: Window, name: str, stream: Stream) -> dict[str, str]:
    """Return the query parameters that select `window`; `name` tells the stream in errors.

    A bound finer than the source's form is cut to it: below for `since`, so nothing is lost, and below for
    `until`, so the next window begins where this one ended.

    Raises:
        ConfigError: when `since` is given but the stream cannot tell what changed.
    """
    changes = stream.changes
    if changes is None:
        if window.since is not None:
            raise ConfigError(f"{name}: has no `changes`; read it in full")
        return {}
    parameters = {changes.since: window.since, changes.until: window.until}
    return {
        parameter: rendered_time(bound, stream.updated)
        for parameter, bound in parameters.items()
        if parameter and bound is not None
    }


def rendered_time(moment: datetime, updated: Updated) -> str:
    """Write an instant as the source writes `updated`: its form, in its zone; UTC as `Z`."""
    local = moment.astimezone(ZoneInfo(updated.zone))
    if updated.format == "iso8601":
        return local.isoformat().replace("+00:00", "Z")
    return local.strftime(updated.format)
