"""Every check of an identity provider's evidence refuses what it is there for, and says which it is."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from oncehub.errors import ConfigError, EvidenceRefused
from oncehub.settings import Settings
from oncehub.share.identity.evidence import Expected, Proven, verify_evidence
from oncehub.share.identity.nonce import Asked
from oncehub.share.identity.providers import Providers, load_providers

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "api.md"
AN, BINH = "001084000999", "001090000002"
ISSUER = "https://vneid.example"
NONCE = Asked("urn:oncehub", "portal", "portal-residence", "POST /v1/usage/find", {}).nonce()
NOW = 1_790_000_000

FIRST, NEXT = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()
STRANGER = ec.generate_private_key(ec.SECP256R1())

DOCUMENT = """
name: vneid
issuer: https://vneid.example
proves: citizens
audiences: {G01: [portal, portal-app]}
acr: ["2", "3"]
authenticated_within: 15m
keys:
  - {file: first.json, from: 2026-01-01, until: 2026-06-30}
  - {file: now.json, from: 2026-06-01, until: 2999-12-31}
"""


def public(key: Any, kid: str, **more: str) -> dict[str, Any]:
    of = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    of = OKPAlgorithm if isinstance(key, ed25519.Ed25519PrivateKey) else of
    return {**json.loads(of.to_jwk(key.public_key())), "kid": kid, **more}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identity_providers")
    (folder / "vneid.yaml").write_text(DOCUMENT)
    (folder / "first.json").write_text(json.dumps({"keys": [public(FIRST, "first")]}))
    keys = [public(NEXT, "next"), public(RSA, "rsa", alg="RS256"), public(ED, "ed", use="sig")]
    encrypting = public(STRANGER, "stranger", use="enc")
    (folder / "now.json").write_text(json.dumps({"keys": [*keys, encrypting]}))
    return folder


def loaded(folder: Path) -> Providers:
    return load_providers(Settings(Path("/"), Path("/"), None, identity_folder=folder))


@pytest.fixture(scope="module")
def providers(folder: Path) -> Providers:
    return loaded(folder)


def token(
    key: Any = NEXT, algorithm: str = "ES256", header: dict[str, Any] | None = None, **claims: Any
) -> str:
    stated = {
        "iss": ISSUER,
        "sub": AN,
        "aud": "portal",
        "iat": NOW,
        "exp": NOW + 300,
        "auth_time": NOW - 60,
        "acr": "2",
        "nonce": NONCE,
    } | claims
    stated = {name: value for name, value in stated.items() if value is not None}
    return jwt.encode(stated, key, algorithm, headers={"kid": "next"} | (header or {}))


def verified(providers: Providers, evidence: str, **changes: Any) -> Proven:
    return verify_evidence(providers, evidence, replace(Expected("citizens", "G01", NONCE, NOW), **changes))


@pytest.mark.parametrize(
    "evidence",
    [
        token(),
        token(RSA, "RS256", {"kid": "rsa"}),
        token(ED, "EdDSA", {"kid": "ed"}),
        token(header={"typ": "jwt"}),
        token(aud=["portal", "portal-app"], azp="portal"),
        token(acr="3", iat=NOW + 20, exp=NOW + 25),
        token(exp=NOW - 20),
    ],
)
def test_evidence_of_the_provider_proves_the_citizen(providers: Providers, evidence: str) -> None:
    proven = verified(providers, evidence)
    assert (proven.subject, proven.issuer) == (AN, ISSUER)
    assert proven.digest == hashlib.sha256(evidence.rpartition(".")[0].encode()).digest()


def by_public_key(key: Any) -> str:
    """Signed with HMAC by the provider's public key, as if it were a secret (RFC 8725 section 2.1)."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, payload, _ = token(header={"kid": "next"}).split(".")
    head = part({"alg": "HS256", "kid": "next"})
    mac = __import__("hmac").digest(pem, f"{head}.{payload}".encode(), "sha256")
    return f"{head}.{payload}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def headed(header: dict[str, Any]) -> str:
    """A true token under another header."""
    return ".".join([part(header), *token().split(".")[1:]])


REFUSED: dict[str, tuple[str, str]] = {
    "another's key": ("signature", token(STRANGER)),
    "a key that encrypts": ("signature", token(STRANGER, header={"kid": "stranger"})),
    "a kid that is none": ("signature", token(header={"kid": "../../next"})),
    "the kid of another key": ("signature", token(header={"kid": "first"})),
    "a kid that is no text": ("signature", headed({"alg": "ES256", "kid": ["next"]})),
    "its own key in the header": (
        "signature",
        token(STRANGER, header={"jwk": public(STRANGER, "next"), "kid": "next"}),
    ),
    "an address of keys in the header": (
        "signature",
        token(STRANGER, header={"jku": "https://evil.example"}),
    ),
    "a key of other days": ("key", token(FIRST, header={"kid": "first"})),
    "no signature": ("algorithm", jwt.encode({"iss": ISSUER}, "", "none", headers={"kid": "next"})),
    "none, in other letters": ("algorithm", headed({"alg": "nOnE", "kid": "next"})),
    "HMAC by the public key": ("algorithm", by_public_key(NEXT)),
    "another algorithm of the key's kind": ("algorithm", token(RSA, "RS512", {"kid": "rsa"})),
    "one that the key set does not name": ("algorithm", token(RSA, "PS256", {"kid": "rsa"})),
    "a critical header": ("form", headed({"alg": "ES256", "kid": "next", "crit": ["b64"], "b64": False})),
    "an access token": ("form", token(header={"typ": "at+jwt"})),
    "two parts": ("form", token().rpartition(".")[0]),
    "no base64": ("form", "é.é.é"),
    "far too long": ("form", token(more="x" * 20_000)),
    "another issuer": ("issuer", token(iss="https://vneid.example/")),
    "no issuer": ("issuer", token(iss=None)),
    "another audience": ("audience", token(aud="shop")),
    "no audience": ("audience", token(aud=None)),
    "nobody as audience": ("audience", token(aud=[])),
    "one audience too many": ("audience", token(aud=["portal", "shop"], azp="portal")),
    "several audiences without azp": ("azp", token(aud=["portal", "portal-app"])),
    "another's azp": ("azp", token(azp="shop")),
    "expired": ("exp", token(iat=NOW - 400, exp=NOW - 60)),
    "no end": ("exp", token(exp=None)),
    "an end that is no number": ("exp", token(exp="2999")),
    "issued long ago, with a late end": ("exp", token(iat=NOW - 700, exp=NOW + 10**9)),
    "from the future": ("iat", token(iat=NOW + 60)),
    "no time of issue": ("iat", token(iat=None)),
    "true as a time": ("iat", token(iat=True)),
    "not valid yet": ("nbf", token(nbf=NOW + 60)),
    "signed in long ago": ("auth_time", token(auth_time=NOW - 1000)),
    "signed in some time": ("auth_time", token(auth_time=None)),
    "signed in tomorrow": ("auth_time", token(auth_time=NOW + 86_400)),
    "a lower level": ("acr", token(acr="1")),
    "no level": ("acr", token(acr=None)),
    "levels in a list": ("acr", token(acr=["2"])),
    "another request's": ("nonce", token(nonce=NONCE[:-1] + ("A" if NONCE[-1] != "A" else "B"))),
    "no nonce": ("nonce", token(nonce=None)),
    "nobody": ("subject", token(sub=None)),
    "a number of other digits": ("subject", token(sub="٠٠١٠٨٤٠٠٠٩٩٩")),
    "a number with a line": ("subject", token(sub=f"{AN}\n")),
    "a number as a number": ("subject", token(sub=1084000999)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_of_the_provider_for_this_request_is_refused(providers: Providers, name: str) -> None:
    check, evidence = REFUSED[name]
    with pytest.raises(EvidenceRefused) as refused:
        verified(providers, evidence)
    assert refused.value.check == check, refused.value
    assert AN not in str(refused.value)


def test_it_proves_for_one_agency_a_citizen_on_the_days_of_its_key(providers: Providers) -> None:
    for changes, check in (
        ({"agency": "G12"}, "audience"),
        ({"proves": "officers"}, "issuer"),
        ({"moment": NOW + 400}, "exp"),
        ({"nonce": "x"}, "nonce"),
    ):
        with pytest.raises(EvidenceRefused) as refused:
            verified(providers, token(), **changes)
        assert refused.value.check == check
    spring = 1_775_000_000
    times = {"iat": spring, "exp": spring + 300, "auth_time": spring}
    assert verified(providers, token(FIRST, header={"kid": "first"}, **times), moment=spring).subject == AN
    with pytest.raises(EvidenceRefused):
        verified(providers, token(NEXT, **times), moment=spring)


def test_the_nonce_is_what_the_guide_says_it_is() -> None:
    body = {"search": {"person.personal_id": AN}, "limit": 50, "evidence": "left out"}
    canonical = (
        '{"agreement":"portal-residence","body":{"limit":50,"search":{"person.personal_id":"001084000999"}},'
        '"client":"portal","hub":"urn:oncehub","request":"POST /v1/usage/find","use":"oncehub evidence 1"}'
    )
    digest = base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).decode().rstrip("=")
    asked = Asked("urn:oncehub", "portal", "portal-residence", "POST /v1/usage/find", body)
    assert asked.nonce() == digest
    guide = GUIDE.read_text("utf-8")
    assert (f"\n{canonical}\n" in guide, f"`{digest}`" in guide) == (True, True)
    for other in (
        replace(asked, hub="urn:other"),
        replace(asked, client="portal2"),
        replace(asked, agreement="portal-essential"),
        replace(asked, request="POST /v1/consents/query"),
        replace(asked, body=body | {"limit": 51}),
    ):
        assert other.nonce() != digest
    assert replace(asked, body=body | {"limit": 5e1}).nonce() == digest
    with pytest.raises(EvidenceRefused):
        replace(asked, body={"limit": 2**60}).nonce()


@pytest.mark.parametrize(
    ("jwks", "said"),
    [
        ({"keys": []}, "is not a JWK Set"),
        ([], "is not a JWK Set"),
        ({"keys": [{"kty": "oct", "k": "AAAA"}]}, "is secret"),
        ({"keys": [json.loads(ECAlgorithm.to_jwk(STRANGER))]}, "is secret"),
        ({"keys": [public(ec.generate_private_key(ec.SECP521R1()), "x")]}, "is not accepted|is of a kind"),
        ({"keys": [public(NEXT, "x", alg="RS256")]}, "does not fit it"),
        ({"keys": [public(NEXT, "x"), public(FIRST, "x")]}, "each has its own"),
        ({"keys": [{"kty": "EC", "crv": "P-256", "x": "AA"}]}, "is not a public key"),
    ],
)
def test_a_key_set_that_cannot_be_trusted_is_refused(tmp_path: Path, jwks: Any, said: str) -> None:
    (tmp_path / "vneid.yaml").write_text(DOCUMENT.replace("first.json", "now.json"))
    (tmp_path / "now.json").write_text(json.dumps(jwks))
    with pytest.raises(ConfigError, match=said):
        loaded(tmp_path)
