"""Verifies the people of pages that were given out against the roots that were signed with them.

A page is of a feed or of correction notices; see `oncehub.audit.log.entries.Page`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from psycopg2.extras import RealDictCursor

from oncehub.audit.log.entries import DisclosedLine, given_root
from oncehub.audit.signing.findings import ENOUGH, Finding
from oncehub.store.connection import Connection

_PAGES: Final = """
select e.entry_id, e.given, t.sequences, t.people
from audit.entry e
cross join lateral (
    select
        coalesce(array_agg(t.sequence order by t.sequence), '{}') as sequences,
        coalesce(array_agg(t.person_key::text order by t.sequence), '{}') as people
    from share.disclosed_person t
    where t.feed = e.feed and t.sequence between e.first_sequence and e.last_sequence
        and (t.attribute is null or t.attribute = any(e.attributes))
) t
where e.first_sequence is not null and e.given is not null and e.entry_id > %s
order by e.entry_id
limit 100
"""


def page_findings(connection: Connection, keys: Sequence[bytes]) -> Iterator[Finding]:
    """Yield the entries whose page, as kept now, holds other people than when it was signed.

    A purge of a feed's lines keeps whom they were about, so that a page can still be verified.

    Args:
        connection: with the hub's own role and no transaction open.
        keys: for pseudonyms, the hub's own and those retired.
    """
    last, found = 0, 0
    while pages := _pages(connection, last):
        for page in pages:
            last = page["entry_id"]
            if not _as_signed(page, keys):
                yield Finding("changed", None, None, last, "the page that it gave out was about other people")
                found += 1
            if found >= ENOUGH:
                return


def _as_signed(page: dict[str, Any], keys: Sequence[bytes]) -> bool:
    lines = [
        DisclosedLine(sequence, key) for sequence, key in zip(page["sequences"], page["people"], strict=True)
    ]
    return any(given_root(key, lines) == page["given"] for key in keys)


def _pages(connection: Connection, after: int) -> list[dict[str, Any]]:
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_PAGES, (after,))
        return [dict(row) for row in cursor.fetchall()]
