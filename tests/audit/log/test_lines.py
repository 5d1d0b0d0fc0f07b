from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import orjson
from psycopg2.extras import RealDictCursor

from oncehub.audit.log.entries import write
from oncehub.audit.log.hashing import line
from oncehub.store.connection import Connection

from ..conftest import ENTRY

AT = datetime(2026, 5, 1, 1, 2, 3, 4, UTC)


def test_a_line_is_canonical_json_without_what_is_null() -> None:
    row = {
        "request_id": uuid.UUID(int=7),
        "at": AT,
        "agency": "Cục Thuế",
        "person": None,
        "attributes": ["b", "a"],
    }
    expected = (
        '{"agency":"Cục Thuế","at":"2026-05-01T01:02:03.000004Z","attributes":["b","a"],'
        '"request_id":"00000000-0000-0000-0000-000000000007"}'
    )
    assert line(row) == expected.encode()


def test_the_session_of_who_reads_does_not_matter() -> None:
    vietnam = AT.astimezone(timezone(timedelta(hours=7)))
    assert line({"at": vietnam, "entry_id": 1}) == line({"entry_id": 1, "at": AT})


def test_a_line_has_the_same_bytes_under_columns_that_were_added_after_it(database: Connection) -> None:
    with database, database.cursor(cursor_factory=RealDictCursor) as cursor:
        write(database, ENTRY)
        cursor.execute("select * from audit.entry")
        (row,) = cursor.fetchall()
    # As of the first signed lines: whatever was added since is null in them.
    assert set(orjson.loads(line(row))) == {
        "entry_id",
        "at",
        "client_id",
        "agency",
        "agreement",
        "purpose",
        "legal_basis",
        "action",
        "person",
        "attributes",
        "refused",
        "outcome",
        "request_id",
        "transaction",
    }
