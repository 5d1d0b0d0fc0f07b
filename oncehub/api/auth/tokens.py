"""Verifies signed client assertions (RFC 7523), and issues short-lived bearer tokens for one agreement."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.jwt import JWTClaimsRegistry

from oncehub.api.auth.token_keys import TokenKeys
from oncehub.api.database import Question
from oncehub.api.http.oauth import ASSERTION_SECONDS, TOKEN_SECONDS
from oncehub.errors import NotAuthenticated
from oncehub.share.clients.keys import PublicJwk, read_public_key
from oncehub.store.connection import Connection

ASSERTION_ALGORITHMS = ("Ed25519", "EdDSA", "ES256")
"""Signatures accepted on assertions; `EdDSA` is the older name of `Ed25519` (RFC 9864)."""

_LEEWAY_SECONDS = 10
_CLOCKS_APART_SECONDS = 60
_TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068's media type, not a secret
_NO_TOKEN = "the token is not valid, or has expired"  # noqa: S105 - nor is this
_UNKNOWN = "the client is not known, is revoked, or did not sign this assertion"

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

_ADMITTED = "select agreement, key_valid from share.admitted(%(client)s, %(thumbprint)s)"

# The parsers' errors for malformed tokens; deep nesting raises RecursionError.
_MALFORMED = (JoseError, ValueError, TypeError, KeyError, RecursionError)


@dataclass(frozen=True)
class Caller:
    """An authenticated client.

    Attributes:
        agreement: name of the client's agreement.
        key: thumbprint of its key.
        officer: of the agency, named in the signed assertion; None when it names none.
        citizen: personal number of the citizen whom the agency has authenticated and acts for; None where it
            acts for none.
    """

    client_id: str
    agreement: str
    key: str
    officer: str | None = None
    citizen: str | None = None


def verify_assertion(connection: Connection, assertion: str, issuer: str) -> Caller:
    """Check a client assertion and use it up.

    Args:
        connection: one that may read clients and their keys, and write `share.assertion`.
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
    except _MALFORMED:
        raise NotAuthenticated("the assertion is not a signed JWT with a subject") from None
    agreement, keys = _registered(connection, client_id)
    thumbprint, claims = _verified(assertion, _meant(signed.protected, keys))
    _check_assertion(claims, client_id, issuer)
    _use_up(connection, client_id, claims)
    return Caller(client_id, agreement, thumbprint, *_actor(claims))


def issue_token(key: bytes, caller: Caller, issuer: str) -> str:
    """Return a bearer token (RFC 9068) for the caller, good for `TOKEN_SECONDS`."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": issuer,
        "sub": caller.client_id,
        "agreement": caller.agreement,
        "key": caller.key,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": str(uuid.uuid4()),
    }
    if caller.officer:
        claims["act"] = {"sub": caller.officer}
    if caller.citizen:
        claims["act"] = {"sub": caller.citizen, "role": "citizen"}
    header = {"alg": "HS256", "typ": _TOKEN_TYPE}
    return jwt.encode(header, claims, OctKey.import_key(key), algorithms=["HS256"])


def verify_token(keys: TokenKeys, token: str, issuer: str) -> Caller:
    """Return the caller of a bearer token; `check_admission` checks whether the client is still admitted.

    Raises:
        NotAuthenticated: when the hub did not issue it, or it has expired.
    """
    registry = JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": issuer},
        exp={"essential": True},
        sub={"essential": True},
        agreement={"essential": True},
        key={"essential": True},
    )
    decoded = _decoded(keys, token)
    try:
        registry.validate(decoded.claims)
    except _MALFORMED:
        raise NotAuthenticated(_NO_TOKEN) from None
    if decoded.header.get("typ") != _TOKEN_TYPE:
        raise NotAuthenticated(_NO_TOKEN)
    claims = decoded.claims
    return Caller(claims["sub"], claims["agreement"], claims["key"], *_actor(claims))


def _decoded(keys: TokenKeys, token: str) -> jwt.Token:
    """Decode a token that one of the hub's own keys signed."""
    for key in keys.accepted():
        try:
            return jwt.decode(token, OctKey.import_key(key), algorithms=["HS256"])
        except _MALFORMED:
            continue
    raise NotAuthenticated(_NO_TOKEN)


def admission(caller: Caller) -> Question:
    """Return the query for `check_admission`."""
    return Question(_ADMITTED, {"client": caller.client_id, "thumbprint": caller.key})


def check_admission(caller: Caller, row: tuple[Any, ...] | None) -> None:
    """Check that a client is still admitted under the agreement, and with the key, of its token.

    Args:
        caller: of the token.
        row: the result of `admission`.

    Raises:
        NotAuthenticated: when it was revoked or given another agreement, or the key has ended or leaked.
    """
    if row is None:
        raise NotAuthenticated(_UNKNOWN)
    agreement, valid = row
    if agreement != caller.agreement:
        raise NotAuthenticated("the client acts under another agreement now; ask for a new token")
    # Tokens of a stolen key must end when the client retires the key.
    if not valid:
        raise NotAuthenticated("the key of this token is no longer valid; use another")


def _registered(connection: Connection, client_id: str) -> tuple[str, dict[str, PublicJwk]]:
    """Return the client's agreement, and its keys that are valid now by thumbprint."""
    with connection.cursor() as cursor:
        # PostgreSQL has no text with a zero character.
        cursor.execute(_REGISTERED, {"client": client_id.replace("\0", "?")})
        row = cursor.fetchone()
    if row is None:
        raise NotAuthenticated(_UNKNOWN)
    return row


def _meant(header: Mapping[str, Any], keys: Mapping[str, PublicJwk]) -> Iterator[PublicJwk]:
    """Yield the key that the header's kid names, or all keys without kid; never a key in the header."""
    if "kid" not in header:
        yield from keys.values()
    elif isinstance(header["kid"], str) and header["kid"] in keys:
        yield keys[header["kid"]]


def _verified(assertion: str, keys: Iterator[PublicJwk]) -> tuple[str, dict[str, Any]]:
    """Return the thumbprint of the key that signed the assertion, and its claims."""
    for jwk in keys:
        key = read_public_key(jwk)
        try:
            return key.thumbprint(), jwt.decode(assertion, key, algorithms=ASSERTION_ALGORITHMS).claims
        except _MALFORMED:
            continue
    raise NotAuthenticated(_UNKNOWN)


def _actor(claims: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return officer and citizen; a token names at most one of them."""
    act = claims.get("act")
    role = act.get("role", "officer") if isinstance(act, dict) else "officer"
    if role == "citizen" and isinstance(act, dict):
        if not isinstance(act.get("sub"), str) or not re.fullmatch("[0-9]{12}", act["sub"]):
            raise NotAuthenticated("the assertion's act names no citizen: its sub is a personal number")
        return None, act["sub"]
    if role != "officer":
        raise NotAuthenticated("the assertion's act has another role than officer or citizen")
    return _officer(claims), None


def _officer(claims: Mapping[str, Any]) -> str | None:
    if "act" not in claims:
        return None
    officer = claims["act"].get("sub") if isinstance(claims["act"], dict) else None
    if not isinstance(officer, str) or not officer.strip() or len(officer) > 100 or not officer.isprintable():
        raise NotAuthenticated("the assertion's act names nobody: its sub is one line of 1 to 100 characters")
    return officer


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
    except _MALFORMED as error:
        claim = getattr(error, "claim", None) or "claims"
        raise NotAuthenticated(f"the assertion's {claim} is missing, wrong or expired") from None
    # Written so that NaN, which JSON parsers accept, fails, too.
    if not claims["exp"] <= time.time() + ASSERTION_SECONDS + _LEEWAY_SECONDS:
        raise NotAuthenticated(f"the assertion lives longer than {ASSERTION_SECONDS} seconds")
    if len(claims["jti"]) > 256 or "\0" in claims["jti"]:
        raise NotAuthenticated("the assertion's jti is longer than 256 characters, or holds a zero")


def _use_up(connection: Connection, client_id: str, claims: Mapping[str, Any]) -> None:
    # It expires by our clock and is deleted by the database's: deleted early, it could be used again.
    forgotten_at = claims["exp"] + _LEEWAY_SECONDS + _CLOCKS_APART_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from share.assertion where client_id = %s and expires_at < now()", (client_id,)
        )
        cursor.execute(
            "insert into share.assertion (client_id, jti, expires_at) "
            "values (%s, %s, to_timestamp(%s)) on conflict do nothing",
            (client_id, claims["jti"], forgotten_at),
        )
        if cursor.rowcount == 0:
            raise NotAuthenticated("the assertion was used before; sign a new one")
