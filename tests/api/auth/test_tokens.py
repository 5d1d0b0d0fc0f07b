from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, strategies
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey

from oncehub.share.clients.clients import revoke_client
from oncehub.store.connection import Connection

WHO = {"person.personal_id": "001084000999"}


def segment(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_a_signed_assertion_gives_a_token_that_opens_the_agreement(portal: Any) -> None:
    answer = portal.ask_token(portal.assertion())
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 600
    assert answer.headers["cache-control"] == "no-store"
    mine = portal.http.get("/v1/agreements/mine", headers=portal.headers()).json()
    assert mine["agreement"]["name"] == "portal-residence"
    assert mine["in_force"] is True


def test_a_p256_key_signs_as_well(admit: Callable[..., Any]) -> None:
    agency = admit("portal-residence", key=ECKey.generate_key("P-256"))
    assert agency.ask_token(agency.assertion()).status_code == 200


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_the_older_name_of_the_algorithm_is_accepted(portal: Any) -> None:
    assert portal.ask_token(portal.assertion(algorithm="EdDSA")).status_code == 200


def test_an_assertion_is_used_once(portal: Any) -> None:
    assertion = portal.assertion()
    assert portal.ask_token(assertion).status_code == 200
    replayed = portal.ask_token(assertion)
    assert replayed.status_code == 401
    assert replayed.json()["error"] == "invalid_client"
    assert "used before" in replayed.json()["error_description"]


def test_an_assertion_is_used_once_though_the_database_runs_ahead(
    portal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() - 30)
    assertion = portal.assertion(exp=int(time.time()) + 10)
    assert portal.ask_token(assertion).status_code == 200
    assert portal.ask_token(assertion).status_code == 401


def test_an_assertion_sent_many_times_at_once_gives_one_token(portal: Any) -> None:
    assertion = portal.assertion()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(portal.ask_token, [assertion] * 6))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401, 401]


def test_a_refused_assertion_does_not_use_up_its_identifier(portal: Any) -> None:
    stranger = OKPKey.generate_key("Ed25519")
    assert portal.ask_token(portal.assertion(key=stranger, jti="one")).status_code == 401
    assert portal.ask_token(portal.assertion(jti="one")).status_code == 200


def test_an_assertion_with_a_wrong_claim_is_refused(portal: Any) -> None:
    wrong: list[dict[str, Any]] = [
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"iss": "somebody-else"},
        {"iss": None},
        {"exp": None},
        {"exp": 0},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": "4102444800"},
        {"exp": True},
        {"exp": 4102444800},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "\0"},
        {"jti": "x" * 257},
        {"nbf": 4102444800},
        {"sub": "nobody"},
        {"sub": "\0"},
        {"sub": None},
    ]
    for claims in wrong:
        answer = portal.ask_token(portal.assertion(**claims))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), claims


def test_an_assertion_may_not_outlive_five_minutes(portal: Any) -> None:
    answer = portal.ask_token(portal.assertion(exp=int(time.time()) + 900))
    assert "longer than 300 seconds" in answer.json()["error_description"]


def test_one_client_cannot_sign_for_another(admit: Callable[..., Any], portal: Any) -> None:
    tax = admit("tax-registration")
    forged = tax.assertion(iss=portal.client_id, sub=portal.client_id)
    assert tax.ask_token(forged).status_code == 401
    mixed = tax.ask_token(tax.assertion(), client_id=portal.client_id)
    assert mixed.status_code == 401


def test_the_public_key_does_not_verify_as_a_shared_secret(portal: Any) -> None:
    public = portal.key.as_dict(private=False)["x"]
    forged = portal.assertion(key=OctKey.import_key(public), algorithm="HS256")
    assert portal.ask_token(forged).status_code == 401


def test_an_unsigned_assertion_is_refused(portal: Any) -> None:
    claims = {"iss": portal.client_id, "sub": portal.client_id, "aud": "urn:oncehub", "jti": "1"}
    unsigned = f"{segment({'alg': 'none'})}.{segment(claims | {'exp': int(time.time()) + 60})}."
    assert portal.ask_token(unsigned).status_code == 401


def test_other_grants_are_refused(portal: Any) -> None:
    def error(**form: str) -> tuple[int, str]:
        answer = portal.ask_token(portal.assertion(), **form)
        return answer.status_code, answer.json()["error"]

    assert error(grant_type="password") == (400, "unsupported_grant_type")
    assert error(client_assertion_type="saml") == (400, "invalid_request")
    assert error(client_assertion="") == (400, "invalid_request")


@given(
    strategies.one_of(
        strategies.text(max_size=60),
        strategies.lists(strategies.binary(max_size=30), min_size=3, max_size=3).map(
            lambda parts: ".".join(base64.urlsafe_b64encode(part).decode() for part in parts)
        ),
        strategies.tuples(
            strategies.dictionaries(strategies.text(max_size=5), strategies.integers() | strategies.text()),
            strategies.recursive(
                strategies.none() | strategies.integers() | strategies.text(),
                lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(), inner),
            ),
        ).map(lambda parts: f"{segment(parts[0])}.{segment(parts[1])}.AAAA"),
    )
)
def test_nonsense_is_refused_and_nothing_breaks(portal: Any, nonsense: str) -> None:
    # Failures are limited, by address; a head with control characters is refused before.
    assert portal.ask_token(nonsense or "x").status_code in (401, 429)
    answer = portal.http.get(
        "/v1/agreements/mine",
        headers={"Authorization": f"Bearer {nonsense}".encode("utf-8", "replace").replace(b"\n", b"")},
    )
    assert answer.status_code in (400, 401, 429)


def test_deeply_nested_nonsense_is_refused(portal: Any) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 20_000).rstrip(b"=").decode()
    assert portal.ask_token(f"{segment({'alg': 'Ed25519'})}.{deep}.AAAA").status_code == 401


def bearer(portal: Any, key: bytes, /, *, kind: str = "at+jwt", **claims: Any) -> dict[str, str]:
    standard = {
        "iss": "urn:oncehub",
        "aud": "urn:oncehub",
        "sub": portal.client_id,
        "agreement": "portal-residence",
        "key": portal.key.thumbprint(),
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
    }
    token = jwt.encode({"alg": "HS256", "typ": kind}, standard | claims, OctKey.import_key(key))
    return {"Authorization": f"Bearer {token}"}


def test_tokens_are_taken_only_from_the_hub_and_in_time(http: TestClient, portal: Any) -> None:
    def status(headers: dict[str, str]) -> int:
        return http.get("/v1/agreements/mine", headers=headers).status_code

    key = http.app.state.hub.token_keys.signing  # type: ignore[attr-defined]
    assert status(bearer(portal, key)) == 200
    assert status({}) == 401
    assert status(bearer(portal, b"0" * 32)) == 401
    assert status(bearer(portal, key, exp=int(time.time()) - 1)) == 401
    assert status(bearer(portal, key, aud="urn:other")) == 401
    assert status(bearer(portal, key, iss="urn:other")) == 401
    assert status(bearer(portal, key, kind="JWT")) == 401
    assert status(bearer(portal, key, agreement="tax-registration")) == 401
    assert status(bearer(portal, key, agreement="no-such")) == 401
    assert status(bearer(portal, key, sub="nobody")) == 401
    assert status(bearer(portal, key, key=OKPKey.generate_key("Ed25519").thumbprint())) == 401
    assert status({"Authorization": f"Bearer {portal.assertion()}"}) == 401


HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize("jump", [HOUR, DAY, -HOUR, -DAY])
def test_a_clock_that_jumps_is_named_and_no_token_outlives_it(
    http: TestClient, portal: Any, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """The hub's clock jumps, the client's is right; then the hub's is right again."""
    given: list[dict[str, str]] = [bearer_of(portal)]

    def mine() -> Any:
        return http.get("/v1/agreements/mine", headers=given[-1])

    assert mine().status_code == 200
    assertion, right = portal.assertion(), time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: right() + jump)
        refused, answered = portal.ask_token(assertion), mine()
        assert (refused.status_code, answered.status_code) == (401, 401)
        told = [refused.json()["error_description"], answered.json()["detail"]]
        assert all("the hub's clock says 20" in each for each in told), told
        # Issued by the wrong clock.
        given.append(bearer_of(portal))
        assert mine().status_code == 200
    answered = mine()
    assert (answered.status_code, "the hub's clock says" in answered.json()["detail"]) == (401, True)
    given.append(bearer_of(portal))
    assert mine().status_code == 200


def bearer_of(portal: Any) -> dict[str, str]:
    """A token that the hub has just issued."""
    return {"Authorization": f"Bearer {portal.ask_token(portal.assertion()).json()['access_token']}"}


def test_who_signs_with_a_key_of_other_days_is_told_them(database: Connection, portal: Any) -> None:
    for start, end in (("1 day", "2 days"), ("-2 days", "-1 day")):
        with database, database.cursor() as cursor:
            cursor.execute(
                "update share.client_key set valid_from = now() + %s::interval, "
                "valid_until = now() + %s::interval",
                (start, end),
            )
        refused = portal.ask_token(portal.assertion()).json()["error_description"]
        assert refused.startswith("the key that signed is valid from 20"), refused
        assert "the hub's clock says 20" in refused
        stranger = portal.assertion(key=OKPKey.generate_key("Ed25519"))
        assert "did not sign" in portal.ask_token(stranger).json()["error_description"]


def test_a_revoked_client_is_refused_at_once(database: Connection, portal: Any, believe: Any) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 200
    revoke_client(database, portal.client_id)
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 401
    assert portal.ask_token(portal.assertion()).status_code == 401


def test_a_new_key_ends_the_tokens_of_the_old_one(
    database: Connection, admit: Callable[..., Any], portal: Any, believe: Any
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    portal.token()
    revoke_client(database, portal.client_id)
    renewed = admit("portal-residence", portal.client_id, OKPKey.generate_key("Ed25519"))
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 401
    assert renewed.lookup(WHO, ["person.full_name"]).status_code == 200


def test_a_client_moved_to_another_agreement_loses_its_token(
    database: Connection, admit: Callable[..., Any], portal: Any
) -> None:
    portal.token()
    admit("tax-registration", client_id=portal.client_id, key=portal.key)
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 401
