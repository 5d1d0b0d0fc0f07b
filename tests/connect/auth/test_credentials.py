"""Every kind of credentials opens the hostile source's doors, and none of them shows."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from http_message_signatures import HTTPMessageVerifier, MappingKeyResolver
from http_message_signatures.algorithms import ECDSA_P256_SHA256, ED25519, RSA_PSS_SHA512
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from requests import PreparedRequest, Request

from oncehub.config.access import ApiKey, HttpSignature, NoAuth
from oncehub.config.connection import Connection, connection_from_document
from oncehub.config.connector import Connector
from oncehub.connect.auth.authentication import without_key
from oncehub.connect.auth.oauth import private_key_jwt
from oncehub.connect.auth.private_keys import private_key_of
from oncehub.connect.auth.signatures import MessageSignatures
from oncehub.connect.auth.static_credentials import KeyInCookie, KeyInQuery, without_parameter
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import AuthenticationError, ConfigError, SourceError
from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant

from ..serving import Answering, Reply, Served, as_json, in_turn

Make = Callable[..., Connector]
Open = Callable[..., Source]
Serve = Callable[[Answering], Served]
Start = Callable[..., tuple[HostileSource, Connection]]

ALL = Window(None, None)
OAUTH = {"kind": "oauth2", "token_path": "/oauth2/token", "scope": "sodiachinh.read"}
KINDS: dict[str, dict[str, Any]] = {
    "none": {"kind": "none"},
    "api_key_header": {"kind": "api_key", "header": "X-API-Key"},
    "api_key_query": {"kind": "api_key", "query": "api_key"},
    "api_key_cookie": {"kind": "api_key", "cookie": "api_key"},
    "basic": {"kind": "basic"},
    "bearer": {"kind": "bearer"},
    "oauth2_basic": OAUTH,
    "oauth2_post": OAUTH | {"client_auth": "client_secret_post"},
    "oauth2_jwt": OAUTH | {"client_auth": "private_key_jwt"},
    "hmac": {
        "kind": "hmac",
        "key_id_header": "X-Key-Id",
        "timestamp_header": "X-Timestamp",
        "signature_header": "X-Signature",
    },
    "signature_ed25519": {"kind": "http_signature", "algorithm": "ed25519"},
    "signature_hmac": {"kind": "http_signature", "algorithm": "hmac-sha256"},
    "mutual_tls": {"kind": "mutual_tls"},
}
STREAM = {
    "read": {"format": "json", "path": "/holders", "records": "data.items"},
    "pages": {
        "kind": "cursor",
        "parameter": "cursor",
        "next": "data.next",
        "size": {"parameter": "limit", "value": 20},
    },
    "key": ["maSo"],
    "updated": {"field": "capNhat"},
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts hostile sources with credentials of a kind."""
    running: list[HostileSource] = []

    def begin(kind: str, *plants: str, **variant: Any) -> tuple[HostileSource, Connection]:
        served = Variant.model_validate({"auth": kind, **variant})
        running.append(HostileSource.start(tmp_path, variant=served, plants=plants, people=50))
        return running[-1], connection_from_document(running[-1].connection, kind)

    yield begin
    for source in running:
        source.stop()


def keys(source: Source) -> list[str]:
    return [record["maSo"] for page in source.pages("items", ALL) for record in page.records]


def opened(open_served: Open, connector: Connector, connection: Connection) -> Source:
    given = {"login": connection.login, "password": connection.password, "extra": connection.extra}
    return open_served(connector, connection.host, **given)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_credentials_is_accepted(
    kind: str, start: Start, connector_of: Make, open_served: Open
) -> None:
    truth, connection = start(kind)
    source = opened(open_served, connector_of(STREAM, auth=KINDS[kind]), connection)
    assert sorted(keys(source)) == [record["maSo"] for record in truth.records()]


@pytest.mark.parametrize("kind", ["oauth2_basic", "oauth2_jwt"])
def test_tokens_that_die_early_are_renewed_as_often_as_need_be(
    kind: str, start: Start, connector_of: Make, open_served: Open
) -> None:
    truth, connection = start(kind, "token_dies_early")
    pages = STREAM["pages"] | {"size": {"parameter": "limit", "value": 5}}
    source = opened(open_served, connector_of(STREAM | {"pages": pages}, auth=KINDS[kind]), connection)
    assert sorted(keys(source)) == [record["maSo"] for record in truth.records()]


def test_a_renewed_token_that_may_not_see_it_either_is_refused(
    start: Start, connector_of: Make, open_served: Open
) -> None:
    _, connection = start("oauth2_basic", "forbidden_token")
    with pytest.raises(AuthenticationError, match=r"page 2: answered 403; check auth in its connector"):
        keys(opened(open_served, connector_of(STREAM, auth=OAUTH), connection))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"none", "mutual_tls"}])
def test_a_secret_that_a_source_repeats_is_not_passed_on(
    kind: str, start: Start, connector_of: Make, open_served: Open, caplog: pytest.LogCaptureFixture
) -> None:
    _, connection = start(kind, "secret_in_error")
    source = opened(open_served, connector_of(STREAM, auth=KINDS[kind]), connection)
    states: list[Any] = []
    with caplog.at_level(logging.DEBUG), pytest.raises(SourceError) as failure:
        states += [page.next for page in source.pages("items", ALL)]
    reported = [
        *traceback.format_exception(failure.value),
        caplog.text,
        repr(source),
        orjson.dumps(states).decode(),
    ]
    secrets = [connection.password] if connection.password else []
    assert not [text for text in reported for secret in [*secrets, "Signature", "api_key="] if secret in text]


@pytest.mark.parametrize("pages", ["next_url", "link"])
def test_a_key_that_the_source_repeats_in_its_next_address_is_not_kept(
    pages: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    def answering(asked: Any) -> Reply:
        if "after" in asked.query:
            return as_json({"items": [], "next": None})
        following = f"/items?key={asked.query['key']}&after=7"
        link = {"Link": f'<{following}>; rel="next"'} if pages == "link" else {}
        return as_json({"items": [{"id": 1}], "next": following}, **link)

    served = serve(answering)
    form = {"kind": pages, "next": "next"} if pages == "next_url" else {"kind": pages}
    connector = connector_of({"pages": form}, auth={"kind": "api_key", "query": "key"})
    source = open_served(connector, served.host, password="s3cret&=")
    states = [page.next for page in source.pages("items", ALL)]
    assert "s3cret" not in str(states)
    assert [asked.query for asked in served.asked] == [{"key": "s3cret&="}, {"after": "7", "key": "s3cret&="}]


def prepared(url: str = "https://source.example/items?a=1&b=x%20y", **headers: str) -> PreparedRequest:
    return Request("GET", url, headers=headers).prepare()


def test_a_key_in_a_query_takes_the_place_of_one_that_is_there_and_leaves_the_rest_as_written() -> None:
    request = prepared("https://source.example/items?b=x%20y&key=old&c=%2B#top")
    KeyInQuery("key", "a b&c").sign(request)
    assert request.url == "https://source.example/items?b=x%20y&c=%2B&key=a%20b%26c#top"


def test_a_key_in_a_cookie_stands_beside_those_of_the_source() -> None:
    request = prepared(Cookie="balancer=3; key=stale")
    KeyInCookie("key", "fresh").sign(request)
    assert request.headers["Cookie"] == "balancer=3; key=fresh"


def test_an_address_is_freed_of_the_key_however_its_name_is_written() -> None:
    assert without_parameter("/items?a=1&k%65y=s&key=s&b=2", "key") == "/items?a=1&b=2"
    assert without_key(ApiKey(kind="api_key", query="key"), "/items?key=s") == "/items"
    assert without_key(ApiKey(kind="api_key", header="key"), "/items?key=s") == "/items?key=s"
    assert without_key(NoAuth(kind="none"), "/items?key=s") == "/items?key=s"


UNFIT = {
    "api_key_header": ("k\n", "password"),
    "api_key_cookie": ("a;b", "password"),
    "bearer": ("không", "password"),
    "hmac": ("key\r\nX-Other: 1", "login"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_secret_that_its_place_cannot_carry_is_refused_before_any_request_and_not_reported(
    kind: str, connector_of: Make, open_served: Open
) -> None:
    value, name = UNFIT[kind]
    given = {"login": "hub", "password": "secret"} | {name: value}
    with pytest.raises(ConfigError, match=f"connection of tax: {name} holds a character") as failure:
        open_served(connector_of(auth=KINDS[kind]), "https://source.example", **given)
    assert value not in str(failure.value)


NEEDED = {
    "basic": "login is missing; give the user name",
    "bearer": "password is missing; give the token",
    "api_key_query": "password is missing; give the API key",
    "oauth2_basic": "login is missing; give the client id",
    "oauth2_jwt": "login is missing; give the client id",
    "signature_ed25519": "login is missing; give the key id",
}


@pytest.mark.parametrize("kind", NEEDED)
def test_what_the_connection_lacks_is_reported_before_any_request(
    kind: str, connector_of: Make, open_served: Open
) -> None:
    with pytest.raises(ConfigError, match=f"connection of tax: {NEEDED[kind]}"):
        open_served(connector_of(auth=KINDS[kind]), "https://source.example")


def pem(key: Any, encryption: Any = None) -> bytes:
    encryption = encryption or serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))


def public_pem(key: Any) -> bytes:
    public = key.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(public.public_bytes(serialization.Encoding.PEM, form))


P256, P384, ED, RSA = (
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
    ed25519.Ed25519PrivateKey.generate(),
    rsa.generate_private_key(65537, 2048),
)
JWT_KEYS = {"ES256": (P256, ECKey), "ES384": (P384, ECKey), "Ed25519": (ED, OKPKey), "RS256": (RSA, RSAKey)}


def key_in(tmp_path: Path, content: bytes) -> Connection:
    path = tmp_path / "key"
    path.write_bytes(content)
    return Connection("https://source.example", extra={"private_key": str(path)})


def assertion_of(signing: Any) -> str:
    request = Request("POST", "https://source.example/token", data={"grant_type": "x"}).prepare()
    signing.sign(request)
    assert request.headers["Content-Length"] == str(len(request.body or ""))
    return str(request.body).partition("client_assertion=")[2]


@pytest.mark.parametrize("algorithm", JWT_KEYS)
@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_a_client_assertion_is_signed_as_its_key_asks_and_never_the_same_twice(
    algorithm: str, form: str, tmp_path: Path
) -> None:
    private, kind = JWT_KEYS[algorithm]
    content = pem(private)
    if form == "jwk":
        content = orjson.dumps(kind.import_key(content).as_dict(private=True) | {"kid": "mine"})
    key = private_key_of("tax", key_in(tmp_path, content))
    signing = private_key_jwt("hub", key, "k1" if form == "pem" else None, "https://source.example/token")
    tokens = [
        jwt.decode(assertion_of(signing), kind.import_key(public_pem(private)), algorithms=[algorithm])
        for _ in range(2)
    ]
    first, second = (token.claims for token in tokens)
    assert tokens[0].header == {"alg": algorithm, "typ": "JWT", "kid": "k1" if form == "pem" else "mine"}
    assert (first["iss"], first["sub"], first["aud"]) == ("hub", "hub", "https://source.example/token")
    assert 0 < first["exp"] - first["iat"] <= 300
    assert first["jti"] != second["jti"]


def test_a_jwk_may_say_its_algorithm(tmp_path: Path) -> None:
    content = orjson.dumps(RSAKey.import_key(pem(RSA)).as_dict(private=True) | {"alg": "PS256"})
    signing = private_key_jwt("hub", private_key_of("tax", key_in(tmp_path, content)), None, "x")
    public = RSAKey.import_key(public_pem(RSA))
    assert jwt.decode(assertion_of(signing), public, algorithms=["PS256"]).header["alg"] == "PS256"


def test_a_try_after_a_failure_brings_an_assertion_of_its_own(
    serve: Serve, connector_of: Make, open_served: Open, tmp_path: Path
) -> None:
    token = as_json({"access_token": "t", "expires_in": 300})
    served = serve(in_turn(Reply(status=503), token, as_json({"items": []})))
    extra = key_in(tmp_path, pem(P256)).extra
    connector = connector_of(auth=OAUTH | {"client_auth": "private_key_jwt"})
    list(open_served(connector, served.host, login="hub", extra=extra).pages("items", ALL))
    first, second = (asked.body for asked in served.asked[:2])
    assert first.startswith("grant_type=client_credentials&scope=sodiachinh.read&client_assertion_type=")
    assert first != second


WRONG_KEYS = {
    "none": b"no key",
    "public": public_pem(P256),
    "encrypted": pem(P256, serialization.BestAvailableEncryption(b"s3cret")),
    "of another use": pem(x25519.X25519PrivateKey.generate()),
    "half a JWK": b'{"kty": "EC", "d": "s3cret"}',
    "a symmetric JWK": b'{"kty": "oct", "k": "s3cretly"}',
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("kind", WRONG_KEYS)
@pytest.mark.parametrize("auth", ["oauth2_jwt", "signature_ed25519"])
def test_a_file_without_a_fitting_private_key_is_reported_before_any_request(
    kind: str, auth: str, connector_of: Make, open_served: Open, tmp_path: Path
) -> None:
    connection = key_in(tmp_path, WRONG_KEYS[kind])
    with pytest.raises(ConfigError) as failure:
        open_served(connector_of(auth=KINDS[auth]), connection.host, login="hub", extra=connection.extra)
    assert "private" in str(failure.value)
    assert "s3cret" not in str(failure.value)


def test_a_missing_key_file_is_reported(connector_of: Make, open_served: Open, tmp_path: Path) -> None:
    auth = KINDS["oauth2_jwt"]
    for extra, reported in (
        ({}, "extra lacks private_key"),
        ({"private_key": str(tmp_path / "x")}, "is no file"),
    ):
        with pytest.raises(ConfigError, match=f"connection of tax: .*{reported}"):
            open_served(connector_of(auth=auth), "https://source.example", login="hub", extra=extra)


MESSAGE_KEYS = {
    "ed25519": (ED, ED25519),
    "ecdsa-p256-sha256": (P256, ECDSA_P256_SHA256),
    "rsa-pss-sha512": (RSA, RSA_PSS_SHA512),
}


@pytest.mark.parametrize("algorithm", MESSAGE_KEYS)
def test_message_signatures_verify_and_cover_what_is_asked(algorithm: str) -> None:
    key, verifying = MESSAGE_KEYS[algorithm]
    components = ("@method", "@target-uri", "@authority", "accept", "content-digest")
    stated = HttpSignature.model_validate(
        {
            "kind": "http_signature",
            "algorithm": algorithm,
            "components": components,
            "label": "hub",
            "expires": "5m",
        }
    )
    request = prepared(Accept="application/json")
    MessageSignatures(stated, "k1", key, "auth").sign(request)
    resolver = MappingKeyResolver(public_keys={"k1": key.public_key()}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=verifying, key_resolver=resolver)
    (result,) = verifier.verify(request)
    assert result.label == "hub"
    assert {name.strip('"') for name in result.covered_components} >= set(components)
    assert result.parameters["keyid"] == "k1"
    assert result.parameters["expires"] - result.parameters["created"] == 300


def test_a_body_is_covered_by_its_digest() -> None:
    stated = HttpSignature(kind="http_signature", algorithm="hmac-sha256")
    request = Request("POST", "https://source.example/q", data="tìm".encode()).prepare()
    MessageSignatures(stated, "k1", b"secret", "auth").sign(request)
    assert request.headers["Content-Digest"].startswith("sha-256=:")
    assert '"content-digest"' in request.headers["Signature-Input"]


def test_requests_of_the_same_second_are_signed_apart() -> None:
    stated = HttpSignature(kind="http_signature", algorithm="hmac-sha256")
    signing = MessageSignatures(stated, "k1", b"secret", "auth")
    first, second = prepared(), prepared()
    signing.sign(first)
    signing.sign(second)
    assert first.headers["Signature"] != second.headers["Signature"]


def test_a_key_of_another_kind_than_the_algorithms_is_reported_before_any_request(
    connector_of: Make, open_served: Open, tmp_path: Path
) -> None:
    connection = key_in(tmp_path, pem(RSA))
    with pytest.raises(ConfigError, match=r"connector\.yaml:.*ed25519 needs another kind of private key"):
        open_served(
            connector_of(auth=KINDS["signature_ed25519"]),
            connection.host,
            login="hub",
            extra=connection.extra,
        )


def test_a_component_that_no_request_has_is_reported(connector_of: Make, open_served: Open) -> None:
    auth = KINDS["signature_hmac"] | {"components": ["@method", "x-absent"]}
    source = open_served(connector_of(auth=auth), "https://source.example", login="hub", password="s")
    with pytest.raises(ConfigError, match="a request lacks one of components"):
        list(source.pages("items", ALL))


def test_a_token_endpoint_may_stand_on_another_host(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    tokens = serve(in_turn(as_json({"access_token": "t", "token_type": "bearer"})))
    data = serve(in_turn(as_json({"items": []})))
    connector = connector_of(auth=OAUTH)
    # YAML takes https:// only, for which the test has no certificate.
    elsewhere = connector.auth.model_copy(update={"token_path": f"{tokens.host}/token"})
    connector = connector.model_copy(update={"auth": elsewhere})
    list(open_served(connector, data.host, login="hub", password="s").pages("items", ALL))
    assert [asked.path for asked in tokens.asked] == ["/token"]
    assert data.asked[0].headers["Authorization"] == "Bearer t"


def test_the_connectors_own_signature_may_cover_the_credentials(
    serve: Serve, connector_of: Make, open_served: Open, tmp_path: Path
) -> None:
    (tmp_path / "connector.py").write_text(
        "def sign(request, connection):\n"
        "    request.headers['X-Odd'] = request.headers['Authorization'][::-1] + connection.login\n"
    )
    served = serve(in_turn(as_json({"items": []})))
    connector = connector_of(auth={"kind": "bearer"}, plugin="signer")
    list(open_served(connector, served.host, login="hub", password="abc").pages("items", ALL))
    assert served.asked[0].headers["X-Odd"] == "cba reraeBhub"
