"""Tokens and assertions that are forged, bent or somebody else's open nothing."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

MINE = "/v1/agreements/mine"


def segment(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def opened(part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return content


def status(agency: Any, token: str) -> int:
    return int(agency.http.get(MINE, headers={"Authorization": f"Bearer {token}"}).status_code)


def claims(agency: Any) -> dict[str, Any]:
    standard = {"iss": agency.client_id, "sub": agency.client_id, "aud": "urn:oncehub"}
    return standard | {"exp": int(time.time()) + 60, "jti": str(uuid.uuid4())}


def test_a_key_that_an_assertion_brings_along_is_not_taken(attacker: Any) -> None:
    stranger = OKPKey.generate_key("Ed25519")
    public = stranger.as_dict(private=False)
    own = attacker.key.thumbprint()
    brought: list[dict[str, Any]] = [
        {"jwk": public},
        {"jwk": public, "kid": own},
        {"jku": "https://elsewhere.example/keys.json"},
        {"x5u": "https://elsewhere.example/chain.pem", "kid": own},
        {"x5c": ["MIIB"]},
        {"kid": stranger.thumbprint()},
        {"kid": [own]},
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
    ]
    for header in brought:
        signed = f"{segment({'alg': 'Ed25519'} | header)}.{segment(claims(attacker))}"
        own_key = "crit" in header or ("kid" in header and "jwk" not in header)
        key = attacker.key if own_key else stranger
        signature = key.private_key.sign(signed.encode())
        assertion = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
        answer = attacker.ask_token(assertion)
        expected = 200 if header.get("kid") == own and own_key else 401
        assert answer.status_code == expected, header


def test_no_other_algorithm_is_taken(attacker: Any) -> None:
    for algorithm in ("none", "None", "NONE", "", "HS256", "RS256", "ES256", "ES512", "Ed448"):
        unsigned = f"{segment({'alg': algorithm})}.{segment(claims(attacker))}"
        for signature in ("", "AAAA", "A" * 86):
            assert attacker.ask_token(f"{unsigned}.{signature}").status_code in (400, 401), algorithm
    public = json.dumps(attacker.key.as_dict(private=False))
    for secret in (public, attacker.key.as_dict(private=False)["x"], attacker.key.thumbprint()):
        forged = jwt.encode({"alg": "HS256"}, claims(attacker), OctKey.import_key(secret))
        assert attacker.ask_token(forged).status_code == 401


def test_a_token_is_valid_unaltered_and_for_its_client_only(attacker: Any, admit: Callable[..., Any]) -> None:
    portal = admit("portal-residence")
    token = attacker.token()
    header, content, signature = token.split(".")
    assert status(attacker, token) == 200
    held = opened(content)
    assert held["act"] == {"sub": "officer"}
    bent = [
        {"agreement": "portal-residence"},
        {"sub": portal.client_id},
        {"act": {"sub": "another officer"}},
        {"exp": held["exp"] + 10**6},
        {"key": portal.key.thumbprint()},
    ]
    for change in bent:
        assert status(attacker, f"{header}.{segment(held | change)}.{signature}") == 401, change
    for algorithm in ("none", "HS384", "Ed25519"):
        assert status(attacker, f"{segment({'alg': algorithm, 'typ': 'at+jwt'})}.{content}.") == 401
    own = jwt.encode({"alg": "Ed25519", "typ": "at+jwt"}, held, attacker.key, algorithms=["Ed25519"])
    assert status(attacker, own) == 401
    for written in (
        token.upper(),
        f"{token}A",
        token[:-3],
        f" {token} {token}",
        f"{token},{token}",
        "Bearer",
    ):
        assert status(attacker, written) == 401
    twice = [("Authorization", f"Bearer {portal.token()}x"), ("Authorization", f"Bearer {token}")]
    assert attacker.http.get(MINE, headers=twice).status_code == 400


def test_who_signs_well_still_cannot_speak_for_another(attacker: Any, admit: Callable[..., Any]) -> None:
    portal = admit("portal-residence")
    for names in (
        {"iss": attacker.client_id, "sub": portal.client_id},
        {"iss": portal.client_id, "sub": portal.client_id},
        {"iss": portal.client_id, "sub": attacker.client_id},
        {"sub": [attacker.client_id, portal.client_id]},
        {"sub": portal.client_id.upper()},
        {"sub": f"{portal.client_id}\0"},
    ):
        assertion = attacker.assertion(**names)
        assert attacker.ask_token(assertion).status_code == 401, names
        assert replace(portal, http=attacker.http).ask_token(assertion).status_code == 401, names
