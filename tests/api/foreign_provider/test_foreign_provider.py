"""The hub believes ID tokens of a provider of another project, as it issues them, and no bent ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from oncehub.errors import ConfigError, EvidenceRefused
from oncehub.settings import Settings
from oncehub.share.consent.verification import verify_consents
from oncehub.share.identity.evidence import Expected, verify_evidence
from oncehub.share.identity.pinning import end, find_provider, pin, published_keys
from oncehub.share.identity.providers import Providers, load_providers
from oncehub.store.connection import Connection
from tests.api.foreign_provider.running import ForeignProvider, client, foreign_provider

AN, BINH = "001084000999", "001090000002"
NONCE = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
FORM = "1.004222"

RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"})
SUCCESSOR = RSAKey.generate_key(2048, {"kid": "successor", "use": "sig"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
PORTAL = RSAKey.generate_key(2048, {"kid": "portal", "use": "enc", "alg": "RSA-OAEP-256"})
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")


def jwks(*keys: RSAKey | ECKey | OKPKey) -> dict[str, Any]:
    return {"keys": [each.as_dict(private=True) for each in keys]}


@pytest.fixture(scope="module")
def foreign() -> Iterator[ForeignProvider]:
    clients = (
        *(client(each, each) for each in ALGORITHMS),
        client("pairwise", subject_type="pairwise"),
        client(
            "encrypted", id_token_encrypted_response_alg="RSA-OAEP-256", jwks={"keys": [PORTAL.as_dict()]}
        ),
        client("shared", "HS256", client_secret="s" * 40),
    )
    with foreign_provider(jwks(RSA, EC, ED), *clients) as running:
        yield running


DOCUMENT = """
name: citizens
issuer: {issuer}
proves: citizens
audiences: {{G01: [{clients}]}}
acr: ["2"]
keys:
  - {{file: citizens.json, from: 2026-01-01, until: 2999-12-31}}
"""


def trust(folder: Path, foreign: ForeignProvider, *clients: str, **changed: str) -> Providers:
    """Write what an operator would of a provider, with the keys that it publishes."""
    folder.mkdir(exist_ok=True)
    text = DOCUMENT.format(issuer=foreign.issuer, clients=", ".join(clients or ALGORITHMS))
    for name, value in changed.items():
        text = "".join(f"{line}\n" for line in text.splitlines() if not line.startswith(f"{name}:"))
        text += f"{name}: {value}\n"
    (folder / "citizens.yaml").write_text(text, "utf-8")
    (folder / "citizens.json").write_text(
        requests.get(foreign.configuration["jwks_uri"], timeout=30).text, "utf-8"
    )
    return load_providers(Settings(Path("/"), Path("/"), None, identity_folder=folder))


def subject_of(providers: Providers, evidence: str) -> str:
    """Whom evidence proves just now, or which check refuses it."""
    expected = Expected("citizens", "G01", NONCE, datetime.now(UTC).timestamp())
    try:
        return verify_evidence(providers, evidence, expected).subject
    except EvidenceRefused as refused:
        return refused.check


def test_a_citizen_who_signs_in_there_acts_through_the_portal(
    foreign: ForeignProvider,
    editable: Settings,
    database: Connection,
    believe: Callable[..., str],
    request: pytest.FixtureRequest,
) -> None:
    folder = editable.mappings / "identity_providers"
    trust(folder, foreign)
    portal = request.getfixturevalue("portal")
    portal.providers = {"citizens": foreign}
    believe(personal_id=AN, full_name="Nguyễn Thị An", phone="+84912345678", nationality="VN")
    assert [portal.usage(AN, limit=n).status_code for n in range(1, 3)] == [200, 200]
    proof = {"channel": "vneid", "reference": f"REF-{uuid.uuid4()}"}
    consent: dict[str, Any] = {
        "agreement": "bank-accounts",
        "purpose": "dpv:IdentityVerification",
        "attributes": ["person.full_name"],
        "text": {"version": "2026-01", "sha256": "a" * 64},
        "given_at": datetime.now(UTC).isoformat(),
        "proof": proof,
    }
    assert portal.as_citizen(AN, "/v1/consents", **consent).status_code == 201
    correction = {"attribute": "person.phone", "value": None, "reason": "x"}
    assert portal.as_citizen(AN, "/v1/persons/corrections", **correction).status_code == 201
    form = portal.prefill(FORM, {"person.personal_id": AN}).json()
    answers = {name: {"kind": "confirmed"} for name, item in form["items"].items() if item["confirm"]}
    answers |= {name: {"kind": "none"} for name in form["missing_items"]}
    submission = {"request_id": form["request_id"], "dossier": "D-1", "answers": answers}
    assert portal.as_citizen(AN, f"/v1/procedures/{FORM}/submissions", **submission).status_code == 202
    outcome = verify_consents(editable, database)
    assert (outcome.verified, outcome.findings) == (1, [])

    sent = portal.proving(AN, "/v1/usage/find", {"search": {"person.personal_id": AN}})
    another = sent | {"search": {"person.personal_id": BINH}}
    replies = [
        portal.http.post("/v1/usage/find", json=each, headers=portal.headers())
        for each in (another, sent, sent)
    ]
    assert [(each.status_code, each.json().get("check")) for each in replies] == [
        (403, "nonce"),
        (200, None),
        (403, "replay"),
    ]


def test_what_it_issues_is_believed_by_what_is_configured(foreign: ForeignProvider, tmp_path: Path) -> None:
    providers = trust(tmp_path, foreign)
    for algorithm in ALGORITHMS:
        token = foreign.id_token(AN, NONCE, algorithm)
        assert jws.extract_compact(token.encode()).headers()["alg"] == algorithm
        assert subject_of(providers, token) == AN
    token = foreign.id_token(AN, NONCE)
    assert subject_of(trust(tmp_path, foreign, "another"), token) == "audience"
    assert subject_of(trust(tmp_path, foreign, acr='["3"]'), token) == "acr"
    assert subject_of(providers, foreign.id_token(AN, NONCE, acr_values=None)) == "acr"
    recently = trust(tmp_path, foreign, authenticated_within="5m")
    assert subject_of(recently, token) == "auth_time"
    assert subject_of(recently, foreign.id_token(AN, NONCE, max_age=300)) == AN
    # Pairwise subjects name nobody; the number is in another claim.
    token = foreign.id_token(AN, NONCE, "pairwise")
    assert subject_of(trust(tmp_path, foreign, "pairwise"), token) == "subject"
    assert subject_of(trust(tmp_path, foreign, "pairwise", subject="personal_number"), token) == AN
    with pytest.raises(EvidenceRefused, match="is encrypted"):
        verify_evidence(
            providers, foreign.id_token(AN, NONCE, "encrypted"), Expected("citizens", "G01", "", 0)
        )


def test_a_provider_at_a_path_that_states_no_level_and_names_no_key(tmp_path: Path) -> None:
    with foreign_provider(jwks(RSA), client("portal"), acr=None, path="/realms/vn") as foreign:
        token = foreign.id_token(AN, NONCE)
        assert subject_of(trust(tmp_path, foreign, "portal"), token) == "acr"
        assert subject_of(trust(tmp_path, foreign, "portal", acr="any"), token) == AN
        published = json.loads((tmp_path / "citizens.json").read_text("utf-8"))
        for key in published["keys"]:
            key.pop("kid")
        (tmp_path / "citizens.json").write_text(json.dumps(published), "utf-8")
        without = load_providers(Settings(Path("/"), Path("/"), None, identity_folder=tmp_path))
        assert subject_of(without, token) == AN


def test_its_keys_are_pinned_changed_and_ended_while_the_hub_serves(
    editable: Settings,
    database: Connection,
    believe: Callable[..., str],
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    believe(personal_id=AN, full_name="Nguyễn Thị An")
    document = editable.mappings / "identity_providers" / "citizens.yaml"

    def pinned(key: RSAKey) -> None:
        provider = find_provider(editable, "citizens")
        assert [(each.thumbprint, each.days) for each in published_keys(provider, None)] == [
            (key.thumbprint(), None)
        ]
        days = (date(2026, 1, 1), date(2999, 12, 31))
        pin(editable, "citizens", key.thumbprint(), days, None)
        assert published_keys(find_provider(editable, "citizens"), None)[0].days == days
        with pytest.raises(ConfigError, match="pinned already"):
            pin(editable, "citizens", key.thumbprint(), days, None)

    def consenting() -> tuple[int, str | None]:
        body = {
            "agreement": "bank-accounts",
            "purpose": "dpv:IdentityVerification",
            "attributes": ["person.full_name"],
            "text": {"version": "2026-01", "sha256": "a" * 64},
            "given_at": datetime.now(UTC).isoformat(),
            "proof": {"channel": "vneid", "reference": f"REF-{uuid.uuid4()}"},
        }
        answer = portal.as_citizen(AN, "/v1/consents", **body)
        return answer.status_code, answer.json().get("check")

    with foreign_provider(jwks(RSA), client("portal")) as foreign:
        text = DOCUMENT.format(issuer=foreign.issuer, clients="portal").partition("keys:")[0]
        document.write_text(f"# Of others.\n{text}keys: []  # none yet\n", "utf-8")
        portal = request.getfixturevalue("portal")
        assert "all citizens at G01 are refused" in caplog.text
        portal.providers = {"citizens": foreign}
        assert consenting() == (403, "signature")
        with pytest.raises(ConfigError, match=f"publishes: {RSA.thumbprint()}"):
            pin(editable, "citizens", EC.thumbprint(), (date.min, date.max), None)
        pinned(RSA)
        assert consenting() == (201, None)
        assert document.read_text("utf-8").startswith("# Of others.\n")
    port = int(foreign.issuer.rpartition(":")[2])
    with foreign_provider(jwks(SUCCESSOR), client("portal"), port=port):
        assert consenting() == (403, "signature")
        pinned(SUCCESSOR)
        assert consenting() == (201, None)
    # A document that is being written wrongly stops nobody, and is told.
    right = document.read_text("utf-8")
    document.write_text(right.replace("proves:", "prove:"), "utf-8")
    with foreign_provider(jwks(SUCCESSOR), client("portal"), port=port):
        assert consenting() == (201, None)
    assert "identity providers stay as they were" in caplog.text
    document.write_text(right, "utf-8")
    # The first key leaked: what it signed since is named, and it proves nobody any more.
    end(editable, "citizens", RSA.thumbprint(), date(2026, 1, 2))
    outcome = verify_consents(editable, database)
    assert (outcome.verified, [each.check for each in outcome.findings]) == (2, ["key"])
    with foreign_provider(jwks(RSA), client("portal"), port=port):
        assert consenting() == (403, "key")


def test_a_document_whose_issuer_differs_by_a_slash_is_told_before_every_citizen_is_refused(
    foreign: ForeignProvider, tmp_path: Path
) -> None:
    providers = trust(tmp_path, foreign, issuer=f"{foreign.issuer}/")
    (provider,) = providers.values()
    with pytest.raises(ConfigError, match=f"write issuer: {foreign.issuer}$"):
        published_keys(provider, None)


@dataclass(frozen=True)
class Bent:
    """A true token, and how it is signed again."""

    header: dict[str, Any]
    claims: dict[str, Any]

    def signed(self, key: RSAKey = RSA, header: dict[str, Any] | None = None, **claims: Any) -> str:
        return Bent(self.header | (header or {}), self.claims | claims).by(
            lambda text: key.private_key.sign(text, PKCS1v15(), SHA256())  # type: ignore[union-attr]
        )

    def by(self, signature: Callable[[bytes], bytes], **header: Any) -> str:
        parts = [_part(json.dumps(each).encode()) for each in (self.header | header, self.claims)]
        return ".".join([*parts, _part(signature(".".join(parts).encode()))])


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@pytest.fixture(scope="module")
def bent(foreign: ForeignProvider) -> Bent:
    token = foreign.id_token(AN, NONCE)
    parsed = jws.extract_compact(token.encode())
    return Bent(parsed.headers(), json.loads(parsed.payload))


def test_headers_of_other_providers_are_read_and_never_obeyed(
    foreign: ForeignProvider, bent: Bent, tmp_path: Path
) -> None:
    """What Entra, Keycloak, CAS and load balancers put there."""
    providers = trust(tmp_path, foreign)
    for header in (
        {"typ": "JWT", "x5t": "a" * 27, "nonce": "x"},
        {"org.apereo.cas.services.RegisteredService": "1", "cty": "JWT"},
        {"x5c": ["M" * 1600, "M" * 1600, "M" * 1600]},
        {
            "jwk": STRANGER.as_dict(private=False),
            "jku": "https://evil.example",
            "x5u": "https://evil.example",
        },
    ):
        assert subject_of(providers, bent.signed(header=header)) == AN, header
        assert subject_of(providers, bent.signed(STRANGER, header=header)) == "signature", header


def test_what_is_bent_is_refused(foreign: ForeignProvider, bent: Bent, tmp_path: Path) -> None:
    providers = trust(tmp_path, foreign)
    now = datetime.now(UTC).timestamp()
    pem = RSA.as_pem(private=False)
    spki = RSA.as_der(private=False)
    assert subject_of(providers, bent.signed()) == AN

    def by_secret(secret: bytes) -> str:
        return bent.by(lambda text: hmac.digest(secret, text, hashlib.sha256), alg="HS256")

    for check, token in (
        ("algorithm", bent.by(lambda _: b"", alg="none")),
        ("algorithm", bent.by(lambda _: b"", alg="NONE")),
        ("signature", bent.by(lambda _: b"")),
        ("algorithm", by_secret(pem)),
        ("algorithm", by_secret(pem.rstrip(b"\n"))),
        ("algorithm", by_secret(spki)),
        ("form", bent.signed(header={"crit": ["exp"], "exp": 1})),
        ("form", bent.signed(header={"crit": []})),
        ("form", bent.signed(header={"typ": "at+jwt"})),
        ("form", bent.signed(header={"typ": "logout+jwt"})),
        ("signature", bent.signed(STRANGER)),
        ("signature", bent.signed(header={"kid": "another"})),
        ("algorithm", bent.signed(header={"kid": "ec"})),
        ("issuer", bent.signed(iss=f"{foreign.issuer}/")),
        ("audience", bent.signed(aud="another")),
        ("audience", bent.signed(aud=["RS256", "another"], azp="RS256")),
        ("azp", bent.signed(aud=["RS256", "PS256"])),
        ("azp", bent.signed(azp="another")),
        ("exp", bent.signed(exp=now - 31)),
        ("exp", bent.signed(iat=now - 700)),
        ("iat", bent.signed(iat=now + 60)),
        ("nonce", bent.signed(nonce=NONCE[:-1] + "B")),
        ("nonce", bent.signed(nonce=hashlib.sha256(NONCE.encode()).hexdigest())),
        ("nonce", bent.signed(nonce=[NONCE])),
        ("acr", bent.signed(acr="1")),
        ("acr", bent.signed(acr=["2"])),
        ("subject", bent.signed(sub=int(AN))),
    ):
        assert subject_of(providers, token) == check, jws.extract_compact(token.encode()).headers()
    assert subject_of(providers, bent.signed(aud=["RS256", "PS256"], azp="PS256")) == AN
    # By the secret that the provider shares with a portal, the portal could prove anybody.
    assert (
        subject_of(trust(tmp_path, foreign, "shared"), foreign.id_token(AN, NONCE, "shared")) == "algorithm"
    )
