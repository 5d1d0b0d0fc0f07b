"""Verifies the signed assertions by which clients authenticate (RFC 7523)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import orjson
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError
from joserfc.jwt import JWTClaimsRegistry

from oncehub.api.auth.tokens import CLOCKS_APART_SECONDS, MALFORMED, UNKNOWN_CLIENT, Caller, actor, clock_says
from oncehub.api.http.oauth import ASSERTION_SECONDS
from oncehub.clock import shown_time
from oncehub.errors import NotAuthenticated
from oncehub.share.clients.keys import MOST_KEYS, PublicJwk, read_public_key
from oncehub.share.request_proofs import insert
from oncehub.store.connection import Connection

ASSERTION_ALGORITHMS: Final = ("Ed25519", "EdDSA", "ES256")
"""Signatures accepted on assertions; `EdDSA` is the older name of `Ed25519` (RFC 9864)."""

_LEEWAY_SECONDS: Final = 10

_REGISTERED = """
select agreement, coalesce(
    (
        select jsonb_object_agg(thumbprint, public_key) from share.client_key
        where client_id = client.client_id
            and leaked_at is null and valid_from <= now() and now() < valid_until
    ), '{}'
)
from share.client
where client_id = %(client)s and revoked_at is null
"""

_OTHER_DAYS = """
select public_key, extract(epoch from valid_from)::float8, extract(epoch from valid_until)::float8,
    extract(epoch from now())::float8
from share.client_key
where client_id = %s and leaked_at is null and (valid_from > now() or valid_until <= now())
order by valid_until desc
limit %s
"""


def verify_assertion(connection: Connection, assertion: str, issuer: str) -> Caller:
    """Check a client assertion and use it up.

    Args:
        connection: one that may read clients and their keys, in a transaction.
        assertion: a JWT with `iss` = `sub` = the client, `aud` = the hub's issuer and nothing else, `exp`,
            `jti`; its header may name the key as `kid`, by thumbprint. Where a person acts through the
            client, `act` names them (`{"sub": …}`, RFC 8693 section 4.1); a citizen by personal number
            (`{"sub": …, "role": "citizen"}`).
        issuer: the hub's own identifier.

    Raises:
        NotAuthenticated: for any fault, also when it was used before.
    """
    try:
        signed = jws.extract_compact(assertion.encode())
        client_id = str(orjson.loads(signed.payload)["sub"])
    except MALFORMED:
        raise NotAuthenticated("the assertion is not a signed JWT with a subject") from None
    agreement, keys = _registered(connection, client_id)
    thumbprint, claims = _verified(assertion, _meant(signed.protected, keys)) or _ended(
        connection, client_id, assertion
    )
    _check_assertion(claims, client_id, issuer)
    _use_up(connection, client_id, claims)
    return Caller(client_id, agreement, thumbprint, *actor(claims))


def assertion_id(assertion: str) -> str:
    """Return the `jti` of an assertion that was verified."""
    return str(orjson.loads(jws.extract_compact(assertion.encode()).payload)["jti"])


def _registered(connection: Connection, client_id: str) -> tuple[str, dict[str, PublicJwk]]:
    """Return the client's agreement, and its keys that are valid now by thumbprint."""
    with connection.cursor() as cursor:
        # PostgreSQL has no text with a zero character.
        cursor.execute(_REGISTERED, {"client": client_id.replace("\0", "?")})
        row = cursor.fetchone()
    if row is None:
        raise NotAuthenticated(UNKNOWN_CLIENT)
    return row


def _meant(header: Mapping[str, Any], keys: Mapping[str, PublicJwk]) -> Iterator[PublicJwk]:
    """Yield the key that the header's kid names, or all keys without kid; never a key in the header."""
    if "kid" not in header:
        yield from keys.values()
    elif isinstance(header["kid"], str) and header["kid"] in keys:
        yield keys[header["kid"]]


def _verified(assertion: str, keys: Iterable[PublicJwk]) -> tuple[str, dict[str, Any]] | None:
    """Return the thumbprint of the key that signed the assertion, and its claims; None where none did."""
    for jwk in keys:
        key = read_public_key(jwk)
        try:
            return key.thumbprint(), jwt.decode(assertion, key, algorithms=ASSERTION_ALGORITHMS).claims
        except MALFORMED:
            continue
    return None


def _ended(connection: Connection, client_id: str, assertion: str) -> NoReturn:
    """Refuse an assertion that no valid key signed, and name the days of a key that signed it.

    Raises:
        NotAuthenticated: always.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OTHER_DAYS, (client_id, MOST_KEYS))
        keys = cursor.fetchall()
    for jwk, start, end, now in keys:
        if _verified(assertion, [jwk]):
            raise NotAuthenticated(
                f"the key that signed is valid from {shown_time(start)} until {shown_time(end)}, and the "
                f"hub's clock says {shown_time(now)}"
            )
    raise NotAuthenticated(UNKNOWN_CLIENT)


def _check_assertion(claims: Mapping[str, Any], client_id: str, issuer: str) -> None:
    registry = JWTClaimsRegistry(
        leeway=_LEEWAY_SECONDS,
        iss={"essential": True, "value": client_id},
        sub={"essential": True, "value": client_id},
        aud={"essential": True, "value": issuer},
        exp={"essential": True},
        jti={"essential": True},
    )
    # With several audiences, another one could use the assertion here first.
    if not isinstance(claims.get("aud"), str):
        raise NotAuthenticated("the assertion's aud is missing, or names more than this hub")
    try:
        registry.validate(dict(claims))
    except ExpiredTokenError:
        raise NotAuthenticated(
            f"the assertion expired at {shown_time(claims['exp'])}, {clock_says()}; sign a new one by a "
            "right clock"
        ) from None
    except MALFORMED as error:
        claim = getattr(error, "claim", None) or "claims"
        ahead = f", or lies ahead, {clock_says()}" if claim in ("iat", "nbf") else ""
        raise NotAuthenticated(f"the assertion's {claim} is missing or wrong{ahead}") from None
    # Written so that NaN, which JSON parsers accept, fails, too.
    if not claims["exp"] <= time.time() + ASSERTION_SECONDS + _LEEWAY_SECONDS:
        raise NotAuthenticated(
            f"the assertion lives longer than {ASSERTION_SECONDS} seconds: it expires at "
            f"{shown_time(claims['exp'])}, {clock_says()}"
        )
    if len(claims["jti"]) > 256 or re.search("[\0\ud800-\udfff]", str(claims["jti"])):
        raise NotAuthenticated(
            "the assertion's jti is longer than 256 characters, or holds a zero or what is no character"
        )


def _use_up(connection: Connection, client_id: str, claims: Mapping[str, Any]) -> None:
    # It expires by our clock and is deleted by the database's: deleted early, it could be used again.
    forgotten_at = claims["exp"] + _LEEWAY_SECONDS + CLOCKS_APART_SECONDS
    row = {
        "client_id": client_id,
        "jti": claims["jti"],
        "expires_at": datetime.fromtimestamp(forgotten_at, UTC),
    }
    if not insert(connection, "share.assertion", row)["written"]:
        raise NotAuthenticated("the assertion was used before; sign a new one")
