"""Proof of what was purged: a row a batch, and a signed statement, which holds the hash of the one before it.

A purge writes the row in its own transaction. It is signed with the access log: who purges has no key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from psycopg2.extras import Json

from oncehub.audit.signing.keys import SigningKey
from oncehub.audit.tlog.notes import NotGenuine
from oncehub.store.connection import Connection

_TYPE: Final = "oncehub-purge"
_ALGORITHM: Final = "Ed25519"
_NO_PROOF: Final = "0" * 64
"""`previous` of the first proof."""

_WRITE: Final = """
insert into audit.purge (number, kind, removed, content)
select coalesce(max(number), 0) + 1, %s, %s, %s from audit.purge
"""

_LAST: Final = "select number, statement from audit.purge_signature order by number desc limit 1"
_UNSIGNED: Final = "select number, content from audit.purge where number > %s order by number limit %s"
_SIGN: Final = "insert into audit.purge_signature (number, statement) values (%s, %s)"

_ALL: Final = """
select number, kind, removed, content, statement
from audit.purge full join audit.purge_signature using (number)
order by number
"""

_BATCH: Final = 1000


@dataclass(frozen=True)
class Purged:
    """What one batch of a purge removed.

    Attributes:
        kind: of data, as in `retention.yaml`.
        table: it was in.
        keep_days: how long the rule keeps it.
        because: why, by the rule.
        horizon: what had come to its end before it was due; ISO 8601 UTC.
        removed: how many rows, or in how many rows the values.
        digest: HMAC-SHA-256 over the keys of those rows in their order, under the hub's key for pseudonyms.
        run: the purge that it belongs to.
        purged_at: ISO 8601 UTC.
    """

    kind: str
    table: str
    keep_days: float
    because: str
    horizon: str
    removed: int
    digest: str
    run: str
    purged_at: str


def write_proof(connection: Connection, purged: Purged) -> None:
    """Append a proof within the transaction that purges; only one purge may run at a time."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, (purged.kind, purged.removed, Json(asdict(purged))))


def sign_proofs(connection: Connection, key: SigningKey) -> int:
    """Sign all proofs that have no signature, in transactions of its own; return how many."""
    signed = 0
    while count := _sign_batch(connection, key):
        signed += count
    return signed


def _sign_batch(connection: Connection, key: SigningKey) -> int:
    with connection, connection.cursor() as cursor:
        cursor.execute(_LAST)
        last, statement = cursor.fetchone() or (0, None)
        cursor.execute(_UNSIGNED, (last, _BATCH))
        unsigned = cursor.fetchall()
        for number, content in unsigned:
            previous = _head(statement) if statement else _NO_PROOF
            statement = _sign(content | {"number": number, "previous": previous}, key)
            cursor.execute(_SIGN, (number, statement))
    return len(unsigned)


def unsigned_proofs(connection: Connection) -> int:
    """Count the proofs that the next signing of the access log will sign."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from audit.purge natural left join audit.purge_signature where statement is null"
        )
        (count,) = cursor.fetchone() or (0,)
    return int(count)


def find_tampered_proof(connection: Connection, trusted: Mapping[str, OKPKey]) -> str | None:
    """Return what is wrong with the first proof that was changed, removed or inserted; None when all hold.

    What waits to be signed cannot be verified yet: `unsigned_proofs` counts it.

    Args:
        connection: one that may read both tables.
        trusted: public keys by their thumbprint.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ALL)
        rows = cursor.fetchall()
    signed = max((number for number, *_, statement in rows if statement), default=0)
    previous = _NO_PROOF
    for place, (number, kind, removed, content, statement) in enumerate(rows, 1):
        if number != place or content is None:
            return f"proof {place} is gone"
        if statement is None:
            if place < signed:
                return f"the signature of proof {place} is gone"
            continue
        try:
            stated = _read(statement, trusted)
        except NotGenuine:
            return f"proof {place} is not signed by a trusted key"
        if stated.pop("previous") != previous:
            return f"proof {place} does not follow the one before it"
        columns = {**content, "number": number, "kind": kind, "removed": removed}
        if stated != columns or content["kind"] != kind or content["removed"] != removed:
            return f"proof {place} differs from the columns beside it"
        previous = _head(statement)
    return None


def _sign(content: Mapping[str, Any], key: SigningKey) -> str:
    """Return the content as a compact JWS (RFC 7515)."""
    header = {"alg": _ALGORITHM, "kid": key.id, "typ": _TYPE}
    payload = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return jws.serialize_compact(header, payload, key.private, algorithms=[_ALGORITHM])


def _read(signed: str, trusted: Mapping[str, OKPKey]) -> Any:
    """Verify a compact JWS and return its content.

    Raises:
        NotGenuine: when no trusted key signed it, or it holds no JSON.
    """
    try:
        key = trusted[str(jws.extract_compact(signed.encode()).headers().get("kid"))]
        return orjson.loads(jws.deserialize_compact(signed, key, algorithms=[_ALGORITHM]).payload)
    except KeyError:
        raise NotGenuine("is signed by a key that is not trusted") from None
    except (JoseError, ValueError):
        raise NotGenuine("does not bear its key's signature") from None


def _head(signed: str) -> str:
    """Return SHA-256, in hexadecimal, of a signed statement; the next proof holds it."""
    return sha256(signed.encode()).hexdigest()
