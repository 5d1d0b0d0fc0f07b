"""Rejected records: stored encrypted, each once, until a good version of the same record comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from psycopg2.extras import execute_values

from oncehub.encryption.cipher import Ciphers, use_keys
from oncehub.encryption.payloads import rejected_place
from oncehub.errors import ContractBroken
from oncehub.normalize.batch import Rejected
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.statements import statement

_KEEP = statement(__name__, "keep")

_ROW = "(%s::bigint, %s, %s, %s, %s, %s, %s, %s, %s::timestamptz, %s::bytea, %s, %s::bytea)"

Kind = Literal["records", "deletions"]
"""What a page lists, which a replay must know."""


class Quarantine:
    """Stores the rejected records of one stream, their payloads encrypted."""

    def __init__(self, settings: Settings, source: str, stream: str) -> None:
        self._home = settings.home
        self._source = source
        self._stream = stream

    def keep(
        self, connection: Connection, run_id: int, rejected: Sequence[Rejected], kind: Kind = "records"
    ) -> None:
        """Store rejected records within the caller's transaction, each once, after the good ones landed."""
        with connection.cursor() as cursor:
            ciphers = use_keys(cursor, self._home)
        ciphers.require_one_key()
        once = {ciphers.primary.digest(each.payload): each for each in rejected}
        rows = [
            (
                *(run_id, self._source, self._stream, _storable(each.source_key), kind),
                *(each.stage, each.reason, each.path, each.stated_at),
                *(digest, ciphers.primary_id, self._encrypted(ciphers, each.payload, digest)),
            )
            for digest, each in once.items()
        ]
        if rows:
            with connection.cursor() as cursor:
                execute_values(cursor, _KEEP, rows, template=_ROW)

    def decrypt(self, key_id: str, digest: bytes, encrypted: bytes, ciphers: Ciphers) -> bytes:
        """Decrypt a stored payload of this stream.

        Args:
            key_id: id of its key.
            digest: stored with it.
            encrypted: the payload.
            ciphers: of the hub.

        Raises:
            KeyMissing: when the key is not there.
            DecryptionFailed: when the payload belongs to another record, or was altered.
        """
        return ciphers.under(key_id).decrypt(encrypted, rejected_place(self._source, self._stream, digest))

    def _encrypted(self, ciphers: Ciphers, payload: bytes, digest: bytes) -> bytes:
        return ciphers.primary.encrypt(payload, rejected_place(self._source, self._stream, digest))


def refuse_excess(
    name: str, read: int, quarantined: int, latest: Sequence[Rejected], *, at_most: float, after: int
) -> None:
    """Stop a run that rejects too many records; the message names the most frequent reason of `latest`.

    Raises:
        ContractBroken: when `after` records were read and more than the share `at_most` was rejected.
    """
    if read < after or quarantined <= at_most * read:
        return
    reasons = Counter(f"{each.stage} {each.path}: {each.reason}" for each in latest)
    often = f"; most often {reasons.most_common(1)[0][0]}" if reasons else ""
    raise ContractBroken(
        f"{name}: {quarantined} of {read} records rejected, more than quarantine.at_most {at_most:g}{often}"
    )


def _storable(source_key: str | None) -> str | None:
    # PostgreSQL text takes no NUL, and a record with such a key never lands.
    return None if source_key is None or "\0" in source_key else source_key
