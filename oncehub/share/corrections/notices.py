"""What a source reads of its correction notices, and what it says to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from psycopg2 import sql

from oncehub.audit.log.pages import Told
from oncehub.config.agreements import Agreement, Corrections
from oncehub.errors import NotFetched
from oncehub.share.agreements.roles import as_agreement, schema_of
from oncehub.share.corrections.publish import feed_name
from oncehub.share.delivery.offsets import Position, note_fetched, position, step
from oncehub.store.connection import Connection

Response = Literal["accepted", "in_work", "rejected"]

RejectionReason = Literal["documented", "other_person", "not_kept"]
"""It holds a document that proves its value; its record speaks of somebody else; another system keeps it."""


@dataclass(frozen=True)
class NoticePage:
    """A piece of a source's notices.

    Attributes:
        notices: lines `{sequence, notice, change, kind, severity, record, attribute, source_value,
            stated_at, golden_value, withheld, asserted_by, opened_at, closed_at}` in order of sequence; one
            that closes also has `closed_because` and `resolution_times`, in seconds.
        next: `after` of the next read.
        more: whether there are further lines now.
        told: whom each line is about, for the log.
    """

    notices: list[dict[str, Any]]
    next: int
    more: bool
    told: tuple[Told, ...]


@dataclass(frozen=True)
class NoticeResponse:
    """What a source says of a notice, by the notice's number; a rejection has a reason."""

    notice: int
    response: Response
    reason: RejectionReason | None = None


# Lines about attributes that have left the agreement are passed over, so that `next` is the last line of all
# when none is left; one statement, for what is published between two would be passed over as well.
_READ = """
select f.last_sequence, l.*
from {schema}.correction_feed f
left join lateral (
    select n.sequence, n.notice, n.change, n.attribute, n.line, n.severity, n.person_key::text, n.outside
    from {schema}.notice n
    where n.sequence > %(after)s and n.attribute = any(%(told)s)
    order by n.sequence
    limit %(limit)s
) l on true
order by l.sequence
"""

_OWN = frozenset({"purged"})
"""What of a line no source is told: that its values were purged, for a later line has settled it."""

_UNKNOWN = """
select g.number - 1
from unnest(%(notices)s::bigint[]) with ordinality as g (notice, number)
where not exists (
    select from share.notice n
    where n.source = %(source)s and n.sequence = g.notice and n.notice = g.notice
        and n.sequence <= %(fetched)s and n.attribute = any(%(told)s)
)
order by g.number
limit 1
"""

# Said once more, a reading is the same; said twice in one breath, the last counts.
_ANSWER = """
insert into share.notice_reading (source, notice, client_id, reading, reason)
select %(source)s, g.notice, %(client_id)s, g.reading, g.reason
from (
    select distinct on (notice) *
    from unnest(%(notices)s::bigint[], %(readings)s::text[], %(reasons)s::text[])
        with ordinality as given (notice, reading, reason, number)
    order by notice, number desc
) g
left join lateral (
    select r.reading, r.reason from share.notice_reading r
    where r.source = %(source)s and r.notice = g.notice
    order by r.reading_id desc
    limit 1
) before on true
where (g.reading, g.reason) is distinct from (before.reading, before.reason)
order by g.notice
"""


def read_notices(connection: Connection, agreement: Agreement, after: int, limit: int) -> NoticePage:
    """Read up to `limit` notices to the agreement's source with a sequence above `after`.

    What the agreement no longer covers is cut out of lines published before, and its severity is today's.
    Of a line that was purged, statements and the record's key are null: the notice has closed, or a later
    line says more.

    Args:
        connection: one that may become the agreement's role.
        agreement: one with corrections, within which values are told.
        after: sequence of the last line the source has; 0 reads from the start.
        limit: at least 1.
    """
    statement = sql.SQL(_READ).format(schema=sql.Identifier(schema_of(agreement.name)))
    with as_agreement(connection, agreement) as cursor:
        cursor.execute(statement, {"after": after, "limit": limit + 1, "told": list(agreement.noticed())})
        rows = cursor.fetchall()
    lines = [row for row in rows if row["sequence"] is not None]
    shown, more = lines[:limit], len(lines) > limit
    last = shown[-1]["sequence"] if more else max([after, *(row["last_sequence"] for row in rows)])
    told = tuple(Told(row["sequence"], row["person_key"]) for row in shown)
    return NoticePage([_line(row, agreement) for row in shown], last, more, told)


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
) -> Position:
    """Note within the caller's transaction how far a source keeps its notices, and what it says to them.

    Doing it again changes nothing, and an earlier sequence takes nothing back.

    Raises:
        NotFetched: when the sequence, or a notice, was not given out to it; nothing is noted then.
    """
    feed = feed_name(corrections.source)
    fetched = position(connection, feed).fetched
    if sequence > fetched:
        raise NotFetched("lies beyond what was fetched", ("acknowledged",))
    values = {
        "source": corrections.source,
        "client_id": client_id,
        "fetched": fetched,
        "told": list(agreement.noticed()),
        "notices": [answer.notice for answer in answers],
        "readings": [answer.response for answer in answers],
        "reasons": [answer.reason for answer in answers],
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNKNOWN, values)
        if unknown := cursor.fetchone():
            raise NotFetched(
                "is the number of no notice that was fetched", ("responses", unknown[0], "notice")
            )
        cursor.execute(_ANSWER, values)
    if sequence:
        step(connection, feed, client_id, "acknowledged", sequence)
    return position(connection, feed)


def _line(row: dict[str, Any], agreement: Agreement) -> dict[str, Any]:
    line = {name: value for name, value in row["line"].items() if name not in _OWN}
    # Of somebody else's number nothing is told but the record's own word, nor of who has left the population.
    others = line["kind"] == "wrong_person" or row["outside"]
    withheld = row["attribute"] not in agreement.attributes or others
    cut = {"golden_value": None, "asserted_by": None} if withheld else {}
    head = {name: row[name] for name in ("sequence", "notice", "change", "severity")}
    if row["outside"]:
        head["severity"] = None
    return head | line | cut | {"withheld": withheld}
