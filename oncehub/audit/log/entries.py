"""Writes and reads `audit.entry`: an entry is written in the transaction of the answer that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from oncehub.audit.log.hashing import leaf_hash, root_hash
from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.store.connection import Connection


@dataclass(frozen=True)
class DisclosedLine:
    """One line of a page and the key of its person; None where it is about no person whom the hub knows."""

    sequence: int
    person_key: str | None


@dataclass(frozen=True)
class Page:
    """What a page gave out.

    Attributes:
        feed: a feed's name, or `corrections.<source>`.
        first: sequence of the first line given out, and `last` of the last; None where there was none.
        given: see `given_root`; None where no line was given out.
    """

    feed: str
    first: int | None
    last: int | None
    given: str | None


def page(key: bytes, feed: str, lines: Sequence[DisclosedLine]) -> Page:
    """Return what the log keeps of the lines, which are in order of sequence."""
    if not lines:
        return Page(feed, None, None, None)
    return Page(feed, lines[0].sequence, lines[-1].sequence, given_root(key, lines))


def given_root(key: bytes, lines: Sequence[DisclosedLine]) -> str:
    """Return the Merkle root (RFC 6962) over `<sequence> <pseudonym>` of each line about a person.

    The root is signed, so that a later change of the person of a line is detected. The pseudonym is that of
    `audit.entry`.
    """
    leaves = [
        leaf_hash(f"{line.sequence} {person_pseudonym(key, line.person_key)}".encode())
        for line in lines
        if line.person_key
    ]
    # RFC 6962: without lines it is the hash of the empty string.
    return (root_hash(leaves) if leaves else sha256().digest()).hex()


Action = Literal[
    "lookup",
    "prefill",
    "submission",
    "feed",
    "corrections",
    "acknowledgement",
    "case",
    "consent",
    "usage",
    "correction_request",
    "adoption",
]
Outcome = Literal["answered", "not_found", "refused", "opened"]
"""`opened`: written before anything was told; another line of the request says what came of it."""
Involvement = Literal["consulted", "appeared"]
VouchedBy = Literal["client", "provider", "officer"]
"""Who vouches for the person who acts: see `Entry.vouched_by`."""


@dataclass(frozen=True)
class Entry:
    """One answer or refusal.

    Attributes:
        legal_basis: the text and article of the agreement.
        procedure: code of the procedure whose form was asked for.
        person: the person's pseudonym (`person_pseudonym`); None where nobody was found or looked for.
        attributes: what left the hub; of a refused or unanswered request, what was asked for.
        refused: of these, what the agreement does not cover.
        officer: who at the agency acted; None where a system asked by itself.
        case_id: the case that was looked at, or decided by `decision_id`.
        involvement: of a line that names a person, whether it was asked about them, or they appeared in what
            was answered about somebody or something else; None where nobody is named.
        page: what was given out of a feed or of correction notices; who appears in it is not named here.
        hidden_by: the legal text that keeps the line from the person's view as of now.
        withheld: why a person who was found was answered about as nobody is: outside the agreement's
            population, or without consent.
        vouched_by: who vouches for the officer or citizen who acts: the `client` alone, an identity
            `provider` whose assertion the hub verified, or a proven `officer` for a citizen at a counter;
            None where nobody is named.
    """

    client_id: str
    agency: str
    agreement: str
    purpose: str
    legal_basis: str
    action: Action
    procedure: str | None
    person: str | None
    attributes: tuple[str, ...]
    refused: tuple[str, ...]
    outcome: Outcome
    request_id: UUID
    officer: str | None = None
    case_id: int | None = None
    decision_id: int | None = None
    involvement: Involvement | None = None
    page: Page | None = None
    hidden_by: str | None = None
    withheld: Literal["population", "consent"] | None = None
    vouched_by: VouchedBy | None = None


@dataclass(frozen=True)
class Refusals:
    """Requests that were refused alike before a question was asked under an agreement: one line for all.

    Attributes:
        status: of the answers.
        client_id: of an authenticated client, and `agreement` its agreement; None where there was none.
        claimed_client: the client that the requests claimed without proof; None where they claimed none.
        source: the address that sent them; None where it is not known.
        count: how many.
        first_at: when the first was answered, and `last_at` the last.
        request_id: of the first.
    """

    status: int
    client_id: str | None
    agreement: str | None
    claimed_client: str | None
    source: str | None
    count: int
    first_at: datetime
    last_at: datetime
    request_id: UUID


@dataclass(frozen=True)
class WrittenEntry:
    """An entry as the log holds it; `at` is in UTC."""

    entry_id: int
    at: datetime
    entry: Entry


_WRITE = """
insert into audit.entry ({}) values ({})
"""

_WRITE_REFUSALS = """
select share.count_refusals(%(status)s::smallint, %(client_id)s, %(agreement)s, %(claimed_client)s,
    %(source)s::inet, %(count)s, %(first_at)s, %(last_at)s, %(request_id)s::uuid)
"""

_READ = """
select client_id, agency, agreement, purpose, legal_basis, action, procedure, person, attributes, refused,
    outcome, request_id::text, officer, case_id, decision_id, involvement, hidden_by, feed, first_sequence,
    last_sequence, given, withheld, vouched_by, entry_id, at
from audit.entry
where entry_id > %(after)s and (%(person)s::text is null or person = %(person)s) and action <> 'refusals'
    and outcome <> 'opened'
order by entry_id
limit %(limit)s
"""


def write(connection: Connection, *entries: Entry) -> None:
    """Append the entries within the caller's transaction, with the owner's rights."""
    with connection.cursor() as cursor:
        for entry in entries:
            columns = columns_of(entry)
            statement = sql.SQL(_WRITE).format(
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join(map(sql.Placeholder, columns)),
            )
            cursor.execute(statement, columns)


def write_refusals(connection: Connection, refusals: Sequence[Refusals]) -> None:
    """Append a line for each within the caller's transaction."""
    with connection.cursor() as cursor:
        for each in refusals:
            cursor.execute(_WRITE_REFUSALS, vars(each) | {"request_id": str(each.request_id)})


def columns_of(entry: Entry) -> dict[str, Any]:
    """Return an entry by column of `audit.entry`."""
    columns = vars(entry) | {
        "attributes": list(entry.attributes),
        "refused": list(entry.refused),
        "request_id": str(entry.request_id),
    }
    del columns["page"]
    names = ("feed", "first_sequence", "last_sequence", "given")
    return columns | dict(zip(names, _page_columns(entry.page), strict=True))


def read_entries(
    connection: Connection, person: str | None = None, *, after: int = 0, limit: int = 1000
) -> list[WrittenEntry]:
    """Read answers and refusals under agreements above `after` in order of `entry_id`.

    Lines of requests that were opened are left out: another line says what came of each.

    With `person` (a pseudonym) only what concerns them.

    Needs the hub's own role: the API's may not read the log.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_READ, {"person": person, "after": after, "limit": limit})
        return [_written(dict(row)) for row in cursor.fetchall()]


def _page_columns(page: Page | None) -> tuple[str | None, int | None, int | None, str | None]:
    return (page.feed, page.first, page.last, page.given) if page else (None, None, None, None)


def _written(row: dict[str, Any]) -> WrittenEntry:
    entry_id, at = row.pop("entry_id"), row.pop("at")
    page = Page(row.pop("feed"), row.pop("first_sequence"), row.pop("last_sequence"), row.pop("given"))
    row |= {
        "page": page if page.feed else None,
        "attributes": tuple(row["attributes"]),
        "refused": tuple(row["refused"]),
        "request_id": UUID(row["request_id"]),
    }
    return WrittenEntry(entry_id, at, Entry(**row))
