"""A token endpoint of `authlib`: it takes every algorithm, and what it says about a refusal is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from flask import Flask, request
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

from oncehub.config.connector import Connector
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import AuthenticationError, ConfigError

Make = Callable[..., Connector]
Open = Callable[..., Source]
METHOD = JWTBearerClientAssertion.CLIENT_AUTH_METHOD
AUDIENCE = "urn:authlib"


class Client(ClientMixin):
    """The hub, as the server knows it."""

    client_id = "hub"

    def get_client_id(self) -> str:
        return self.client_id

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == METHOD

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope: str) -> str:
        return scope


class Grant(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = (METHOD,)


class Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[SimpleNamespace]:
    """Serves tokens, and records to who has one; `key` is what the server verifies by."""
    told = SimpleNamespace(key=None, used=set())

    class Assertion(JWTBearerClientAssertion):
        def get_audiences(self) -> list[str]:
            return [AUDIENCE]

        def process_assertion_claims(self, assertion: str, key: Any) -> Any:
            # The package itself takes the two algorithms that joserfc recommends.
            claims = jwt.decode(assertion, key, algorithms=[told.key["alg"]]).claims
            self.verify_claims(claims)
            return claims

        def resolve_client_public_key(self, client: Client) -> Any:
            return told.key

        def validate_jti(self, claims: Any, jti: str) -> bool:
            fresh = jti not in told.used
            told.used.add(jti)
            return fresh

    app = Flask(__name__)
    server = AuthorizationServer(
        app,
        query_client=lambda name: Client() if name == "hub" else None,
        save_token=lambda token, asked: None,
    )
    server.register_client_auth_method(METHOD, Assertion())
    server.register_grant(Grant)

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/items")
    def items() -> Any:
        has_token = request.headers.get("Authorization", "").startswith("Bearer ")
        return {"items": [{"id": 1, "at": "2026-01-01T00:00:00Z"}]} if has_token else ({}, 401)

    running = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = Thread(target=running.serve_forever)
    thread.start()
    told.host = f"http://127.0.0.1:{running.server_port}"
    yield told
    running.shutdown()
    running.server_close()
    thread.join()


def keys() -> dict[str, Any]:
    rsa = RSAKey.generate_key(2048)
    return {
        **dict.fromkeys(("RS256", "RS384", "PS256", "PS384"), rsa),
        "ES256": ECKey.generate_key("P-256"),
        "ES384": ECKey.generate_key("P-384"),
        **dict.fromkeys(("EdDSA",), OKPKey.generate_key("Ed25519")),
    }


KEYS = keys()


def auth(**more: str) -> dict[str, str]:
    proof = {"client_auth": "private_key_jwt", "audience": AUDIENCE, "scope": "read"}
    return {"kind": "oauth2", "token_path": "/token", **proof, **more}


def private(key: Any) -> dict[str, str]:
    return {"private_key": key.as_pem(private=True).decode()}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", KEYS)
def test_each_algorithm_gets_a_token(
    algorithm: str, endpoint: SimpleNamespace, connector_of: Make, open_served: Open
) -> None:
    endpoint.key = KEYS[algorithm].as_dict(private=False) | {"alg": algorithm}
    connector = connector_of(auth=auth(algorithm=algorithm))
    source = open_served(connector, endpoint.host, login="hub", extra=private(KEYS[algorithm]))
    [page] = source.pages("items", Window(None, None))
    assert page.records[0]["id"] == 1


def test_the_servers_description_of_a_refusal_is_told(
    endpoint: SimpleNamespace, connector_of: Make, open_served: Open
) -> None:
    source = open_served(
        connector_of(auth=auth()), endpoint.host, login="other", extra=private(KEYS["ES256"])
    )
    said = (
        r"answered 400 \(invalid_client: The client does not exist on this server.\); check the credentials"
    )
    with pytest.raises(AuthenticationError, match=said):
        next(source.pages("items", Window(None, None)))


def test_an_algorithm_of_another_kind_of_key_is_refused_before_any_request(
    endpoint: SimpleNamespace, connector_of: Make, open_served: Open
) -> None:
    connector = connector_of(auth=auth(algorithm="RS384"))
    with pytest.raises(ConfigError, match=r"cannot sign by RS384; .*auth.algorithm does not fit"):
        open_served(connector, endpoint.host, login="hub", extra=private(KEYS["ES256"]))
