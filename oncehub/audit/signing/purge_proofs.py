"""Proof of what was purged: a signed statement a batch, each holding the hash of the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from joserfc.jwk import OKPKey

from oncehub.audit.signing.keys import SigningKey
from oncehub.audit.signing.statements import NO_CHECKPOINT, NotGenuine, head, read_signed, sign
from oncehub.store.connection import Connection

_TYPE: Final = "oncehub-purge"

_LAST: Final = "select number, statement from audit.purge order by number desc limit 1"
_WRITE: Final = "insert into audit.purge (number, kind, removed, statement) values (%s, %s, %s, %s)"
_ALL: Final = "select number, kind, removed, statement from audit.purge order by number"


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


def write_proof(connection: Connection, purged: Purged, key: SigningKey) -> None:
    """Append a proof within the transaction that purges; only one purge may run at a time."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        number, last = cursor.fetchone() or (0, None)
        content = asdict(purged) | {"number": number + 1, "previous": head(last) if last else NO_CHECKPOINT}
        statement = sign(content, _TYPE, key)
        cursor.execute(_WRITE, (number + 1, purged.kind, purged.removed, statement))


def find_tampered_proof(connection: Connection, trusted: Mapping[str, OKPKey]) -> str | None:
    """Return what is wrong with the first proof that was changed, removed or inserted; None when all hold.

    Args:
        connection: one that may read `audit.purge`.
        trusted: public keys by their thumbprint.
    """
    previous = NO_CHECKPOINT
    with connection.cursor() as cursor:
        cursor.execute(_ALL)
        for place, (number, kind, removed, statement) in enumerate(cursor.fetchall(), 1):
            if number != place:
                return f"proof {place} is gone"
            try:
                content = read_signed(statement, trusted)
            except NotGenuine:
                return f"proof {place} is not signed by a trusted key"
            if content["previous"] != previous:
                return f"proof {place} does not follow the one before it"
            signed = (content["number"], content["kind"], content["removed"])
            if signed != (number, kind, removed):
                return f"proof {place} differs from the columns beside it"
            previous = head(statement)
    return None
