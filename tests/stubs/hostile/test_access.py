"""Who gets into the hostile source, and who does not."""

import base64

import pytest
import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from stubs.hostile.auth.oauth import ClientIssuer
from stubs.hostile.auth.signatures import SignatureInput, signature_base
from stubs.servers.protocol.refusals import Refusal

from ..hostile_reading import PlainReader

# RFC 9421, appendix B.1.4 and B.2.6.
RFC_KEY = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
RFC_INPUT = (
    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
    ';created=1618884473;keyid="test-key-ed25519"'
)
RFC_SIGNATURE = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
RFC_REQUEST = {
    "date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "@method": "POST",
    "@path": "/foo",
    "@authority": "example.com",
    "content-type": "application/json",
    "content-length": "18",
}


@pytest.fixture
def start(hostile):
    """Starts a source that asks for one kind of credentials, and gives its reader."""
    return lambda auth: PlainReader(hostile(people=3, auth=auth))


KINDS = [
    "api_key_header",
    "api_key_query",
    "api_key_cookie",
    "basic",
    "bearer",
    "oauth2_basic",
    "oauth2_post",
    "oauth2_jwt",
    "hmac",
    "signature_ed25519",
    "signature_hmac",
]


@pytest.mark.parametrize("auth", KINDS)
def test_requests_without_credentials_are_refused(start, auth):
    reader = start(auth)
    reader.sign = lambda request: request
    for path in ("/holders", "/holders/SDC0000001/documents", "/position"):
        assert reader.get(path).status_code == 401


@pytest.mark.parametrize(
    "auth", ["api_key_header", "api_key_query", "api_key_cookie", "basic", "bearer", "hmac"]
)
def test_a_wrong_secret_is_refused(start, auth):
    reader = start(auth)
    reader.connection = {**reader.connection, "password": "guessed"}
    reader.sign = reader.signer()
    assert reader.get("/holders").status_code == 401


def test_requests_without_a_certificate_are_refused(start):
    reader = start("mutual_tls")
    reader.session.cert = None
    with pytest.raises(requests.ConnectionError):
        reader.get("/holders")


@pytest.mark.parametrize("auth", ["oauth2_basic", "oauth2_post", "oauth2_jwt"])
def test_the_scope_must_be_in_the_form(start, auth):
    answer = start(auth).token(scope="other")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_a_secret_goes_where_the_source_wants_it(start):
    for auth in ("oauth2_basic", "oauth2_post"):
        reader = start(auth)
        login, password = reader.connection["login"], reader.connection["password"]
        form = {"grant_type": "client_credentials", "scope": reader.extra["scope"]}
        by_form = reader.token_request(form | {"client_id": login, "client_secret": password})
        by_header = reader.token_request(form, auth=(login, password))
        expected = (401, 200) if auth == "oauth2_basic" else (200, 401)
        assert (by_form.status_code, by_header.status_code) == expected


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "other"},
        {"sub": "other"},
        {"aud": "http://127.0.0.1/oauth2/token"},
        {"exp": 1},
        {"exp": 99_999_999_999},
        {"exp": None},
        {"jti": None},
    ],
    ids=str,
)
def test_an_assertion_with_a_wrong_claim_is_refused(start, claims):
    reader = start("oauth2_jwt")
    answer = reader.token(client_assertion=reader.assertion(**claims))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_an_assertion_serves_once(start):
    reader = start("oauth2_jwt")
    assertion = reader.assertion()
    assert reader.token(client_assertion=assertion).status_code == 200
    assert reader.token(client_assertion=assertion).status_code == 401


def test_an_assertion_that_is_not_signed_by_the_key_is_refused(start):
    reader = start("oauth2_jwt")
    head, claims, _ = reader.assertion().split(".")
    other = reader.assertion().split(".")[2]
    assert reader.token(client_assertion=f"{head}.{claims}.{other}").status_code == 401
    assert reader.token(client_assertion="nonsense").status_code == 401


def test_a_token_ends_when_it_was_said_to():
    now = [0.0]
    client = "hub", "secret"
    issuer = ClientIssuer(client, "client_secret_basic", scope="read", seconds=7, clock=lambda: now[0])
    with TestClient(Starlette(routes=[Route("/token", issuer.issue, methods=["POST"])])) as server:
        form = {"grant_type": "client_credentials", "scope": "read"}
        answer = server.post("/token", data=form, auth=client).json()
    assert answer["expires_in"] == 7
    header = (b"authorization", f"Bearer {answer['access_token']}".encode())
    request = Request({"type": "http", "headers": [header]})
    now[0] = 6.9
    issuer.check(request)
    now[0] = 7
    with pytest.raises(Refusal):
        issuer.check(request)


def test_a_signature_base_is_that_of_the_standard():
    given = SignatureInput.parsed(RFC_INPUT)
    base = signature_base({name: RFC_REQUEST[name] for name in given.components}, given.text)
    signature = load_pem_private_key(RFC_KEY, None).sign(base)
    assert base64.b64encode(signature).decode() == RFC_SIGNATURE
    assert given.parameters == {"created": "1618884473", "keyid": "test-key-ed25519"}


@pytest.mark.parametrize("auth", ["signature_ed25519", "signature_hmac"])
def test_a_signature_may_cover_more_than_it_must(start, auth):
    reader = start(auth)
    components = ("@method", "@target-uri", "@path", "accept")
    assert signed_get(reader, components=components).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"age": 400}, "stale_signature"),
        ({"age": -400}, "stale_signature"),
        ({"key_id": "other"}, "unknown_key"),
        ({"components": ("@method",)}, "not_covered"),
        ({"components": ("@target-uri",)}, "not_covered"),
    ],
    ids=str,
)
@pytest.mark.parametrize("auth", ["signature_ed25519", "signature_hmac"])
def test_a_signature_that_is_not_as_agreed_is_refused(start, auth, wrong, error):
    answer = signed_get(start(auth), **wrong)
    assert (answer.status_code, answer.json()["error"]) == (401, error)


@pytest.mark.parametrize("auth", ["signature_ed25519", "signature_hmac"])
def test_a_signature_of_another_request_is_refused(start, auth):
    reader = start(auth)
    prepared = requests.Request("GET", f"{reader.connection['host']}/position").prepare()
    headers = reader.message_signature(prepared)
    answer = requests.get(f"{reader.connection['host']}/holders", headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["error"]) == (401, "bad_signature")


def signed_get(reader, **changed):
    prepared = requests.Request(
        "GET",
        f"{reader.connection['host']}/holders",
        params={"limit": 2},
        headers={"Accept": "application/json"},
    ).prepare()
    prepared.headers.update(reader.message_signature(prepared, **changed))
    return reader.session.send(prepared, timeout=30)
