"""A portal with a key of its own that invents citizens: nothing is read, changed or consented to."""

from __future__ import annotations

import json
import unicodedata
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient

from oncehub.api.app import create_app
from oncehub.config.agreements import CitizenAction, Citizens
from oncehub.settings import Settings
from oncehub.share.identity.nonce import officer_sign_in
from oncehub.store.connection import Connection
from stubs.servers.identity import IdentityProvider

AN = "001084000999"
WHO = {"person.personal_id": AN}
FORM = "1.004222"


@pytest.fixture
def an(believe: Callable[..., str]) -> str:
    return believe(personal_id=AN, full_name="Nguyễn Thị An", phone="+84912345678", nationality="VN")


def requests_of(form: str) -> dict[str, dict[str, Any]]:
    """What a portal may ask in a citizen's name: path -> body."""
    proof = {"channel": "vneid", "reference": f"VNEID-{uuid.uuid4()}"}
    now = datetime.now(UTC).isoformat()
    return {
        "/v1/usage/find": {"search": WHO},
        "/v1/consents": {
            "search": WHO,
            "agreement": "bank-accounts",
            "purpose": "dpv:IdentityVerification",
            "attributes": ["person.full_name"],
            "text": {"version": "2026-01", "sha256": "a" * 64},
            "given_at": now,
            "proof": proof,
        },
        "/v1/consents/query": {"search": WHO},
        f"/v1/consents/{uuid.uuid4()}/withdrawal": {"withdrawn_at": now, "proof": proof},
        "/v1/persons/corrections": {"search": WHO, "attribute": "person.phone", "value": None, "reason": "x"},
        "/v1/persons/corrections/status": {"search": WHO},
        f"/v1/procedures/{FORM}/submissions": {
            "request_id": form,
            "search": WHO,
            "dossier": "G01-1",
            "answers": {},
        },
    }


def test_a_portal_that_invents_citizens_gets_nothing(
    portal: Any, admit: Callable[..., Any], an: str, database: Connection, log: Any
) -> None:
    """Its own word, a token of its own making, and one that a citizen gave for something else."""
    bank = admit("bank-accounts")
    form = portal.prefill(FORM, WHO).json()["request_id"]
    claiming = portal.ask_token(portal.assertion(act={"sub": AN, "role": "citizen"})).json()["access_token"]
    real = portal.providers["citizens"]
    own = IdentityProvider(real.issuer, other_kid=real.kid)
    for path, body in requests_of(form).items():
        nonce = portal.nonce(path, body)
        for evidence in (
            None,
            own.id_token(AN, nonce),
            real.id_token(AN, portal.nonce("/v1/elsewhere", body)),
            jwt.encode({"iss": real.issuer, "sub": AN, "nonce": nonce}, key="", algorithm="none"),
        ):
            sent = body if evidence is None else body | {"evidence": evidence}
            for headers in (portal.headers(), {"Authorization": f"Bearer {claiming}"}):
                answer = portal.http.post(path, json=sent, headers=headers)
                assert (answer.status_code, answer.json()["check"] != "") == (403, True), (path, answer.text)
                assert AN not in answer.text
    assert bank.lookup(WHO, ["person.full_name"]).status_code == 404
    with database, database.cursor() as cursor:
        cursor.execute(
            "select (select count(*) from share.consent), (select count(*) from share.request), "
            "(select count(*) from share.submission), (select count(*) from truth.case_file)"
        )
        assert cursor.fetchone() == (0, 0, 0, 0)
    refused = [outcome for _, action, *_, outcome in log() if action not in ("prefill", "lookup")]
    assert refused == ["refused"] * len(requests_of(form)) * 8


def test_evidence_is_good_once_and_for_its_own_request(
    portal: Any, admit: Callable[..., Any], an: str
) -> None:
    path, body = "/v1/usage/find", {"search": WHO}
    sent = portal.proving(AN, path, body)

    def ask(agency: Any = portal, path: str = path, **changes: Any) -> tuple[int, str | None]:
        answer = agency.http.post(path, json=sent | changes, headers=agency.headers())
        return answer.status_code, answer.json().get("check")

    assert ask(limit=2) == (403, "nonce")
    assert ask(path="/v1/consents/query") == (403, "nonce")
    assert ask(admit("portal-residence", "other")) == (403, "nonce")
    assert ask() == (200, None)
    assert ask() == (403, "replay")
    # Its signature in another spelling is the same evidence.
    head, _, signature = sent["evidence"].rpartition(".")
    sent["evidence"] = f"{head}.{signature}="
    assert ask()[0] == 403


def test_escapes_are_the_same_body_and_another_spelling_is_another(portal: Any, an: str) -> None:
    path = "/v1/persons/corrections"
    headers = portal.headers() | {"Content-Type": "application/json"}
    body = {"search": WHO, "attribute": "person.full_name", "value": "Trần Thị Ân", "reason": "x"}

    def claim(value: str, escaped: bool) -> tuple[int, str | None]:
        sent = portal.proving(AN, path, body)
        sent["value"] = unicodedata.normalize(value, body["value"])
        content = json.dumps(sent, ensure_ascii=escaped, indent=2)
        answer = portal.http.post(path, content=content.encode(), headers=headers)
        return answer.status_code, answer.json().get("check")

    assert claim("NFD", escaped=False) == (403, "nonce")
    assert claim("NFD", escaped=True) == (403, "nonce")
    assert claim("NFC", escaped=True) == (201, None)
    assert claim("NFC", escaped=False) == (200, None)


def test_a_replay_is_refused_by_another_process_and_after_a_restart(
    portal: Any, an: str, editable: Settings
) -> None:
    sent = portal.proving(AN, "/v1/usage/find", {"search": WHO})
    assert portal.http.post("/v1/usage/find", json=sent, headers=portal.headers()).status_code == 200
    with TestClient(create_app(editable), raise_server_exceptions=False) as another:
        answer = another.post("/v1/usage/find", json=sent, headers=portal.headers())
    assert (answer.status_code, answer.json()["check"]) == (403, "replay")


def test_of_several_at_once_one_is_answered(portal: Any, an: str) -> None:
    sent = portal.proving(AN, "/v1/usage/find", {"search": WHO})
    headers = portal.headers()
    with ThreadPoolExecutor(4) as several:
        answers = several.map(
            lambda _: portal.http.post("/v1/usage/find", json=sent, headers=headers).status_code, range(4)
        )
    assert sorted(answers) == [200, 403, 403, 403]


def test_what_is_used_is_forgotten_when_it_would_be_refused_anyway(
    portal: Any, an: str, database: Connection
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into share.used_evidence select sha256(n::text::bytea), now() - interval '1 s' "
            "from generate_series(1, 20) n"
        )
    for _ in range(3):
        assert portal.usage(AN).status_code == 200
    with database, database.cursor() as cursor:
        cursor.execute("select count(*) filter (where kept_until < now()), count(*) from share.used_evidence")
        assert cursor.fetchone() == (0, 3)


@pytest.mark.parametrize("claimed", [(), ("usage",)])
def test_who_vouches_stands_in_the_log(
    portal: Any, an: str, database: Connection, claimed: tuple[CitizenAction, ...]
) -> None:
    hub = portal.http.app.state.hub
    agreement = hub.agreements["portal-residence"]
    citizens = Citizens(claimed=claimed, at_counter=("correction_request",))
    hub.agreements["portal-residence"] = agreement.model_copy(update={"citizens": citizens})
    claiming = portal.ask_token(portal.assertion(act={"sub": AN, "role": "citizen"})).json()["access_token"]
    body = {"search": WHO, "attribute": "person.phone", "value": None, "reason": "x"}
    portal.usage(AN)
    portal.http.post("/v1/usage/find", json={"search": WHO}, headers={"Authorization": f"Bearer {claiming}"})
    for proven in (False, True):
        headers = portal.as_officer("can-bo-7", proven=proven)
        portal.http.post("/v1/persons/corrections", json=body, headers=headers)
        portal.http.post("/v1/usage/find", json={"search": WHO}, headers=headers)
    with database, database.cursor() as cursor:
        cursor.execute("select action, officer, outcome, vouched_by from audit.entry order by entry_id")
        lines = cursor.fetchall()
        # What is answered is preceded by the line that opened it.
        opened = [
            (action, officer, vouched) for action, officer, outcome, vouched in lines if outcome == "opened"
        ]
        answered = [line for line in lines if line[2] != "opened"]
        assert opened == [(*line[:2], line[3]) for line in answered if line[2] == "answered"]
        assert answered == [
            ("usage", None, "answered", "provider"),
            ("usage", None, "answered" if claimed else "refused", "client"),
            ("correction_request", "can-bo-7", "refused", "client"),
            ("usage", "can-bo-7", "refused", "client"),
            ("correction_request", "can-bo-7", "answered", "officer"),
            ("usage", "can-bo-7", "refused", "provider"),
        ]
        cursor.execute("select kind, vouched_by from share.request")
        assert cursor.fetchall() == [("correction", "officer")]


def test_an_officer_is_proven_where_the_agreement_demands_it(portal: Any, an: str) -> None:
    hub = portal.http.app.state.hub
    claimed = portal.as_officer("can-bo-7")
    body = {"search": WHO, "attributes": ["person.full_name"]}
    assert portal.http.post("/v1/persons/lookup", json=body, headers=claimed).status_code == 200
    agreement = hub.agreements["portal-residence"]
    hub.agreements["portal-residence"] = agreement.model_copy(update={"officers": "proven"})
    assert portal.http.post("/v1/persons/lookup", json=body, headers=claimed).status_code == 401
    assert portal.ask_token(portal.assertion(act={"sub": "can-bo-7"})).status_code == 401
    proven = portal.as_officer("can-bo-7", proven=True)
    assert portal.http.post("/v1/persons/lookup", json=body, headers=proven).status_code == 200
    # A system that acts by itself names nobody.
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 200


def test_an_officer_is_proven_for_one_token_as_the_one_whom_it_names(portal: Any) -> None:
    kind = "urn:ietf:params:oauth:token-type:id_token"

    def ask(evidence: str, jti: str, officer: str | None = "can-bo-7", kind: str = kind) -> tuple[int, str]:
        act = {"sub": officer} if officer else None
        answer = portal.ask_token(
            portal.assertion(act=act, jti=jti), actor_token=evidence, actor_token_type=kind
        )
        return answer.status_code, answer.json().get("error_description", "")

    def evidence(subject: str = "can-bo-7", provider: str = "officers", jti: str = "1") -> str:
        nonce = officer_sign_in("urn:oncehub", portal.client_id, portal.agreement, jti).nonce()
        return str(portal.providers[provider].id_token(subject, nonce))

    good = evidence()
    assert ask(good, "1", kind="id_token")[0] == 400
    for refused, check in (
        (ask(good, "2"), "nonce"),
        (ask(good, "1", "can-bo-8"), "subject"),
        (ask(good, "1", None), "subject"),
        (ask(evidence(provider="citizens"), "1"), "issuer"),
        (ask("x.y.z", "1"), "form"),
    ):
        assert (refused[0], f"({check})" in refused[1]) == (401, True), refused
    assert ask(good, "1")[0] == 200
    assert ask(evidence(jti="1"), "1")[0] == 401
