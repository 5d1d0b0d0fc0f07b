"""The payloads of submitted records that wait to be landed, as they are sealed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from psycopg2.extras import execute_values

from oncehub.encryption.cipher import Ciphers
from oncehub.encryption.reencryption import Step
from oncehub.store.connection import Cursor

_COUNT: Final = "select key_id, count(*) from intake.submitted group by 1"

_NEXT: Final = """
select number, source, stream, token::text, key_id, payload
from intake.submitted
where number > %s and key_id <> %s
order by number
limit %s
for update
"""

_RESEAL: Final = """
update intake.submitted as held set key_id = new.key_id, payload = new.payload
from (values %s) as new (number, key_id, payload)
where held.number = new.number
"""


def waiting_place(source: str, stream: str, token: str) -> list[str]:
    """Return where a record waits, as its payload is bound to it."""
    return ["intake.submitted", source, stream, token]


@dataclass(frozen=True)
class SealedSubmitted:
    """The payloads of records that wait."""

    name: str = "intake.submitted"

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count payloads by key id."""
        cursor.execute(_COUNT)
        return Counter(dict(cursor.fetchall()))

    def reseal(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Seal the next payloads anew."""
        primary = ciphers.ring.primary
        cursor.execute(_NEXT, (after or 0, primary, size))
        rows = cursor.fetchall()
        if not rows:
            return None
        new = []
        for number, source, stream, token, key_id, sealed in rows:
            place = waiting_place(source, stream, token)
            content = ciphers.under(key_id).open(bytes(sealed), place)
            new.append((number, primary, ciphers.primary.seal(content, place)))
        execute_values(cursor, _RESEAL, new, template="(%s::bigint, %s, %s::bytea)")
        return Step(len(rows), rows[-1][0])
