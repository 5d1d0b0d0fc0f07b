"""Keys follow one another without a gap: a client's own, and the hub's for tokens."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from oncehub.api.app import create_app
from oncehub.api.auth.tokens import OVERLAP_SECONDS, load_token_keys
from oncehub.settings import Settings
from oncehub.share.clients.clients import revoke_client
from oncehub.share.clients.keys import add_key, give_up_key, retire_key
from oncehub.store.connection import Connection

MINE = "/v1/agreements/mine"


def public(agency: Any) -> dict[str, Any]:
    return dict(agency.key.as_dict(private=False))


def opens(agency: Any, token: str) -> int:
    return int(agency.http.get(MINE, headers={"Authorization": f"Bearer {token}"}).status_code)


def token_of(agency: Any) -> str:
    return str(agency.ask_token(agency.assertion()).json()["access_token"])


@pytest.fixture
def renewed(portal: Any, database: Connection) -> Any:
    """The portal's client with a second key, of the other kind, beside its first."""
    second = replace(portal, key=ECKey.generate_key("P-256"), bearer=None)
    add_key(database, portal.client_id, public(second))
    return second


def test_both_keys_are_accepted_until_the_old_one_is_retired(
    portal: Any, renewed: Any, database: Connection
) -> None:
    by_old, by_new = token_of(portal), token_of(renewed)
    assert (opens(portal, by_old), opens(portal, by_new)) == (200, 200)
    retire_key(database, portal.client_id, portal.key.thumbprint())
    assert (opens(portal, by_old), opens(portal, by_new)) == (401, 200)
    assert portal.ask_token(portal.assertion()).status_code == 401
    assert renewed.ask_token(renewed.assertion()).status_code == 200


def test_the_kid_must_be_that_of_the_key_that_signed(portal: Any, renewed: Any) -> None:
    def status(kid: Any) -> int:
        claims = {
            "iss": portal.client_id,
            "sub": portal.client_id,
            "aud": "urn:oncehub",
            "exp": int(time.time()) + 60,
            "jti": str(time.time_ns()),
        }
        header = {"alg": "Ed25519", "kid": kid}
        assertion = jwt.encode(header, claims, portal.key, algorithms=["Ed25519"])
        return int(portal.ask_token(assertion).status_code)

    assert status(portal.key.thumbprint()) == 200
    assert status(renewed.key.thumbprint()) == 401
    for kid in ("", "' or true --", "../../etc/passwd", "x" * 5000):
        assert status(kid) == 401, kid


def test_a_leaked_key_ends_at_once_and_never_comes_back(
    portal: Any, renewed: Any, database: Connection, admit: Callable[..., Any]
) -> None:
    by_leaked, by_other = token_of(portal), token_of(renewed)
    assert give_up_key(database, portal.key.thumbprint()) == [portal.client_id]
    assert (opens(portal, by_leaked), opens(portal, by_other)) == (401, 200)
    assert portal.ask_token(portal.assertion()).status_code == 401
    with pytest.raises(Exception, match="never accepted again"):
        add_key(database, portal.client_id, public(portal))
    with pytest.raises(Exception, match="never accepted again"):
        admit("tax-registration", "another", portal.key)


def test_a_key_is_accepted_in_its_days_only(portal: Any, database: Connection) -> None:
    later = replace(portal, key=OKPKey.generate_key("Ed25519"), bearer=None)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    add_key(database, portal.client_id, public(later), start=tomorrow)
    assert later.ask_token(later.assertion()).status_code == 401
    add_key(database, portal.client_id, public(later), end=tomorrow)
    token = token_of(later)
    with database, database.cursor() as cursor:
        cursor.execute(
            "update share.client_key set valid_until = now() where thumbprint = %s",
            (later.key.thumbprint(),),
        )
    assert opens(portal, token) == 401
    assert later.ask_token(later.assertion()).status_code == 401


def test_a_replayed_assertion_is_refused_by_every_process_and_after_a_rotation(
    portal: Any, database: Connection, editable: Settings
) -> None:
    assertion = portal.assertion()
    assert portal.ask_token(assertion).status_code == 200
    with TestClient(create_app(editable)) as second:
        elsewhere = replace(portal, http=second)
        assert elsewhere.ask_token(assertion).status_code == 401
        # A key that comes back brings back no assertion that was used.
        retire_key(database, portal.client_id, portal.key.thumbprint())
        add_key(database, portal.client_id, public(portal))
        replayed = elsewhere.ask_token(assertion)
        assert (replayed.status_code, "used before" in replayed.text) == (401, True)
        revoke_client(database, portal.client_id)
        assert elsewhere.ask_token(assertion).status_code == 401


def test_an_agreement_that_names_its_keys_admits_no_other(portal: Any, renewed: Any) -> None:
    hub = portal.http.app.state.hub
    agreement = hub.agreements["portal-residence"]
    by_old, by_new = token_of(portal), token_of(renewed)
    hub.agreements["portal-residence"] = agreement.model_copy(update={"keys": (renewed.key.thumbprint(),)})
    assert (opens(portal, by_old), opens(portal, by_new)) == (401, 200)
    assert portal.ask_token(portal.assertion()).status_code == 401
    assert renewed.ask_token(renewed.assertion()).status_code == 200


def test_an_assertion_for_several_audiences_is_refused(portal: Any) -> None:
    for audience in (["urn:oncehub", "https://elsewhere.example"], ["urn:oncehub"], []):
        assert portal.ask_token(portal.assertion(aud=audience)).status_code == 401


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | None], None]:
    """Set the hub's keys for tokens: `keyed("a")`, `keyed("b", "a")`."""

    def give(signing: str, other: str | None = None) -> None:
        for name, key in (("TOKEN", signing), ("TOKEN_OTHER", other)):
            text = base64.b64encode(key.encode() * 32).decode() if key else ""
            monkeypatch.setenv(f"ONCEHUB_KEY_{name}", text)

    return give


def test_tokens_outlive_a_change_of_the_hubs_key_and_the_old_key_does_not_live_on(
    editable: Settings, database: Connection, keyed: Any, admit: Any, http: TestClient
) -> None:
    def app(signing: str, other: str | None = None) -> TestClient:
        keyed(signing, other)
        return TestClient(create_app(editable))

    agency = admit("portal-residence")
    with app("a") as first, app("a", "b") as announced, app("b", "a") as changed, app("b") as after:
        old, new = token_of(replace(agency, http=first)), token_of(replace(agency, http=changed))
        opened = [
            (opens(replace(agency, http=each), old), opens(replace(agency, http=each), new))
            for each in (first, announced, changed, after)
        ]
        assert opened == [(200, 401), (200, 200), (200, 200), (401, 200)]
    with database, database.cursor() as cursor:
        cursor.execute("select count(*) from share.token_key")
        assert cursor.fetchone() == (3,)
        cursor.execute(
            "update share.token_key set signs_since = signs_since - %s * interval '1 second'",
            (OVERLAP_SECONDS,),
        )
    with app("b", "a") as much_later:
        forgotten_setting = replace(agency, http=much_later)
        assert (opens(forgotten_setting, old), opens(forgotten_setting, new)) == (401, 200)


def test_the_other_key_is_refused_when_its_time_is_over_in_a_process_that_runs_on(
    settings: Settings, database: Connection, keyed: Any
) -> None:
    keyed("a")
    load_token_keys(settings.home, database)
    keyed("b", "a")
    clock = [time.monotonic()]
    keys = replace(load_token_keys(settings.home, database), clock=lambda: clock[0])
    assert len(list(keys.accepted())) == 2
    clock[0] += OVERLAP_SECONDS + 60
    assert list(keys.accepted()) == [b"b" * 32]
    assert "bbbb" not in repr(keys)


def test_the_officer_whom_a_token_names_is_in_the_log(
    portal: Any, believe: Callable[..., str], database: Connection
) -> None:
    believe(personal_id="001084000999", sex="female")
    answer = portal.ask_token(portal.assertion(act={"sub": "can.bo.17"}))
    portal.bearer = answer.json()["access_token"]
    assert portal.lookup({"person.personal_id": "001084000999"}, ["person.sex"]).status_code == 200
    with database.cursor() as cursor:
        cursor.execute("select officer from audit.entry where action <> 'refusals'")
        assert cursor.fetchall() == [("can.bo.17",)]
