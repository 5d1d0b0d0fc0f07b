"""Stream cursors: how far a stream has been read, across runs.

The place that one unfinished run has reached is not here but in `oncehub.intake.runs.checkpoint`; the
cursors of a paginated listing are in `oncehub.connect.pagination.cursor`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from oncehub.config.connector import Changes, Connector, SequenceChanges, TimeChanges, TokenChanges
from oncehub.connect.stream.window import Bound, Window
from oncehub.intake.runs.stream_locks import Mode
from oncehub.store.connection import Connection

_POSITION = """
select position, sequence, token from intake.cursor where source = %(source)s and stream = %(stream)s
"""

_MARKS = """
select high_mark, high_sequence, token from intake.checkpoint
where source = %(source)s and stream = %(stream)s and reader = 'live'
"""

# The cursor never moves back, unless the stream counts in another way, or restarted its count and was read
# in full.
_ADVANCE = """
insert into intake.cursor (source, stream, position, sequence, token)
values (%(source)s, %(stream)s, %(position)s, %(sequence)s, %(token)s)
on conflict (source, stream) do update
set position = excluded.position, sequence = excluded.sequence, token = excluded.token, advanced_at = now()
where excluded.position > cursor.position
   or excluded.sequence > cursor.sequence
   or (excluded.sequence < cursor.sequence and %(everything)s)
   or (excluded.position is null) <> (cursor.position is null)
   or excluded.token is distinct from cursor.token
"""


def changes_of(connector: Connector, stream: str) -> Changes | None:
    """Return how a stream lists its changes; children of changed parents follow their parent."""
    spec = connector.landed[stream]
    if spec.parent and spec.parent.of == "changed":
        return connector.streams[spec.parent.stream].changes
    return spec.changes


def live_window(
    connection: Connection, connector: Connector, stream: str, *, full: bool, now: datetime
) -> tuple[Mode, Window]:
    """Return the window of the next live run: changes since the cursor, else (or with `full`) everything."""
    changes = changes_of(connector, stream)
    position = None if full else _position(connection, connector.source, stream)
    if isinstance(changes, TimeChanges) and isinstance(position, datetime):
        since = position - changes.overlap
        # Not before `since`, even when the clock of this machine was set back.
        return "changes", Window(since, max(since, now - changes.skew))
    if isinstance(changes, SequenceChanges) and isinstance(position, int):
        return "changes", Window(max(0, position - changes.overlap), None)
    if isinstance(changes, TokenChanges) and isinstance(position, str):
        return "changes", Window(None, None, position)
    return "full", full_window(connector, stream, now)


def full_window(connector: Connector, stream: str, now: datetime) -> Window:
    """Return the window of a full read."""
    changes = changes_of(connector, stream)
    # With an upper bound, a record that changes meanwhile leaves the listing and changes its total.
    return Window(None, now - changes.skew if isinstance(changes, TimeChanges) else None)


def asks_as(changes: Changes | None, window: Window) -> bool:
    """Tell whether a window of an earlier run still fits how the stream lists its changes."""
    if window.token is not None:
        return isinstance(changes, TokenChanges)
    bounds = [bound for bound in (window.since, window.until) if bound is not None]
    if isinstance(changes, TimeChanges):
        return bool(bounds) and all(isinstance(bound, datetime) for bound in bounds)
    return all(isinstance(changes, SequenceChanges) and isinstance(bound, int) for bound in bounds)


def advance(connection: Connection, connector: Connector, stream: str, *, mode: Mode, window: Window) -> None:
    """Move the cursor to where the finished run has seen everything, within the caller's transaction."""
    position = _complete_until(connection, connector, stream, window)
    if position is None:
        return
    values = {
        **_names(connector.source, stream),
        "position": position if isinstance(position, datetime) else None,
        "sequence": position if isinstance(position, int) else None,
        "token": position if isinstance(position, str) else None,
        "everything": mode == "full",
    }
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, values)


def _complete_until(connection: Connection, connector: Connector, stream: str, window: Window) -> Bound | str:
    changes = changes_of(connector, stream)
    high_mark, high_sequence, token = _row(connection, _MARKS, connector.source, stream) or (None, None, None)
    if isinstance(changes, TokenChanges):
        last: str | None = token
        return last
    if isinstance(changes, SequenceChanges):
        sequence: int | None = high_sequence
        return sequence
    if not isinstance(changes, TimeChanges) or not isinstance(window.until, datetime):
        return None
    parent = connector.landed[stream].parent
    if parent and parent.of == "changed":
        # Children do not state when their parents changed, so their cursor never passes their parents'.
        high_mark = _position(connection, connector.source, parent.stream)
    if not isinstance(high_mark, datetime):
        return None
    # Records stated later may still be missing from the pages.
    return min(high_mark, window.until)


def _position(connection: Connection, source: str, stream: str) -> Bound | str:
    row = _row(connection, _POSITION, source, stream) or ()
    return next((each for each in row if each is not None), None)


def _row(connection: Connection, statement: str, source: str, stream: str) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, _names(source, stream))
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _names(source: str, stream: str) -> dict[str, str]:
    return {"source": source, "stream": stream}
