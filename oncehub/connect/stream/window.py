"""The window of changes that one read asks for, by time or by sequence, in the form of the source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from oncehub.config.connector import SequenceChanges, Stream, TokenChanges, Updated
from oncehub.errors import ConfigError

Bound = datetime | int | None
"""A time-zone aware instant, or the number of a change where a stream numbers its changes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """Records stated from `since` (inclusive) until `until` (exclusive), by time or by sequence.

    `since` None means a full read; `until` None, whatever the source has. With `token`, what changed since
    the source gave it.
    """

    since: Bound
    until: Bound
    token: str | None = None

    def __post_init__(self) -> None:
        for bound in (self.since, self.until):
            if isinstance(bound, datetime) and bound.tzinfo is None:
                raise ValueError("a window's bounds need a time zone")
        if len({isinstance(bound, int) for bound in (self.since, self.until) if bound is not None}) > 1:
            raise ValueError("a window is bounded by times or by numbers, not by both")


def window_parameters(window: Window, name: str, stream: Stream) -> dict[str, str]:
    """Return the query parameters that select `window`; `name` names the stream in errors.

    A bound finer than the source's form is cut to it: below for `since`, so nothing is lost, and below for
    `until`, so the next window begins where this one ended.

    Raises:
        ConfigError: when `since` is given but the stream cannot select by change, or bounds are of a kind
            that it does not know.
    """
    changes = stream.changes
    if changes is None:
        if window.since is not None:
            raise ConfigError(f"{name}: has no `changes`; read it in full")
        return {}
    if isinstance(changes, TokenChanges):
        if (window.since, window.until) != (None, None):
            raise ConfigError(f"{name}: knows its changes by token; no time or number bounds its window")
        return {changes.parameter: window.token} if changes.parameter and window.token is not None else {}
    parameters = {changes.since: window.since, changes.until: window.until}
    by_sequence = isinstance(changes, SequenceChanges)
    if any(bound is not None and isinstance(bound, int) != by_sequence for bound in parameters.values()):
        kind = "sequence numbers" if by_sequence else "times"
        raise ConfigError(f"{name}: knows its changes by {kind}; bound its window by {kind}")
    return {
        parameter: str(bound) if isinstance(bound, int) else rendered_time(bound, stream.updated)
        for parameter, bound in parameters.items()
        if parameter and bound is not None
    }


def rendered_time(moment: datetime, updated: Updated) -> str:
    """Write an instant as the source writes `updated`: its form, in its zone; UTC as `Z`."""
    if updated.format in {"unix", "unix_ms"}:
        # Whole units since 1970, by integers: a float would round some milliseconds up.
        unit = timedelta(seconds=1) if updated.format == "unix" else timedelta(milliseconds=1)
        return str((moment - _EPOCH) // unit)
    local = moment.astimezone(ZoneInfo(updated.zone))
    if updated.format == "iso8601":
        return local.isoformat().replace("+00:00", "Z")
    return local.strftime(updated.format)
