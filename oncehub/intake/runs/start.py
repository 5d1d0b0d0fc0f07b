"""Starts a run: resumes the unfinished one of the same kind, or opens a new one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from oncehub.config.connector import Connector
from oncehub.connect.stream.window import Window
from oncehub.intake.runs.cursor import asks_as, changes_of, live_window
from oncehub.intake.runs.run import Run
from oncehub.intake.runs.stream_locks import Mode, Reader
from oncehub.store.connection import Connection

_UNFINISHED = """
select run.run_id, run.mode, run.started_at,
       run.window_from, run.window_until, run.sequence_from, run.sequence_until,
       run.token_from, checkpoint.run_id is not null as begun, checkpoint.page, run.definition
from intake.run left join intake.checkpoint using (run_id)
where run.source = %(source)s and run.stream = %(stream)s and run.reader = %(reader)s
  and (run.state = 'running' or run.state = 'failed' and checkpoint.run_id is not null)
order by run.run_id desc
limit 1
"""

_TAKE_OVER = """
update intake.run set state = 'running', finished_at = null, error = null where run_id = %(run_id)s
"""

_OPEN = """
insert into intake.run
    (source, stream, mode, window_from, window_until, sequence_from, sequence_until, token_from, started_at,
     definition)
values
    (%(source)s, %(stream)s, %(mode)s, %(window_from)s, %(window_until)s,
     %(sequence_from)s, %(sequence_until)s, %(token_from)s, %(now)s, %(definition)s)
returning run_id
"""

_LAST_FULL = """
select definition from intake.run
where source = %(source)s and stream = %(stream)s and mode = 'full' and state = 'succeeded'
order by run_id desc
limit 1
"""

Begin = Callable[[Connection], Run]
"""Starts a run within the caller's transaction."""


def begin_live(
    connection: Connection,
    connector: Connector,
    stream: str,
    *,
    full: bool,
    definition: str,
    now: datetime,
) -> Run:
    """Resume the stream's unfinished live run, or open a new one, within the caller's transaction.

    With `full`, an unfinished run of changes is closed, and one whose first pages landed by another
    `definition` too.
    """
    unfinished = _unfinished(connection, connector.source, stream, "live")
    if unfinished:
        if not asks_as(changes_of(connector, stream), unfinished.window):
            unfinished.fail(
                "given up: the stream lists its changes in another way now", keep_checkpoint=False
            )
        elif full and unfinished.mode != "full":
            unfinished.fail("given up for a full read", keep_checkpoint=False)
        elif full and unfinished.definition != definition:
            unfinished.fail("given up: contract or mapping has changed since", keep_checkpoint=False)
        else:
            return unfinished
    mode, window = live_window(connection, connector, stream, full=full, now=now)
    return _opened(connection, (connector.source, stream), mode, window, definition=definition, now=now)


def begin_backfill(
    connection: Connection,
    connector: Connector,
    stream: str,
    window: Window,
    *,
    definition: str,
    now: datetime,
) -> Run:
    """Resume the stream's unfinished backfill of `window`, or open one; close one of another window.

    What the closed one landed stays; its window is read from the start when it is asked for again.
    """
    unfinished = _unfinished(connection, connector.source, stream, "backfill")
    if unfinished:
        if unfinished.window == window:
            return unfinished
        unfinished.fail("given up for another window", keep_checkpoint=False)
    return _opened(connection, (connector.source, stream), "backfill", window, definition=definition, now=now)


def begin_replay(connection: Connection, source: str, stream: str, *, definition: str, now: datetime) -> Run:
    """Open a replay; close an interrupted one, whose remaining records are still in quarantine."""
    if unfinished := _unfinished(connection, source, stream, "replay"):
        unfinished.fail("interrupted", keep_checkpoint=False)
    return _opened(connection, (source, stream), "replay", Window(None, None), definition=definition, now=now)


def definition_changed(connection: Connection, source: str, stream: str, definition: str) -> bool:
    """Tell whether the last full run used another definition, so that rows of that one may remain."""
    row = _one(connection, _LAST_FULL, {"source": source, "stream": stream})
    return row is not None and row[0] not in (None, definition)


def _unfinished(connection: Connection, source: str, stream: str, reader: Reader) -> Run | None:
    row = _one(connection, _UNFINISHED, {"source": source, "stream": stream, "reader": reader})
    if row is None:
        return None
    run_id, mode, started_at, window_from, window_until, sequence_from, sequence_until, *rest = row
    token, begun, page, definition = rest
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_OVER, {"run_id": run_id})
    since = window_from if window_from is not None else sequence_from
    until = window_until if window_until is not None else sequence_until
    return Run(
        connection,
        run_id,
        source,
        stream,
        mode,
        Window(since, until, token),
        started_at,
        definition,
        resume=page,
        all_landed=begun and page is None,
        taken_over=True,
    )


def _opened(
    connection: Connection,
    names: tuple[str, str],
    mode: Mode,
    window: Window,
    *,
    definition: str,
    now: datetime,
) -> Run:
    source, stream = names
    values = {"source": source, "stream": stream, "mode": mode, "definition": definition, "now": now}
    row = _one(connection, _OPEN, values | _bounds(window))
    assert row is not None
    return Run(connection, row[0], source, stream, mode, window, now, definition)


def _bounds(window: Window) -> dict[str, Any]:
    bounds: dict[str, Any] = {"token_from": window.token}
    for end, bound in (("from", window.since), ("until", window.until)):
        bounds[f"sequence_{end}"] = bound if isinstance(bound, int) else None
        bounds[f"window_{end}"] = bound if isinstance(bound, datetime) else None
    return bounds


def _one(connection: Connection, statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
