"""Proof for an agency or a citizen that the log has a line: see `oncehub.audit.tlog.proofs`."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from psycopg2.extras import RealDictCursor

from oncehub.audit.log.hashing import line
from oncehub.audit.signing.attestations import cosigned, given
from oncehub.audit.signing.stored import StoredHashes
from oncehub.audit.tlog.notes import Checkpoint, Note, NotGenuine
from oncehub.audit.tlog.proofs import Proof, commitment
from oncehub.audit.tlog.tree import inclusion_proof
from oncehub.errors import ConfigError, StoreError
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

_LINES: Final = """
select leaf.index as leaf_index, leaf.salt as leaf_salt, entry.*
from audit.entry left join audit.leaf using (entry_id)
where request_id = %(of)s::uuid
order by entry.entry_id
"""

_LINE: Final = """
select leaf.index as leaf_index, leaf.salt as leaf_salt, entry.*
from audit.leaf join audit.entry using (entry_id)
where leaf.index = %(of)s
"""

# The newest one, but that it is witnessed is worth more.
_CHECKPOINT: Final = """
select number, note
from audit.checkpoint
where size > %(index)s
order by
    exists (
        select from audit.attestation
        where attestation.number = checkpoint.number and kind = 'cosignature'
    ) desc,
    number desc
limit 1
"""


def line_proofs(settings: Settings, of: UUID | int, database: Connection | None = None) -> list[Proof]:
    """Return a proof for each line of a request, in their order, or for the one line at a place of the log.

    Args:
        settings: name the database.
        of: the request's id; or the line's place, counted from 0, as the usage names it.
        database: used instead of a connection of its own.

    Raises:
        ConfigError: when the log has no such line, or it waits to be signed.
        StoreError: when the database cannot be used, or was altered.
    """
    with without_values("proving a line"), opened(settings, database) as connection, connection:
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(
                _LINE if isinstance(of, int) else _LINES, {"of": of if isinstance(of, int) else str(of)}
            )
            rows = [dict(row) for row in cursor.fetchall()]
        if not rows and isinstance(of, int):
            raise ConfigError(
                f"the signed access log has no line at {of}; the usage names its place, from 0 on"
            )
        if not rows:
            raise ConfigError(f"the access log has no line of the request {of}; the answer names its id")
        if any(row["leaf_index"] is None for row in rows):
            raise ConfigError(
                "the line waits for its checkpoint; try again in five minutes, or run: oncehub audit "
                "checkpoint"
            )
        try:
            return [_proof(connection, row) for row in rows]
        except (LookupError, NotGenuine) as error:
            raise StoreError(f"{error}: the log was altered; see: oncehub audit verify") from None


def _proof(connection: Connection, row: dict[str, object]) -> Proof:
    index, salt = int(str(row.pop("leaf_index"))), bytes(row.pop("leaf_salt"))  # type: ignore[call-overload]
    with connection.cursor() as cursor:
        cursor.execute(_CHECKPOINT, {"index": index})
        number, note = cursor.fetchone() or (0, "")
    hashes, text = StoredHashes(connection), line(row)
    if hashes.commitments(index, index + 1) != [commitment(salt, text)]:
        raise LookupError(f"line {index + 1} does not say what was signed")
    signed = Note.parse(note)
    path = inclusion_proof(hashes, index, Checkpoint.parse(signed.text).size)
    return Proof(index, tuple(path), str(cosigned(signed, given(connection, number))), salt, text)
