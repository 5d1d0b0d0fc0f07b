"""Bringing what is sealed in the rows of one table under the key that seals now, a batch at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from psycopg2.extras import execute_values

from oncehub.encryption.cipher import Ciphers
from oncehub.encryption.rejected_payloads import Payload, open_payload, payload_place
from oncehub.store.connection import Cursor

FORMER: Final = "none"
"""What stands instead of a key's id where something is sealed with none of the ring."""

_COUNT_PAYLOADS = "select coalesce(key_id, %s), count(*) from intake.rejected group by 1"

_PAYLOADS = """
select rejected_id, source, stream, kind, key_id, digest, payload
from intake.rejected
where rejected_id > %s and key_id is distinct from %s
order by rejected_id
limit %s
for update
"""

# The same bad record may have come again meanwhile, and is then kept under the new key already.
_RESEAL_PAYLOADS = """
with new (rejected_id, digest, key_id, payload) as (values %s),
kept_already as (
    delete from intake.rejected old using new
    where old.rejected_id = new.rejected_id and exists (
        select from intake.rejected other
        where (other.source, other.stream, other.kind, other.digest)
            = (old.source, old.stream, old.kind, new.digest)
    )
    returning old.rejected_id
)
update intake.rejected old
set digest = new.digest, key_id = new.key_id, payload = new.payload
from new
where old.rejected_id = new.rejected_id and new.rejected_id not in (select rejected_id from kept_already)
"""


@dataclass(frozen=True)
class Step:
    """One batch: how many values were sealed anew, and after which row the next one begins."""

    values: int
    after: Any


class Sealed(Protocol):
    """A table that holds sealed values."""

    @property
    def name(self) -> str:
        """The table."""

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count the sealed values by key id; under `FORMER` what is not sealed with any key of a ring."""

    def reseal(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Seal anew what is not under the primary key in the next rows; None behind the last one."""


@dataclass(frozen=True)
class SealedPayloads:
    """The payloads of rejected records; `home` has the key that they were sealed with before the ring."""

    home: Path
    name: str = "intake.rejected"

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count payloads by key id."""
        cursor.execute(_COUNT_PAYLOADS, (FORMER,))
        return Counter(dict(cursor.fetchall()))

    def reseal(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Seal the next payloads anew."""
        cursor.execute(_PAYLOADS, (after or 0, ciphers.ring.primary, size))
        rows = cursor.fetchall()
        if not rows:
            return None
        new = {}
        for rejected_id, source, stream, kind, key_id, old, sealed in rows:
            former = Payload(source, stream, key_id, bytes(old), bytes(sealed))
            payload = open_payload(self.home, ciphers, former)
            digest = ciphers.primary.digest(payload)
            place = payload_place(source, stream, digest)
            new[source, stream, kind, digest] = (
                *(rejected_id, digest, ciphers.ring.primary),
                ciphers.primary.seal(payload, place),
            )
        execute_values(
            cursor, _RESEAL_PAYLOADS, list(new.values()), template="(%s::bigint, %s::bytea, %s, %s::bytea)"
        )
        return Step(len(rows), rows[-1][0])
