"""An API over a test's own database, and clients that call it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from httpx2 import Response
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey
from psycopg2.extras import RealDictCursor

from oncehub.api.app import create_app
from oncehub.api.server.serving import listening, server_config
from oncehub.config.procedures import Item, Text
from oncehub.settings import Settings
from oncehub.share.clients.clients import add_client
from oncehub.share.identity.nonce import Asked, officer_sign_in
from oncehub.store.connection import Connection
from stubs.servers.identity import IdentityProvider

ISSUER = "urn:oncehub"
_DESCRIBED: dict[frozenset[str], dict[str, Any]] = {}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Agency:
    """A client of the API with a key of its own."""

    http: TestClient
    client_id: str
    agreement: str = ""
    providers: dict[str, IdentityProvider] = field(default_factory=dict)
    key: OKPKey | ECKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))
    bearer: str | None = None

    def assertion(self, *, key: Any = None, algorithm: str | None = None, **claims: Any) -> str:
        now = int(time.time())
        algorithm = algorithm or ("ES256" if isinstance(self.key, ECKey) else "Ed25519")
        standard = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": ISSUER,
            "exp": now + 60,
            "jti": str(uuid.uuid4()),
        }
        merged = {name: value for name, value in (standard | claims).items() if value is not None}
        return jwt.encode({"alg": algorithm}, merged, key or self.key, algorithms=[algorithm])

    def ask_token(self, assertion: str, **form: str) -> Response:
        standard = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return self.http.post("/v1/token", data=standard | form)

    def token(self) -> str:
        if self.bearer is None:
            self.bearer = str(self.ask_token(self.assertion()).json()["access_token"])
        return self.bearer

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}

    def nonce(self, path: str, body: Mapping[str, Any]) -> str:
        return Asked(ISSUER, self.client_id, self.agreement, f"POST {path}", body).nonce()

    def proving(self, number: str, path: str, body: dict[str, Any], **claims: Any) -> dict[str, Any]:
        """The body with evidence that the citizen signed in for this request."""
        evidence = self.providers["citizens"].id_token(number, self.nonce(path, body), **claims)
        return body | {"evidence": evidence}

    def as_citizen(self, number: str, path: str, **body: Any) -> Response:
        """Ask for a citizen whom their provider proves, about themselves unless told otherwise."""
        asked = {"search": {"person.personal_id": number}} | body
        return self.http.post(path, json=self.proving(number, path, asked), headers=self.headers())

    def as_officer(self, name: str, *, proven: bool = False) -> dict[str, str]:
        """Headers of a token that names an officer, who is proven by their provider or not."""
        jti, form = str(uuid.uuid4()), {}
        if proven:
            nonce = officer_sign_in(ISSUER, self.client_id, self.agreement, jti).nonce()
            form = {
                "actor_token": self.providers["officers"].id_token(name, nonce),
                "actor_token_type": "urn:ietf:params:oauth:token-type:id_token",
            }
        token = self.ask_token(self.assertion(act={"sub": name}, jti=jti), **form).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}

    def usage(self, number: str, **body: Any) -> Response:
        return self.as_citizen(number, "/v1/usage/find", **body)

    def lookup(self, search: dict[str, str], attributes: list[str], **more: Any) -> Response:
        body = {"search": search, "attributes": attributes, **more}
        return self.http.post("/v1/persons/lookup", json=body, headers=self.headers())

    def prefill(self, code: str, search: dict[str, str], **more: Any) -> Response:
        body = {"search": search, **more}
        return self.http.post(f"/v1/procedures/{code}/prefill", json=body, headers=self.headers())

    def changes(self, feed: str, **query: Any) -> Response:
        return self.http.get(f"/v1/feeds/{feed}/changes", params=query, headers=self.headers())

    def corrections(self, **query: Any) -> Response:
        return self.http.get("/v1/corrections", params=query, headers=self.headers())

    def acknowledge(self, sequence: int, *responses: dict[str, Any]) -> Response:
        body = {"acknowledged": sequence, "responses": list(responses)}
        return self.http.post("/v1/corrections/acknowledgements", json=body, headers=self.headers())


def described(app: Any, path: str, method: str) -> dict[str, Any] | None:
    """What the app's description says of an operation; None where there is no such operation."""
    for route in app.routes:
        if isinstance(route, APIRoute) and method in route.methods and route.path_regex.match(path):
            operation: dict[str, Any] = descriptions(app)[route.path][method.lower()]
            return operation
    return None


def descriptions(app: Any) -> dict[str, Any]:
    """The app's description of its paths, made once for all apps with the same paths: it takes long."""
    paths = frozenset(route.path for route in app.routes if isinstance(route, APIRoute))
    if paths not in _DESCRIBED:
        _DESCRIBED[paths] = app.openapi()["paths"]
    return _DESCRIBED[paths]


@pytest.fixture(autouse=True)
def keeps_to_its_description(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test asks, the answer's status and media type must stand in the description."""
    ask = TestClient.request

    def asking(client: TestClient, method: str, *given: Any, **named: Any) -> Any:
        answer = ask(client, method, *given, **named)
        operation = described(client.app, unquote(answer.request.url.path), method)
        if operation and answer.status_code != 405:
            responses = operation["responses"]
            assert str(answer.status_code) in responses, (
                f"{method} {answer.request.url.path} gave {answer.status_code}, which is not described: "
                "add it to the route by responses=answers(...) of oncehub.api.http.description"
            )
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind in responses[str(answer.status_code)]["content"], kind
        return answer

    monkeypatch.setattr(TestClient, "request", asking)


@pytest.fixture
def serve() -> Iterator[Callable[[Any], tuple[str, int]]]:
    """Serve apps on loopback, as `oncehub api` does, in threads of this process; gives host and port."""
    with ExitStack() as stack:

        def start(app: Any) -> tuple[str, int]:
            listener = stack.enter_context(listening("127.0.0.1", 0))
            server = uvicorn.Server(server_config(app))
            # The app's own client has opened it, and closes it.
            server.config.lifespan = "off"
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            host, port = listener.getsockname()
            return host, port

        yield start


@pytest.fixture
def http(editable: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(editable), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def admit(
    http: TestClient, database: Connection, providers: dict[str, IdentityProvider]
) -> Callable[..., Agency]:
    """Admit a client of an agreement: `admit("portal-residence")`."""

    def add(agreement: str, client_id: str | None = None, key: OKPKey | ECKey | None = None) -> Agency:
        agency = Agency(http, client_id or f"client-of-{agreement}", agreement, providers)
        agency.key = key or agency.key
        add_client(database, agency.client_id, agreement, agency.key.as_dict(private=False))
        return agency

    return add


@pytest.fixture
def portal(admit: Callable[..., Agency]) -> Agency:
    return admit("portal-residence")


@pytest.fixture
def tax(admit: Callable[..., Agency]) -> Agency:
    return admit("tax-registration")


@pytest.fixture
def add_items(http: TestClient) -> Callable[..., None]:
    """Let a form ask for more, as its file would say it: `add_items(code, name={"attribute": ...})`."""

    def add(code: str, **items: dict[str, Any]) -> None:
        procedures = cast("FastAPI", http.app).state.hub.procedures
        added = {name: Item(title=Text(vi=name), **item) for name, item in items.items()}
        procedures[code] = procedures[code].model_copy(update={"items": procedures[code].items | added})

    return add


@pytest.fixture
def refusals(http: TestClient, database: Connection) -> Callable[[], list[dict[str, Any]]]:
    """What the log says of requests that were refused before a question was asked: its lines up to now."""

    def read() -> list[dict[str, Any]]:
        cast("FastAPI", http.app).state.hub.refusals.flush(everything=True)
        with database, database.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute("select * from audit.entry where action = 'refusals' order by entry_id")
            return [dict(row) for row in cursor.fetchall()]

    return read


@pytest.fixture
def log(database: Connection) -> Callable[[], list[tuple[Any, ...]]]:
    """Lines about questions, as (client, action, procedure, person, attributes, refused, outcome)."""

    def read() -> list[tuple[Any, ...]]:
        with database, database.cursor() as cursor:
            cursor.execute(
                "select client_id, action, procedure, person, attributes, refused, outcome "
                "from audit.entry where action <> 'refusals' and outcome <> 'opened' order by entry_id"
            )
            return cursor.fetchall()

    return read
