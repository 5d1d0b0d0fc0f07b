"""Issues and verifies short-lived bearer tokens for one agreement, and checks who is still admitted."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import OctKey
from joserfc.jwt import JWTClaimsRegistry

from oncehub.api.database import Question
from oncehub.api.http.oauth import TOKEN_SECONDS
from oncehub.clock import shown_time
from oncehub.config.agreements import Agreement
from oncehub.encryption.secrets import given_key, symmetric_key
from oncehub.errors import NotAuthenticated
from oncehub.share.request_proofs import insert
from oncehub.store.connection import Connection

MALFORMED: Final = (JoseError, ValueError, TypeError, KeyError, RecursionError)
"""The parsers' errors for malformed tokens; deep nesting raises RecursionError."""

UNKNOWN_CLIENT: Final = "the client is not known, is revoked, or did not sign this assertion"

OVERLAP_SECONDS = 3600
"""How long a key is accepted after another began to sign: processes restart one by one, tokens stay valid."""

_LAST = "select fingerprint from share.token_key order by change_id desc limit 1"

# Null for the key that signs now, and for one that has not signed yet, such as the next key before a change.
_FOLLOWED = """
select extract(epoch from clock_timestamp() - min(signs_since))::float8
from share.token_key
where change_id > (select max(change_id) from share.token_key where fingerprint = %s)
"""

_TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - RFC 9068's media type, not a secret
_NO_TOKEN: Final = "the token is not valid, or has expired"  # noqa: S105 - nor is this
_MOST_REMEMBERED: Final = 4096

CLOCKS_APART_SECONDS: Final = 60
"""How far the clocks of the hub's servers, and its database's, may differ."""

_ADMITTED = "select agreement, key_valid, alone from share.admitted(%(client)s, %(thumbprint)s)"


@dataclass(frozen=True)
class Caller:
    """An authenticated client.

    Attributes:
        agreement: name of the client's agreement.
        key: thumbprint of its key.
        officer: of the agency, named in the signed assertion; None when it names none.
        citizen: personal number of the citizen for whom the agency says that it acts; None where it names
            none.
        officer_proven: whether an identity provider proved the officer when the token was issued.
    """

    client_id: str
    agreement: str
    key: str
    officer: str | None = None
    citizen: str | None = None
    officer_proven: bool = False


@dataclass(frozen=True)
class TokenKeys:
    """The key that signs, and at most one other that is accepted.

    Attributes:
        signing: 32 bytes.
        other: 32 bytes; None where there is none.
        other_until: by `clock`, when the other key's tokens are refused.
    """

    signing: bytes = field(repr=False)
    other: bytes | None = field(default=None, repr=False)
    other_until: float = 0.0
    clock: Callable[[], float] = time.monotonic

    def accepted(self) -> Iterator[bytes]:
        """Yield the keys whose tokens are accepted now, the one that signs first."""
        yield self.signing
        if self.other is not None and self.clock() < self.other_until:
            yield self.other


def load_token_keys(home: Path, connection: Connection) -> TokenKeys:
    """Read the keys, and record that the first one signs from now on, unless it did before.

    `ONCEHUB_KEY_TOKEN` signs. `ONCEHUB_KEY_TOKEN_OTHER` is the next key before a change of keys, and the
    previous one after it. Tokens of the previous key are accepted for `OVERLAP_SECONDS` from the moment when
    the new key began to sign, even if the setting stays longer. Without settings, the keys are the files
    `token.key` and `token_other.key` in `home/keys`.

    Args:
        home: the hub's.
        connection: in no transaction; the API proves what it writes, see `proving`.

    Raises:
        ConfigError: when a key is not 32 bytes of base64.
    """
    signing, other = symmetric_key("token", home), given_key("token_other", home)
    with connection, connection.cursor() as cursor:
        cursor.execute(_LAST)
        if cursor.fetchone() != (_fingerprint(signing),):
            insert(connection, "share.token_key", {"fingerprint": _fingerprint(signing)})
        cursor.execute(_FOLLOWED, (_fingerprint(other or signing),))
        (followed,) = cursor.fetchone() or (None,)
    left = math.inf if followed is None else OVERLAP_SECONDS - followed
    return TokenKeys(signing, other, time.monotonic() + left)


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
    if caller.officer_proven:
        claims["officer_proven"] = True
    if caller.citizen:
        claims["act"] = {"sub": caller.citizen, "role": "citizen"}
    header = {"alg": "HS256", "typ": _TOKEN_TYPE}
    return jwt.encode(header, claims, OctKey.import_key(key), algorithms=["HS256"])


class VerifiedTokens:
    """Verifies bearer tokens, and caches the caller of each until it expires.

    A client sends the same token with every request for ten minutes. The database still checks with every
    request whether the client is admitted. While a second key is accepted nothing is cached, so that its
    tokens end with the key.

    Args:
        keys: the hub's own.
        issuer: the hub's identifier.
    """

    def __init__(self, keys: TokenKeys, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._callers: dict[str, tuple[Caller, float, float]] = {}

    def caller(self, token: str) -> Caller:
        """Return the caller of a bearer token.

        Raises:
            NotAuthenticated: when the hub did not issue it, or it has expired.
        """
        known = self._callers.get(token)
        if known is not None and known[1] - CLOCKS_APART_SECONDS <= time.time() < known[2]:
            return known[0]
        claims = self._claims(token)
        proven = claims.get("officer_proven") is True
        caller = Caller(claims["sub"], claims["agreement"], claims["key"], *actor(claims), proven)
        if len([*self._keys.accepted()]) == 1:
            if len(self._callers) >= _MOST_REMEMBERED:
                self._callers.clear()
            self._callers[token] = caller, claims["iat"], claims["exp"]
        return caller

    def _claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that the hub issued and that has not expired."""
        decoded = self._decoded(token)
        registry = JWTClaimsRegistry(
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._issuer},
            exp={"essential": True},
            sub={"essential": True},
            agreement={"essential": True},
            key={"essential": True},
        )
        try:
            registry.validate({name: claim for name, claim in decoded.claims.items() if name != "iat"})
            issued = float(decoded.claims["iat"])
        except ExpiredTokenError:
            expired = shown_time(decoded.claims["exp"])
            raise NotAuthenticated(
                f"the token expired at {expired}, {clock_says()}; ask for another"
            ) from None
        except MALFORMED:
            raise NotAuthenticated(_NO_TOKEN) from None
        if decoded.header.get("typ") != _TOKEN_TYPE:
            raise NotAuthenticated(_NO_TOKEN)
        # Another server's clock may be ahead. One that was set back must not prolong what it issued before.
        if not issued - CLOCKS_APART_SECONDS <= time.time():
            raise NotAuthenticated(
                f"the token was issued at {shown_time(issued)}, {clock_says()}: a clock was set back; ask "
                "for another"
            )
        return decoded.claims

    def _decoded(self, token: str) -> jwt.Token:
        """Decode a token that one of the hub's own keys signed."""
        for key in self._keys.accepted():
            try:
                return jwt.decode(token, OctKey.import_key(key), algorithms=["HS256"])
            except MALFORMED:
                continue
        raise NotAuthenticated(_NO_TOKEN)


def clock_says() -> str:
    """Name the clock by which a time is judged."""
    return f"and the hub's clock says {shown_time(time.time())}"


def claimed_client(token: str) -> str | None:
    """Return the subject that a JWT claims, without any proof; None where it claims none.

    Args:
        token: any text.
    """
    try:
        subject = orjson.loads(jws.extract_compact(token.encode()).payload)["sub"]
    except MALFORMED:
        return None
    return subject if isinstance(subject, str) else None


def admission(caller: Caller) -> Question:
    """Return the query for `check_admission`."""
    return Question(_ADMITTED, {"client": caller.client_id, "thumbprint": caller.key})


def check_admission(caller: Caller, row: tuple[Any, ...] | None) -> bool:
    """Check that a client is still admitted under the agreement, and with the key, of its token.

    Returns whether it is the only client of the agreement.

    Args:
        caller: of the token.
        row: the result of `admission`.

    Raises:
        NotAuthenticated: when it was revoked or given another agreement, or the key has ended or leaked.
    """
    if row is None:
        raise NotAuthenticated(UNKNOWN_CLIENT)
    agreement, valid, alone = row
    if agreement != caller.agreement:
        raise NotAuthenticated("the client acts under another agreement now; ask for a new token")
    # Tokens of a stolen key must end when the client retires the key.
    if not valid:
        raise NotAuthenticated("the key of this token is no longer valid; use another")
    return bool(alone)


def check_pinned(caller: Caller, agreement: Agreement) -> None:
    """Check that an agreement that pins keys pins the caller's.

    Raises:
        NotAuthenticated: when it does not.
    """
    if not agreement.admits(caller.key):
        raise NotAuthenticated("the client's agreement lists its keys, and this key is not in the list")


def check_officer(caller: Caller, agreement: Agreement) -> None:
    """Check that an officer is proven where the agreement demands it.

    Raises:
        NotAuthenticated: when they are only named.
    """
    if agreement.officers == "proven" and caller.officer is not None and not caller.officer_proven:
        raise NotAuthenticated(
            "the agreement demands that officers are proven: ask for a token with actor_token, an ID token "
            "of the officer"
        )


def actor(claims: Mapping[str, Any]) -> tuple[str | None, str | None]:
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


def _fingerprint(key: bytes) -> str:
    return hmac.new(key, b"oncehub token key", hashlib.sha256).hexdigest()
