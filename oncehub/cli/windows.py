"""`--since` and `--until`: a bounded window, by time or by sequence number, as the streams tell changes."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from oncehub.connect import Window
from oncehub.model.connector import Connector, SequenceChanges
from oncehub.model.errors import ConfigError

_HOME = ZoneInfo("Asia/Ho_Chi_Minh")


def window_asked(connector: Connector, stream: str, since: str | None, until: str | None) -> Window | None:
    """Return the window of a backfill; None where none is asked for.

    Times are ISO 8601, of Vietnam where they state no zone; of a stream with changes by sequence, numbers.

    Raises:
        ConfigError: when only one bound is given, one cannot be read, or the stream cannot be asked so.
    """
    if since is None and until is None:
        return None
    if since is None or until is None:
        raise ConfigError("give both --since and --until: a backfill has two ends")
    changes = connector.streams[stream].changes
    name = f"{connector.source}.{stream}"
    if changes is None:
        raise ConfigError(f"{name} knows no changes, so no window of it can be read; use --full")
    window = (
        Window(_number(name, since), _number(name, until))
        if isinstance(changes, SequenceChanges)
        else Window(_moment(since), _moment(until))
    )
    if window.since >= window.until:  # type: ignore[operator]  # both are of one kind
        raise ConfigError("--since must lie before --until")
    return window


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ConfigError(f"{name} tells changes by sequence: write --since and --until as whole numbers")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is no time; write one such as 2026-01-31 or 2026-01-31T08:00:00+07:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=_HOME)
