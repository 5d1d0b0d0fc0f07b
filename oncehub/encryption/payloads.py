"""Encrypts what is stored whole: rejected and submitted records, and the evidence of consents.

Each is bound to its place: a rejected record to its stream and digest, a submitted one to its stream and
token, evidence to its consent. For single attributes see `field_values`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from psycopg2.extras import execute_values

from oncehub.encryption.cipher import Ciphers
from oncehub.encryption.reencryption import Step
from oncehub.store.connection import Cursor

_REJECTED: Final = """
select rejected_id, source, stream, kind, key_id, digest, payload
from intake.rejected
where rejected_id > %s and key_id <> %s
order by rejected_id
limit %s
for update
"""

# The same bad record may have come again meanwhile, and is then stored under the new key already.
_REENCRYPT_REJECTED: Final = """
with new (rejected_id, digest, key_id, payload) as (values %s),
stored_already as (
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
where old.rejected_id = new.rejected_id and new.rejected_id not in (select rejected_id from stored_already)
"""

_SUBMITTED: Final = """
select number, source, stream, token::text, key_id, payload
from intake.submission
where number > %s and key_id <> %s
order by number
limit %s
for update
"""

_REENCRYPT_SUBMITTED: Final = """
update intake.submission as old set key_id = new.key_id, payload = new.payload
from (values %s) as new (number, key_id, payload)
where old.number = new.number
"""


_EVIDENCE: Final = """
select consent_id::text, act, key_id, content
from share.consent_evidence
where (consent_id, act) > (%s::uuid, %s) and key_id <> %s
order by consent_id, act
limit %s
for update
"""

_REENCRYPT_EVIDENCE: Final = """
update share.consent_evidence as old set key_id = new.key_id, content = new.content
from (values %s) as new (consent_id, act, key_id, content)
where (old.consent_id, old.act) = (new.consent_id, new.act)
"""


def rejected_place(source: str, stream: str, digest: bytes) -> list[str]:
    """Return the place that the payload of a rejected record is bound to."""
    return ["intake.rejected", source, stream, digest.hex()]


def submitted_place(source: str, stream: str, token: str) -> list[str]:
    """Return the place that the payload of a submitted record is bound to."""
    return ["intake.submission", source, stream, token]


def consent_evidence_place(consent_id: str, act: str) -> list[str]:
    """Return the place that the evidence of a consent is bound to."""
    return ["share.consent_evidence", consent_id, act]


class RejectedPayloads:
    """The table of rejected records."""

    name = "intake.rejected"

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count payloads by key id."""
        return _by_key(cursor, "select key_id, count(*) from intake.rejected group by 1")

    def reencrypt(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Re-encrypt the next payloads."""
        cursor.execute(_REJECTED, (after or 0, ciphers.primary_id, size))
        rows = cursor.fetchall()
        if not rows:
            return None
        new = {}
        for rejected_id, source, stream, kind, key_id, former, encrypted in rows:
            place = rejected_place(source, stream, bytes(former))
            payload = ciphers.under(key_id).decrypt(bytes(encrypted), place)
            digest = ciphers.primary.digest(payload)
            new[source, stream, kind, digest] = (
                *(rejected_id, digest, ciphers.primary_id),
                ciphers.primary.encrypt(payload, rejected_place(source, stream, digest)),
            )
        template = "(%s::bigint, %s::bytea, %s, %s::bytea)"
        execute_values(cursor, _REENCRYPT_REJECTED, list(new.values()), template=template)
        return Step(len(rows), rows[-1][0])


class SubmittedPayloads:
    """The table of submitted records that wait to be landed."""

    name = "intake.submission"

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count payloads by key id."""
        return _by_key(cursor, "select key_id, count(*) from intake.submission group by 1")

    def reencrypt(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Re-encrypt the next payloads."""
        primary = ciphers.primary_id
        cursor.execute(_SUBMITTED, (after or 0, primary, size))
        rows = cursor.fetchall()
        if not rows:
            return None
        new = []
        for number, source, stream, token, key_id, encrypted in rows:
            place = submitted_place(source, stream, token)
            payload = ciphers.under(key_id).decrypt(bytes(encrypted), place)
            new.append((number, primary, ciphers.primary.encrypt(payload, place)))
        execute_values(cursor, _REENCRYPT_SUBMITTED, new, template="(%s::bigint, %s, %s::bytea)")
        return Step(len(rows), rows[-1][0])


class ConsentEvidence:
    """The table of the evidence of consents."""

    name = "share.consent_evidence"

    def count(self, cursor: Cursor) -> Counter[str]:
        """Count the evidence by key id."""
        return _by_key(cursor, "select key_id, count(*) from share.consent_evidence group by 1")

    def reencrypt(self, cursor: Cursor, ciphers: Ciphers, after: Any, size: int) -> Step | None:
        """Re-encrypt the next evidence."""
        primary = ciphers.primary_id
        consent, act = after or ("00000000-0000-0000-0000-000000000000", "")
        cursor.execute(_EVIDENCE, (consent, act, primary, size))
        rows = cursor.fetchall()
        if not rows:
            return None
        new = []
        for consent_id, of, key_id, encrypted in rows:
            place = consent_evidence_place(consent_id, of)
            content = ciphers.under(key_id).decrypt(bytes(encrypted), place)
            new.append((consent_id, of, primary, ciphers.primary.encrypt(content, place)))
        execute_values(cursor, _REENCRYPT_EVIDENCE, new, template="(%s::uuid, %s, %s, %s::bytea)")
        return Step(len(rows), rows[-1][:2])


def _by_key(cursor: Cursor, statement: str) -> Counter[str]:
    cursor.execute(statement)
    return Counter(dict(cursor.fetchall()))
