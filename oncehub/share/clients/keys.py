"""The public keys of a client: several at a time, so that one follows another without a gap."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from psycopg2.extras import Json, RealDictCursor

from oncehub.config.agreements import Agreement
from oncehub.errors import ConfigError
from oncehub.store.connection import Connection

PublicJwk = dict[str, Any]

KEY_LIFETIME = timedelta(days=365)
"""How long a key is valid where nothing else is said."""

LONGEST_LIFETIME = timedelta(days=3 * 365)
"""The longest that one may be (NIST SP 800-57 part 1, 5.3.6: a private signature key, one to three years)."""

MOST_KEYS = 5
"""How many keys of one client may be valid or yet to be: an assertion without kid is tried with each."""

KeyState = Literal["valid", "not_yet", "ended", "leaked"]


@dataclass(frozen=True)
class ClientKey:
    """One key of a client.

    Attributes:
        thumbprint: RFC 7638, SHA-256; assertions name it as `kid`.
        valid_from: from when assertions and tokens by it are accepted, `valid_until` until when.
    """

    client_id: str
    thumbprint: str
    state: KeyState
    valid_from: datetime
    valid_until: datetime
    added_at: datetime


_ADD = """
insert into share.client_key (client_id, thumbprint, public_key, valid_from, valid_until)
values (
    %(client)s, %(thumbprint)s, %(jwk)s,
    coalesce(%(start)s::timestamptz, now()),
    coalesce(%(end)s::timestamptz, coalesce(%(start)s::timestamptz, now()) + %(lifetime)s)
)
on conflict (client_id, thumbprint) do update
    set valid_from = excluded.valid_from, valid_until = excluded.valid_until
returning
    valid_from < valid_until and valid_until > now(),
    valid_until - least(added_at, valid_from) <= %(longest)s
"""

_ELSEWHERE = """
select bool_or(leaked_at is not null), bool_or(client_id <> %(client)s)
from share.client_key where thumbprint = %(thumbprint)s
"""

_RETIRE = """
update share.client_key set valid_until = greatest(%(moment)s::timestamptz, now())
where client_id = %(client)s and thumbprint = %(thumbprint)s
    and leaked_at is null and valid_until > greatest(%(moment)s::timestamptz, now())
"""

_KEYS = """
select client_id, thumbprint, valid_from, valid_until, added_at,
    case
        when leaked_at is not null then 'leaked'
        when valid_until <= now() then 'ended'
        when valid_from > now() then 'not_yet'
        else 'valid'
    end as state
from share.client_key
where %(client)s::text is null or client_id = %(client)s
order by client_id, valid_from, thumbprint
"""


def read_public_key(jwk: PublicJwk) -> OKPKey | ECKey:
    """Return an Ed25519 (RFC 8037) or P-256 (RFC 7518) public key.

    Raises:
        ConfigError: when it is another kind of key, malformed, or private.
    """
    if not isinstance(jwk, dict) or "d" in jwk:
        raise ConfigError("give the public JWK; a private key must never leave its agency")
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "OKP", "Ed25519":
                return OKPKey.import_key(jwk)
            case "EC", "P-256":
                return ECKey.import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        raise ConfigError("the public JWK is malformed") from None
    raise ConfigError("the public JWK must be an Ed25519 (OKP) or P-256 (EC) key")


def require_pinned(agreement: Agreement, thumbprint: str) -> None:
    """Check that the agreement lets a client use the key.

    Raises:
        ConfigError: when the agreement names its keys, and this is none of them.
    """
    if not agreement.admits(thumbprint):
        raise ConfigError(
            f"the agreement {agreement.name} names the keys of its clients, and {thumbprint} is none of "
            f"them; add it to keys in {agreement.path.name} first"
        )


def add_key(
    database: Connection,
    client_id: str,
    public_jwk: PublicJwk,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> str:
    """Give a client one more key, beside those it has; return its thumbprint.

    Adding a key that the client has changes its days.

    Args:
        database: one with the hub's own rights.
        client_id: one that is admitted.
        public_jwk: Ed25519 or P-256.
        start: from when it is valid; None is now.
        end: until when; None is `KEY_LIFETIME` after the start.

    Raises:
        ConfigError: when the client is not admitted, has too many keys, or the key is unfit, another
            client's, or was given up as leaked.
    """
    with database, database.cursor() as cursor:
        cursor.execute(
            "select agreement from share.client where client_id = %s and revoked_at is null for update",
            (client_id,),
        )
        if cursor.fetchone() is None:
            raise ConfigError(f"no client {client_id!r} is admitted; `oncehub client add` admits one")
        thumbprint = write_key(cursor, client_id, public_jwk, start=start, end=end)
        unended = [key for key in _read(cursor, client_id) if key.state in ("valid", "not_yet")]
        if len(unended) > MOST_KEYS:
            raise ConfigError(f"a client has at most {MOST_KEYS} keys; retire one first")
    return thumbprint


def write_key(
    cursor: Any,
    client_id: str,
    public_jwk: PublicJwk,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> str:
    """Do what `add_key` does to the key itself, within the caller's transaction."""
    key = read_public_key(public_jwk)
    names = {"client": client_id, "thumbprint": key.thumbprint()}
    cursor.execute(_ELSEWHERE, names)
    leaked, elsewhere = cursor.fetchone()
    if leaked:
        raise ConfigError("that key was given up as leaked, and is never accepted again; make another")
    if elsewhere:
        raise ConfigError("another client has that key; each client has keys of its own")
    days = {"start": start, "end": end, "lifetime": KEY_LIFETIME, "longest": LONGEST_LIFETIME}
    cursor.execute(_ADD, names | days | {"jwk": Json(key.as_dict(private=False))})
    ordered, short_enough = cursor.fetchone()
    if not ordered:
        raise ConfigError("the key would never be valid; its end must lie ahead, and after its start")
    if not short_enough:
        raise ConfigError(f"a key is valid for at most {LONGEST_LIFETIME.days} days")
    return key.thumbprint()


def retire_key(
    database: Connection, client_id: str, thumbprint: str, *, moment: datetime | None = None
) -> None:
    """End a key at `moment`, or now; tokens that were given on it end with it.

    Raises:
        ConfigError: when the client has no such key, or it ends no later anyway.
    """
    with database, database.cursor() as cursor:
        cursor.execute(_RETIRE, {"client": client_id, "thumbprint": thumbprint, "moment": moment})
        if cursor.rowcount == 0:
            raise ConfigError(
                f"{client_id!r} has no key {thumbprint!r} that ends later; see `oncehub client keys`"
            )


def give_up_key(database: Connection, thumbprint: str) -> list[str]:
    """Refuse a leaked key at once and for good; return its clients.

    Raises:
        ConfigError: when no client has such a key.
    """
    with database, database.cursor() as cursor:
        cursor.execute(
            "update share.client_key set leaked_at = coalesce(leaked_at, now()) where thumbprint = %s "
            "returning client_id",
            (thumbprint,),
        )
        clients = [client_id for (client_id,) in cursor.fetchall()]
    if not clients:
        raise ConfigError(f"no client has a key {thumbprint!r}; see `oncehub client keys`")
    return clients


def list_keys(database: Connection, client_id: str | None = None) -> list[ClientKey]:
    """Return every key, ended ones too, of a client or of all, the oldest first."""
    with database, database.cursor() as cursor:
        return _read(cursor, client_id)


def valid_until(keys: Collection[ClientKey]) -> datetime | None:
    """Return when the last of these keys ends that is valid or yet to be; None where none is valid now."""
    if not any(key.state == "valid" for key in keys):
        return None
    return max(key.valid_until for key in keys if key.state in ("valid", "not_yet"))


def _read(cursor: Any, client_id: str | None) -> list[ClientKey]:
    with cursor.connection.cursor(cursor_factory=RealDictCursor) as rows:
        rows.execute(_KEYS, {"client": client_id})
        return [ClientKey(**row) for row in rows.fetchall()]
