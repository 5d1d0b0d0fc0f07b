"""How far an agency has come with a feed or its notices: each step forward is a line of `share.receipt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oncehub.store.connection import Connection

Kind = Literal["fetched", "acknowledged"]


@dataclass(frozen=True)
class Position:
    """How far the clients of one feed have come together; 0 is before the first line.

    Attributes:
        fetched: every line up to it was given out.
        acknowledged: every line up to it is kept, by the agency's own word.
    """

    fetched: int
    acknowledged: int


# Each step is written once; a client that asks again for what it had, as after a restart, makes none.
_STEP = """
insert into share.receipt (feed, kind, sequence, client_id)
select %(feed)s, %(kind)s, %(sequence)s, %(client_id)s
where %(sequence)s > coalesce((
    select max(sequence) from share.receipt
    where feed = %(feed)s and kind = %(kind)s and client_id = %(client_id)s
), 0)
on conflict do nothing
"""

_POSITION = """
select
    coalesce((select max(sequence) from share.receipt where feed = %(feed)s and kind = 'fetched'), 0),
    coalesce((select max(sequence) from share.receipt where feed = %(feed)s and kind = 'acknowledged'), 0)
"""


def position(connection: Connection, feed: str) -> Position:
    """Return how far a feed, or `corrections.<source>`, was fetched and acknowledged."""
    with connection.cursor() as cursor:
        cursor.execute(_POSITION, {"feed": feed})
        fetched, acknowledged = cursor.fetchone() or (0, 0)
    return Position(fetched, acknowledged)


def note_fetched(connection: Connection, feed: str, client_id: str, after: int, reached: int) -> None:
    """Note within the caller's transaction that the lines above `after` up to `reached` are given out.

    Whoever asks for lines beyond what was given out has not been given those between, and is not counted
    further for it.
    """
    if after <= position(connection, feed).fetched:
        step(connection, feed, client_id, "fetched", reached)


def note_page(connection: Connection, feed: str, client_id: str, after: int, reached: int) -> None:
    """Note a page of a feed as given out, and what lies before it as kept: who asks on from there has it."""
    note_fetched(connection, feed, client_id, after, reached)
    if 0 < after <= position(connection, feed).fetched:
        step(connection, feed, client_id, "acknowledged", after)


def step(connection: Connection, feed: str, client_id: str, kind: Kind, sequence: int) -> None:
    """Note within the caller's transaction that a client has come to `sequence`, if that is further."""
    values = {"feed": feed, "kind": kind, "client_id": client_id, "sequence": sequence}
    with connection.cursor() as cursor:
        cursor.execute(_STEP, values)
