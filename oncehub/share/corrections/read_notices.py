"""Serves published correction notices to their source, and takes its acknowledgements and responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from oncehub.config.agreements import Agreement, Corrections
from oncehub.errors import NotFetched
from oncehub.share.corrections.publish_notices import LAST, feed_name
from oncehub.share.delivery.consumer_offsets import (
    Position,
    Published,
    note_acknowledged,
    note_fetched,
    require_fetched,
    require_in_sequence,
)
from oncehub.share.delivery.gap_free_sequence import SequencePage, Start, read_page
from oncehub.share.request_proofs import insert
from oncehub.store.connection import Connection
from oncehub.store.statements import statement

Response = Literal["accepted", "in_progress", "rejected"]

RejectionReason = Literal["documented", "other_person", "not_kept"]
"""A document proves the value; the record is about another person; another system keeps the value."""


@dataclass(frozen=True)
class NoticeResponse:
    """What a source says of a notice, by the notice's number; a rejection has a reason."""

    notice: int
    response: Response
    reason: RejectionReason | None = None


# Lines about attributes that have left the agreement are passed over, so that `next` is the last line of all
# when none is left. One statement, for what is published between two would be passed over as well.
_READ = sql.SQL("""
select f.last_sequence, l.*
from {share}.correction_feed f
left join lateral (
    select n.sequence, n.notice, n.change, n.attribute, n.line, n.severity, n.person_key::text, n.outside
    from {share}.notice n
    where n.sequence > %(after)s and n.attribute = any(%(noticed)s)
    order by n.sequence
    limit %(limit)s
) l on true
order by l.sequence
""")

_OWN = frozenset({"purged"})
"""Parts of a line that no source reads: whether its values were purged."""

_UNKNOWN = """
select g.number - 1
from unnest(%(notices)s::bigint[]) with ordinality as g (notice, number)
where not exists (
    select from share.notice n
    where n.source = %(source)s and n.sequence = g.notice and n.notice = g.notice
        and n.sequence <= %(fetched)s and n.attribute = any(%(noticed)s)
)
order by g.number
limit 1
"""


def read_notices(connection: Connection, agreement: Agreement, start: Start) -> SequencePage:
    """Read notices to the agreement's source from `start` on.

    A line is `{sequence, notice, change, kind, severity, record, attribute, source_value, stated_at,
    golden_value, withheld, asserted_by, opened_at, closed_at}`; one that closes also has `closed_because` and
    `resolution_times`, in seconds.

    What the agreement no longer covers is cut out of lines published before, and its severity is today's.
    Of a line that was purged, statements and the record's key are null: the notice has closed, or a later
    line says more.

    Args:
        connection: in a transaction in which a request for the page is open.
        agreement: one with corrections; values outside it are withheld.
        start: where the source reads on.

    Raises:
        OutOfSequence: when the source cannot have the lines up to `start`.
    """
    source = agreement.corrections.source if agreement.corrections else ""
    values = {"noticed": list(agreement.noticed()), "source": source}
    published = Published(feed_name(source), LAST, values)
    return read_page(connection, agreement, published, _READ, lambda row: _line(row, agreement), start=start)


def note_read(
    connection: Connection, corrections: Corrections, client_id: str, after: int, reached: int
) -> None:
    """Note within the caller's transaction that the notices above `after` up to `reached` are given out."""
    note_fetched(connection, feed_name(corrections.source), client_id, after, reached)


def acknowledge(
    connection: Connection,
    agreement: Agreement,
    corrections: Corrections,
    sequence: int,
    answers: Sequence[NoticeResponse],
    *,
    client_id: str,
    epoch: str | None = None,
) -> Position:
    """Note within the caller's transaction how far a source keeps its notices, and what it says to them.

    Doing it again changes nothing, and an earlier sequence takes nothing back.

    Raises:
        NotFetched: when the sequence, or a notice, was not given out to it; nothing is noted then.
        OutOfSequence: when the numbers are those of another epoch, of which the source has stated its own.
    """
    feed = feed_name(corrections.source)
    if epoch is not None:
        require_in_sequence(connection, Published(feed, LAST, {"source": corrections.source}), 0, epoch)
    fetched = require_fetched(connection, feed, sequence).fetched
    values = {
        "source": corrections.source,
        "client_id": client_id,
        "fetched": fetched,
        "noticed": list(agreement.noticed()),
        "notices": [answer.notice for answer in answers],
        "responses": [answer.response for answer in answers],
        "reasons": [answer.reason for answer in answers],
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNKNOWN, values)
        if unknown := cursor.fetchone():
            raise NotFetched(
                "is the number of no notice that was fetched", ("responses", unknown[0], "notice")
            )
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement(__name__, "respond").format(), values)
        given = {"source": corrections.source, "client_id": client_id}
        if responses := [given | row for row in cursor.fetchall()]:
            insert(connection, "share.notice_response", *responses)
    return note_acknowledged(connection, feed, client_id, sequence)


def _line(row: Mapping[str, Any], agreement: Agreement) -> dict[str, Any]:
    line = {name: value for name, value in row["line"].items() if name not in _OWN}
    # A notice about another person's number, or a person outside the population, holds no golden value.
    others = line["kind"] == "wrong_person" or row["outside"]
    withheld = row["attribute"] not in agreement.attributes or others
    cut = {"golden_value": None, "asserted_by": None} if withheld else {}
    head = {name: row[name] for name in ("sequence", "notice", "change", "severity")}
    if row["outside"]:
        head["severity"] = None
    return head | line | cut | {"withheld": withheld}
