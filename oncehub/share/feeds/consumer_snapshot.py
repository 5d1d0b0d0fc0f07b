"""Compares a consumer snapshot, a file with the contents of an agency's copy of a feed, with the feed.

The agency writes a file of JSON Lines. The first states the last entry of the feed that the file includes,
and the epoch of the page with it: after a restore the same number may be another entry's.

    {"sequence": 4711, "epoch": "<of the page>"}
    {"person": "<pseudonym>", "digest": "<of the values, see `digest`>"}
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
from psycopg2 import errors

from oncehub.audit.log.pseudonyms import feed_pseudonym
from oncehub.config.agreements import Agreement
from oncehub.errors import ConfigError
from oncehub.share.delivery.consumer_offsets import Position
from oncehub.share.feeds.entries import decrypted_line, feed_terms, within
from oncehub.store.connection import Cursor

_BATCH: Final = 10_000
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{64}")

_TABLES = """
drop table if exists snapshot, given;
create temporary table snapshot (person text primary key, digest text) on commit drop;
create temporary table given (person text primary key, digest text) on commit drop;
"""

_GIVEN = """
select d.person_key::text, d.line, share.standing_names(e, d.person_key) as names
from (
    select distinct on (person_key) feed, person_key, line
    from share.feed_entry
    where feed = %(feed)s and sequence <= %(upto)s
    order by person_key, sequence desc
) d cross join share.entitlement e
where e.agreement = %(agreement)s
"""

_FORGET = "delete from snapshot where person = any(%s)"
"""Skip people whose access changed after publication; either state is acceptable."""

# People who are gone have no digest, so that an agency without them is in line.
_MISSED = """
select person, count(*) over () as persons
from given full join snapshot using (person)
where given.digest is distinct from snapshot.digest
order by person
limit %s
"""


def digest(values: Mapping[str, Any]) -> str:
    """Return SHA-256, in hexadecimal, of a line's `values` as canonical JSON (RFC 8785)."""
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()


def load_snapshot(cursor: Cursor, path: Path, reached: Position, epoch: str) -> int:
    """Load a consumer snapshot into a temporary table; return the number of the line that it is up to.

    Args:
        cursor: of a transaction with which the table goes.
        path: the file that the agency wrote.
        reached: how far the agency has come.
        epoch: the feed's.

    Raises:
        ConfigError: with the line, when the file is wrong, of another epoch, or ahead of the lines that were
            given out.
    """
    cursor.execute(_TABLES)
    try:
        with path.open("rb") as file:
            lines = enumerate(file, 1)
            upto = _upto(path, next(lines, (1, b""))[1], reached, epoch)
            _fill(cursor, "snapshot", (_entry(path, *line) for line in lines))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except errors.UniqueViolation:
        raise ConfigError(f"{path}: names a person twice; write one line a person") from None
    return upto


def find_missed(
    cursor: Cursor, agreement: Agreement, key: bytes, upto: int, shown: int
) -> list[tuple[str, int]]:
    """Return the people whose values in the snapshot differ from their last entry up to `upto`.

    The agency has missed a change, a new person or a removal, or has a person who was never in its feed.

    Args:
        cursor: of the transaction of `load_snapshot`.
        agreement: one with a feed.
        key: the hub's key for pseudonyms.
        upto: as `load_snapshot` returned it.
        shown: the most that are returned.

    Returns:
        Pseudonyms, sorted, each with the number of all.
    """
    unsettled: list[str] = []
    _fill(cursor, "given", _given(cursor, agreement, key, upto, unsettled))
    cursor.execute(_FORGET, (unsettled,))
    cursor.execute(_MISSED, (shown,))
    return cursor.fetchall()


def _upto(path: Path, first: bytes, reached: Position, epoch: str) -> int:
    """Return the sequence that the first line of the file states."""
    match _parsed(path, 1, first) if first.strip() else None:
        case {"sequence": int(sequence), "epoch": str(stated), **others} if not others:
            pass
        case _:
            raise ConfigError(
                f'{path}:1: write {{"sequence": …, "epoch": …}} first: `next` and `epoch` of the last page '
                "that the file includes (docs/operations/feed-check.md)"
            )
    if stated != epoch:
        raise ConfigError(
            f"{path}:1: the snapshot is of another epoch than the feed, {epoch}: the hub was restored since, "
            "and its numbers may mean other entries. The agency reads the feed again from after=0, replaces "
            "what it holds, and writes a new snapshot; nothing was compared"
        )
    if not 0 <= sequence <= reached.fetched:
        raise ConfigError(
            f"{path}:1: sequence must be a whole number up to {reached.fetched}, the last that the client "
            "has fetched"
        )
    return sequence


def _entry(path: Path, number: int, line: bytes) -> tuple[str, str]:
    match _parsed(path, number, line):
        case {"person": str(person), "digest": str(digested), **others} if (
            not others and _HEXADECIMAL.fullmatch(person) and _HEXADECIMAL.fullmatch(digested)
        ):
            return person, digested
    raise ConfigError(
        f'{path}:{number}: write {{"person": …, "digest": …}}, each of 64 hexadecimal digits in lower case'
    )


def _parsed(path: Path, number: int, line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ConfigError(f"{path}:{number}: is not JSON; write one object a line") from None


def _given(
    cursor: Cursor, agreement: Agreement, key: bytes, upto: int, unsettled: list[str]
) -> Iterator[tuple[str, str | None]]:
    feed = agreement.feed or ""
    with cursor.connection.cursor(name="given") as reading:
        reading.itersize = _BATCH
        reading.execute(_GIVEN, {**feed_terms(agreement), "upto": upto})
        for person_key, line, names in reading:
            person = feed_pseudonym(key, feed, person_key)
            given = decrypted_line(within(line, agreement.attributes))["values"]
            if line["kind"] == "removed":
                yield person, None
            elif given.keys() <= set(names):
                yield person, digest(given)
            else:
                unsettled.append(person)


def _fill(cursor: Cursor, table: str, rows: Iterable[tuple[str, str | None]]) -> None:
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        text = io.StringIO("".join(f"{person}\t{digested or chr(92) + 'N'}\n" for person, digested in batch))
        cursor.copy_from(text, table, columns=("person", "digest"))
    cursor.execute(f"analyze {table}")
