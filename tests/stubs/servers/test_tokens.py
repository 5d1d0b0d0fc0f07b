"""OAuth2 client credentials at the population database and the portal."""

import asyncio
import json

import pytest
import requests
from starlette.requests import Request

from stubs.servers.protocol.refusals import Refusal
from stubs.servers.protocol.tokens import TokenIssuer

GRANT = {"grant_type": "client_credentials"}


def ask(connection, form, *, auth=None):
    return requests.post(connection["extra"]["token_url"], data=form, auth=auth, timeout=30)


@pytest.mark.parametrize("system", ["population", "portal"])
def test_client_credentials_are_taken_by_basic_and_by_form(systems, system):
    connection = systems.connections[system]
    form = GRANT | {"scope": "profile dvcqg.read"}
    by_basic = ask(connection, form, auth=(connection["login"], connection["password"]))
    secret = {"client_id": connection["login"], "client_secret": connection["password"]}
    for answer in (by_basic, ask(connection, form | secret)):
        assert answer.status_code == 200
        token = answer.json()
        assert token["token_type"] == "Bearer"
        assert token["expires_in"] == 300
        assert token["access_token"]


def test_a_wrong_client_is_refused(systems):
    connection = systems.connections["population"]
    for auth in (None, (connection["login"], "wrong"), ("wrong", connection["password"])):
        answer = ask(connection, GRANT, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_another_grant_is_refused(systems):
    connection = systems.connections["population"]
    login = connection["login"], connection["password"]
    for form in ({"grant_type": "password"}, {}):
        answer = ask(connection, form, auth=login)
        assert answer.status_code == 400
    as_json = requests.post(connection["extra"]["token_url"], json=GRANT, auth=login, timeout=30)
    assert (as_json.status_code, as_json.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("scope", [{}, {"scope": ""}, {"scope": "dvcqg.write"}, {"scope": "dvcqg.readonly"}])
def test_the_portal_asks_for_its_scope(systems, scope):
    connection = systems.connections["portal"]
    answer = ask(connection, GRANT | scope, auth=(connection["login"], connection["password"]))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def request_with(headers, body=b""):
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw}, receive
    )


def test_a_token_lives_300_seconds():
    now = [1000.0]
    issuer = TokenIssuer("id", "secret", clock=lambda: now[0])
    form = b"grant_type=client_credentials&client_id=id&client_secret=secret"
    asked = request_with({"content-type": "application/x-www-form-urlencoded"}, form)
    token = json.loads(asyncio.run(issuer.issue(asked)).body)["access_token"]
    shown = request_with({"authorization": f"Bearer {token}"})
    now[0] += 299
    issuer.check(shown)
    now[0] += 1
    with pytest.raises(Refusal) as refusal:
        issuer.check(shown)
    assert refusal.value.status == 401
