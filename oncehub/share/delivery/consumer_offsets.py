"""Consumer offsets: how far an agency's clients have come with a sequence.

Each step forward is one row of `share.consumer_offset`. A client that asks again for what it had, as after a
restart, adds none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from psycopg2 import sql

from oncehub.errors import NotFetched, OutOfSequence
from oncehub.share.request_proofs import insert
from oncehub.store.connection import Connection
from oncehub.store.history import require_own

Statement = str | sql.Composable


@dataclass(frozen=True)
class Published:
    """A sequence as its consumers see it.

    Attributes:
        name: of a feed, or `corrections.<source>`.
        last: a statement that gives the number of its last line; no row, or 0, when there is none.
        values: of the placeholders of `last` and of the statement that reads the lines.
    """

    name: str
    last: Statement
    values: Mapping[str, Any]


Kind = Literal["fetched", "acknowledged"]


@dataclass(frozen=True)
class Position:
    """How far clients have come; 0 is before the first line.

    Attributes:
        fetched: every line up to this number was given out.
        acknowledged: every line up to this number is kept, as the agency says.
    """

    fetched: int
    acknowledged: int

    def lag(self, last: int) -> int:
        """Return how many of the lines up to `last`, the sequence's last number, are not acknowledged."""
        return max(last - self.acknowledged, 0)


_POSITION = """
select coalesce((
    select max(sequence) from share.consumer_offset
    where feed = %(feed)s and kind = each.kind and (%(client_id)s::text is null or client_id = %(client_id)s)
), 0)
from unnest(array['fetched', 'acknowledged']) with ordinality as each (kind, place)
order by place
"""


def position(connection: Connection, feed: str, client_id: str | None = None) -> Position:
    """Return how far one client has come with the sequence `feed`; without one, all clients together."""
    with connection.cursor() as cursor:
        cursor.execute(_POSITION, {"feed": feed, "client_id": client_id})
        (fetched,), (acknowledged,) = cursor.fetchall()
    return Position(fetched, acknowledged)


def note_fetched(connection: Connection, feed: str, client_id: str, after: int, reached: int) -> None:
    """Note within the caller's transaction that the lines above `after` up to `reached` are given out.

    A client that asks for lines beyond what was given out has not been given those between; its offset stays.
    """
    if after <= position(connection, feed).fetched:
        _step(connection, feed, client_id, "fetched", reached)


def note_page(connection: Connection, feed: str, client_id: str, after: int, reached: int) -> None:
    """Note a page as given out, and the lines up to `after` as kept: a client asks on from what it has."""
    note_fetched(connection, feed, client_id, after, reached)
    if 0 < after <= position(connection, feed).fetched:
        _step(connection, feed, client_id, "acknowledged", after)


def require_in_sequence(
    connection: Connection, published: Published, sequence: int, epoch: str | None
) -> str:
    """Check that a consumer can have the lines up to `sequence`, and return the epoch of the numbers.

    After a restore the hub may have forgotten lines that consumers have, and gives their numbers to others.
    A consumer that states the epoch of its last page is also refused a number that was not given out: the
    files of a server may return to an earlier moment without a new epoch.

    Args:
        connection: in a transaction.
        published: the sequence.
        sequence: 0 is before the first line.
        epoch: that of the page with this line; None where the consumer does not say.

    Raises:
        OutOfSequence: when it cannot.
    """
    current = require_own(connection)
    with connection.cursor() as cursor:
        cursor.execute(published.last, published.values)
        row = cursor.fetchone()
    end = int(row[0]) if row else 0
    anew = f"the last line is {end}; take a new snapshot: read from after=0 and replace what you hold"
    if epoch is not None and epoch != current:
        raise OutOfSequence(
            f"the numbers of {published.name} are those of another epoch: the hub was restored, and {anew}",
            end,
            current,
        )
    reached = end if epoch is None else min(end, position(connection, published.name).fetched)
    if sequence > reached:
        state = f"ends before {sequence}" if sequence > end else f"has not given out {sequence}"
        raise OutOfSequence(f"{published.name} {state}: {anew}", end, current)
    return current


def require_fetched(connection: Connection, feed: str, sequence: int) -> Position:
    """Check that the lines up to `sequence` were given out, and return how far all clients have come.

    Raises:
        NotFetched: when they were not.
    """
    reached = position(connection, feed)
    if sequence > reached.fetched:
        raise NotFetched("lies beyond what was fetched", ("acknowledged",))
    return reached


def note_acknowledged(connection: Connection, feed: str, client_id: str, sequence: int) -> Position:
    """Note within the caller's transaction that the lines up to `sequence` are kept; an earlier one is none.

    Returns:
        How far all clients have come.
    """
    if sequence:
        _step(connection, feed, client_id, "acknowledged", sequence)
    return position(connection, feed)


def _step(connection: Connection, feed: str, client_id: str, kind: Kind, sequence: int) -> None:
    if sequence > getattr(position(connection, feed, client_id), kind):
        row = {"feed": feed, "kind": kind, "client_id": client_id, "sequence": sequence}
        insert(connection, "share.consumer_offset", row)
