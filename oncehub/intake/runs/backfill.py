"""Backfills: a bounded window of a stream is read again, beside the live run and without its cursor."""

from __future__ import annotations

from datetime import datetime

from oncehub.clock import VIETNAM
from oncehub.config.connector import Connector, SequenceChanges, TimeChanges, TokenChanges
from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError
from oncehub.intake.runs.cursor import changes_of


def window_asked(connector: Connector, stream: str, since: str | None, until: str | None) -> Window | None:
    """Parse the two bounds of a backfill as the operator writes them; None when both are empty.

    Bounds are times in ISO 8601, of Vietnam where they state no zone, or numbers for changes by sequence.

    Raises:
        ConfigError: when one is missing, cannot be read, or does not fit the changes of the stream.
    """
    if not since and not until:
        return None
    if not since or not until:
        raise ConfigError("a backfill needs both bounds: give since and until")
    by_sequence = isinstance(changes_of(connector, stream), SequenceChanges)
    read = _number if by_sequence else _moment
    window = Window(read("since", since), read("until", until))
    check_backfill(connector, stream, window)
    return window


def check_backfill(connector: Connector, stream: str, window: Window) -> None:
    """Check that a stream can be read by a window.

    Raises:
        ConfigError: when the stream lists no changes or lists them in another way, or the window is open or
            empty.
    """
    name = f"{connector.source}.{stream}"
    changes = changes_of(connector, stream)
    if changes is None:
        raise ConfigError(f"{name} lists no changes, so it cannot be read by a window; read it in full")
    if isinstance(changes, TokenChanges):
        raise ConfigError(
            f"{name} lists its changes from a token, so it cannot be read by a window; read it in full"
        )
    since, until = window.since, window.until
    if since is None or until is None:
        raise ConfigError(f"{name}: a backfill needs both bounds: give since and until")
    by_time = isinstance(changes, TimeChanges)
    if isinstance(since, datetime) != by_time:
        kind = "times" if by_time else "sequence numbers"
        raise ConfigError(f"{name} lists its changes by {kind}; give since and until as {kind}")
    if since >= until:  # type: ignore[operator] # a window's bounds are of one kind
        raise ConfigError(f"{name}: since must be before until")


def _number(end: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ConfigError(f"{end} is not a sequence number; write a whole number")
    return int(text)


def _moment(end: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{end} is not a time; write e.g. 2026-01-31 or 2026-01-31T08:00+07:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=VIETNAM)
