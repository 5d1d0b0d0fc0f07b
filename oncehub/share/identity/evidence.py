"""Verifies evidence: an ID token (OpenID Connect Core 1.0) by which an identity provider proves who acts."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
from joserfc import jws
from joserfc.errors import JoseError

from oncehub.config.identity import LONGEST_ACCEPTED, IdentityProvider
from oncehub.errors import EvidenceRefused
from oncehub.share.identity.providers import Provider, Providers, SigningKey
from oncehub.share.request_proofs import insert
from oncehub.store.connection import Connection

LEEWAY_SECONDS: Final = 30
"""How far the provider's clock and the hub's may differ."""

_CLOCKS_APART_SECONDS: Final = 60
"""How far the clocks of the hub's servers, and its database's, may differ."""


class _Registry(jws.JWSRegistry):
    """Reads headers as RFC 7515 has them: parameters that are not known are ignored, and may be long.

    Providers put certificates and names of their own there. `_parsed` refuses critical ones.
    """

    max_header_length = 12_288
    max_signature_length = 2_048


_MALFORMED: Final = (JoseError, ValueError, TypeError, KeyError, RecursionError)
_LONGEST: Final = 16_384
_DOTS_OF_ENCRYPTED: Final = 4
_SUBJECTS: Final = {"citizens": re.compile("[0-9]{12}"), "officers": re.compile(r"\S(.{0,98}\S)?")}

Who = Literal["citizens", "officers"]


@dataclass(frozen=True)
class Expected:
    """What evidence must prove.

    Attributes:
        proves: whether a citizen or an officer.
        agency: id of the agency that presents it; the provider must have issued it to that agency.
        nonce: of the request; see `oncehub.share.identity.nonce`.
        moment: at which it is presented, in seconds since 1970.
    """

    proves: Who
    agency: str
    nonce: str
    moment: float


@dataclass(frozen=True)
class Proven:
    """Who is proven, and by what.

    Attributes:
        subject: a citizen's personal number, or an officer.
        digest: SHA-256 of what the provider signed.
        refused_from: when it would be refused for its age whatever the configuration says, in seconds since
            1970.
        agency: id of the agency to which it was issued.
        terms: the provider's document by which it was judged.
        key: the one that signed it.
    """

    subject: str
    issuer: str
    digest: bytes
    refused_from: float
    agency: str
    terms: IdentityProvider
    key: SigningKey


def verify_evidence(providers: Providers, evidence: str, expected: Expected) -> Proven:
    """Check evidence, but for its being used before; see `use_up`.

    Raises:
        EvidenceRefused: naming the check that failed, without anything of the evidence.
    """
    header, signed = _parsed(evidence)
    provider = _provider(providers, signed, expected.proves)
    key, claims = _signed_claims(provider, evidence, header, expected.moment)
    _check_audience(provider, claims, expected.agency)
    refused_from = _check_times(provider, claims, expected.moment)
    accepted = provider.document.acr
    if accepted != "any" and claims.get("acr") not in accepted:
        raise EvidenceRefused(
            "acr",
            "the evidence has no level of authentication (acr) that is accepted; ask the provider for one by "
            "acr_values",
        )
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise EvidenceRefused("nonce", "the evidence's nonce is not of this request: it was made for another")
    subject = claims.get(provider.document.subject)
    if not isinstance(subject, str) or not subject.isprintable() or not _names(expected.proves, subject):
        raise EvidenceRefused(
            "subject", "the evidence names no person: its claim is missing, or has another form"
        )
    digest = hashlib.sha256(evidence.rpartition(".")[0].encode()).digest()
    terms = provider.document
    return Proven(subject, terms.issuer, digest, refused_from, expected.agency, terms, key)


def use_up(connection: Connection, proven: Proven) -> None:
    """Use evidence up within the caller's transaction, for all servers.

    Raises:
        EvidenceRefused: when it was used before.
    """
    # It ends by our clock and is forgotten by the database's: forgotten early, it could be used again.
    kept_until = proven.refused_from + _CLOCKS_APART_SECONDS
    row = {"digest": proven.digest, "kept_until": datetime.fromtimestamp(kept_until, UTC)}
    if not insert(connection, "share.used_evidence", row)["written"]:
        raise EvidenceRefused("replay", "the evidence was used before; have the provider issue another")


def _parsed(evidence: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims, without any proof."""
    if evidence.count(".") == _DOTS_OF_ENCRYPTED:
        raise EvidenceRefused(
            "form",
            "the evidence is encrypted (a JWE of five parts); decrypt it and send the ID token inside, or "
            "have the provider encrypt none for this client",
        )
    try:
        if len(evidence) > _LONGEST:
            raise ValueError
        parsed = jws.extract_compact(evidence.encode("ascii"), registry=_registry())
        header, claims = parsed.headers(), orjson.loads(parsed.payload)
        if not isinstance(claims, dict) or "crit" in header or "b64" in header:
            raise ValueError
    except _MALFORMED:
        raise EvidenceRefused(
            "form", "the evidence is not a signed ID token (a JWT of three parts)"
        ) from None
    # Another kind of JWT that the provider signs, such as an access token, proves nobody.
    if str(header.get("typ", "JWT")).lower() != "jwt":
        raise EvidenceRefused("form", "the evidence is another kind of JWT than an ID token")
    return header, claims


def _provider(providers: Providers, claims: Mapping[str, Any], proves: Who) -> Provider:
    issuer = claims.get("iss")
    provider = providers.get(issuer) if isinstance(issuer, str) else None
    if provider is None or provider.document.proves != proves:
        raise EvidenceRefused(
            "issuer", f"the evidence's issuer is no identity provider that proves {proves} here"
        )
    return provider


def _signed_claims(
    provider: Provider, evidence: str, header: Mapping[str, Any], moment: float
) -> tuple[SigningKey, dict[str, Any]]:
    """Return the key of the provider that signed the evidence, and the claims.

    The key is one that was configured, never one from the header, and says itself which algorithms it has.
    """
    algorithm = header.get("alg")
    named = [key for key in provider.keys if "kid" not in header or key.kid in (None, header["kid"])]
    fitting = [key for key in named if algorithm in key.algorithms]
    if named and not fitting:
        raise EvidenceRefused("algorithm", "the evidence is signed by an algorithm that is not accepted")
    for key in fitting:
        claims = _verified(key, evidence)
        if claims is None:
            continue
        if not key.signs(moment):
            raise EvidenceRefused(
                "key", "the provider's key that signed the evidence is not valid on this day"
            )
        return key, claims
    raise EvidenceRefused("signature", "no key of the provider signed the evidence")


def _registry(algorithms: Collection[str] = ()) -> jws.JWSRegistry:
    return _Registry(algorithms=algorithms, strict_check_header=False)


def _verified(key: SigningKey, evidence: str) -> dict[str, Any] | None:
    try:
        verified = jws.deserialize_compact(evidence, key.key, registry=_registry(key.algorithms))
        claims = orjson.loads(verified.payload)
    except _MALFORMED:
        return None
    return claims if isinstance(claims, dict) else None


def _check_audience(provider: Provider, claims: Mapping[str, Any], agency: str) -> None:
    """Check that the evidence was issued to the agency that presents it, and to nobody else."""
    own = provider.document.audiences.get(agency, ())
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not audiences or any(not isinstance(each, str) or each not in own for each in audiences):
        raise EvidenceRefused("audience", "the evidence's aud is missing, or names another than this agency")
    if "azp" in claims or len(audiences) > 1:
        party = claims.get("azp")
        if not isinstance(party, str) or party not in own:
            raise EvidenceRefused("azp", "the evidence's azp is missing, or names another than this agency")


def _check_times(provider: Provider, claims: Mapping[str, Any], moment: float) -> float:
    """Return from when on the evidence would be refused under any configuration."""
    document = provider.document
    issued, ends = _time(claims, "iat"), _time(claims, "exp")
    if issued > moment + LEEWAY_SECONDS:
        raise EvidenceRefused("iat", "the evidence is issued in the future; one of the clocks is wrong")
    if "nbf" in claims and _time(claims, "nbf") > moment + LEEWAY_SECONDS:
        raise EvidenceRefused("nbf", "the evidence is not valid yet")
    if not moment < min(ends, issued + document.accepted_for.total_seconds()) + LEEWAY_SECONDS:
        raise EvidenceRefused("exp", "the evidence has expired; have the provider issue another")
    if document.authenticated_within is not None:
        since = moment - _time(claims, "auth_time")
        if not -LEEWAY_SECONDS <= since <= document.authenticated_within.total_seconds() + LEEWAY_SECONDS:
            raise EvidenceRefused("auth_time", "the person signed in too long ago; have them sign in again")
    return min(ends, issued + LONGEST_ACCEPTED.total_seconds()) + LEEWAY_SECONDS


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        remedy = "; ask the provider for it by max_age" if name == "auth_time" else ""
        raise EvidenceRefused(name, f"the evidence's {name} is missing, or is no time{remedy}")
    return float(value)


def _names(proves: Who, subject: str) -> bool:
    return _SUBJECTS[proves].fullmatch(subject) is not None
