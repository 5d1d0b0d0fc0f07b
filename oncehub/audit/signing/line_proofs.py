"""Proof for an agency or a citizen that the log has a line: see `oncehub.audit.tlog.proofs`."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from oncehub.audit.signing.attestations import cosigned, given
from oncehub.audit.signing.stored import StoredHashes, stored_lines
from oncehub.audit.tlog.notes import Checkpoint, Note, NotGenuine
from oncehub.audit.tlog.proofs import Proof
from oncehub.audit.tlog.tree import inclusion_proof
from oncehub.errors import ConfigError, StoreError
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

_PLACES: Final = """
select leaf.index
from audit.entry left join audit.leaf using (entry_id)
where request_id = %s::uuid
order by entry.entry_id
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
        places = [of] if isinstance(of, int) else _places(connection, of)
        try:
            return [_proof(connection, place) for place in places]
        except (LookupError, NotGenuine) as error:
            raise StoreError(f"{error}: the log was altered; see: oncehub audit verify") from None


def _places(connection: Connection, request: UUID) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_PLACES, (str(request),))
        places = [place for (place,) in cursor.fetchall()]
    if not places:
        raise ConfigError(f"the access log has no line of the request {request}; the answer names its id")
    if None in places:
        raise ConfigError(
            "the line waits for its checkpoint; try again in five minutes, or run: oncehub audit checkpoint"
        )
    return places


def _proof(connection: Connection, index: int) -> Proof:
    with connection.cursor() as cursor:
        cursor.execute(_CHECKPOINT, {"index": index})
        row = cursor.fetchone()
    if row is None:
        raise ConfigError(
            f"the signed access log has no line at {index}; the usage names its place, from 0 on"
        )
    number, note = row
    hashes = StoredHashes(connection)
    for found in stored_lines(connection, index, index + 1):
        if found.text is not None and hashes.commitments(index, index + 1) == [found.commitment]:
            signed = Note.parse(note)
            path = inclusion_proof(hashes, index, Checkpoint.parse(signed.text).size)
            full = str(cosigned(signed, given(connection, number)))
            return Proof(index, tuple(path), full, found.salt, found.text)
    raise LookupError(f"line {index + 1} does not say what was signed")
