"""Rejected records: kept encrypted, each once, until a good version of the same record comes."""

from __future__ import annotations

import hmac
import os
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from psycopg2.extras import execute_values

from oncehub.model.errors import ConfigError, ContractBroken
from oncehub.model.secrets import KEY_BYTES, symmetric_key
from oncehub.model.settings import Settings
from oncehub.normalize import Rejected
from oncehub.store.connection import Connection

_NONCE_BYTES = 12

# A rejection older than the statement held is of no use to anybody, in whatever order the two came.
_KEEP = """
insert into intake.rejected (run_id, source, stream, source_key, kind, stage, reason, path, stated_at,
    digest, payload, resolved_at)
select new.*, (
    select now() from intake.held
    where held.source = new.source and held.stream = new.stream and held.source_key = new.source_key
      and held.stated_at > new.stated_at
)
from (values %s) as new (run_id, source, stream, source_key, kind, stage, reason, path, stated_at,
    digest, payload)
on conflict (source, stream, kind, digest) do update
set run_id = excluded.run_id, source_key = excluded.source_key, stage = excluded.stage,
    reason = excluded.reason, path = excluded.path, stated_at = excluded.stated_at,
    resolved_at = excluded.resolved_at
where (rejected.resolved_at is null) <> (excluded.resolved_at is null)
   or (rejected.source_key, rejected.stage, rejected.reason, rejected.path, rejected.stated_at)
      is distinct from
      (excluded.source_key, excluded.stage, excluded.reason, excluded.path, excluded.stated_at)
"""

_ROW = "(%s::bigint, %s, %s, %s, %s, %s, %s, %s, %s::timestamptz, %s::bytea, %s::bytea)"

Kind = Literal["records", "deletions"]
"""What a page lists; a rejected entry is tried again as what it was."""


class Quarantine:
    """Seals the payloads of one stream's rejected records: AES-256-GCM, nonce first, bound to the stream."""

    def __init__(self, settings: Settings, source: str, stream: str) -> None:
        key = symmetric_key("quarantine", settings.home)
        self._source = source
        self._stream = stream
        self._cipher = AESGCM(key)
        self._bound_to = f"{source}/{stream}".encode()
        # Encryption and digest each have a key of their own.
        self._digest_key = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"quarantine digest").derive(key)

    def keep(
        self, connection: Connection, run_id: int, rejected: Sequence[Rejected], kind: Kind = "records"
    ) -> None:
        """Store rejected records within the caller's transaction, each once, after the page's good ones."""
        once = {self.digest(each.payload): each for each in rejected}
        rows = [
            (
                *(run_id, self._source, self._stream, _storable(each.source_key), kind),
                *(each.stage, each.reason, each.path, each.stated_at, digest, self.seal(each.payload)),
            )
            for digest, each in once.items()
        ]
        if rows:
            with connection.cursor() as cursor:
                execute_values(cursor, _KEEP, rows, template=_ROW)

    def seal(self, payload: bytes) -> bytes:
        """Encrypt a payload."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, payload, self._bound_to)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt what `seal` made for this stream.

        Raises:
            ConfigError: when the key is another one, or the payload belongs to another stream or was altered.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._bound_to)
        except InvalidTag:
            raise ConfigError(
                f"a rejected record of {self._source}.{self._stream} does not open with this quarantine key; "
                "set ONCEHUB_KEY_QUARANTINE to the key it was sealed with"
            ) from None

    def digest(self, payload: bytes) -> bytes:
        """Return what tells a payload apart, and says nothing of it without the key."""
        return hmac.digest(self._digest_key, payload, "sha256")


def refuse_excess(
    name: str, read: int, quarantined: int, latest: Sequence[Rejected], *, at_most: float, after: int
) -> None:
    """Stop a run of which too many records are rejected; `latest` gives the reason that the message names.

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
    # PostgreSQL text takes no NUL; such a key names no record that could ever be resolved.
    return None if source_key is None or "\0" in source_key else source_key
