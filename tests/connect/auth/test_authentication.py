"""The hub proves who it is, renews what ends, and says plainly when it is refused."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote_plus

import pytest
import requests

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.auth.oauth import BearerTokens, client_secret_basic
from oncehub.connect.http.local_rate_limiter import LocalRateLimiter
from oncehub.connect.http.requester import Requester
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import AuthenticationError, ConfigError, ContractBroken, SourceUnavailable
from stubs.client import Systems
from stubs.servers.protocol.certificates import make_tls_files

from ..conftest import Pauses, real_connection
from ..serving import Answering, Asked, Reply, Served, as_json, in_turn

ALL = Window(None, None)
SECRET = "s3cret/with:signs+"
OAUTH = {"kind": "oauth2", "token_path": "/token"}

Serve = Callable[[Answering], Served]
Make = Callable[..., Connector]
Open = Callable[..., Source]


class Guarded:
    """A source with OAuth2 whose tokens are numbered; `valid` says which of them it takes."""

    def __init__(
        self,
        valid: Callable[[int], bool] = lambda _number: True,
        expires_in: object = 300,
        refusal: int = 401,
    ) -> None:
        self.tokens = 0
        self._refusal = refusal
        self._valid = valid
        self._expires_in = expires_in

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/token":
            self.tokens += 1
            return as_json(
                {"access_token": f"t{self.tokens}", "token_type": "Bearer", "expires_in": self._expires_in}
            )
        number = int(asked.headers["Authorization"].removeprefix("Bearer t"))
        return as_json({"items": []}) if self._valid(number) else Reply(status=self._refusal)


def read(source: Source) -> None:
    list(source.pages("items", ALL))


def test_the_client_proves_itself_by_http_basic(serve: Serve, connector_of: Make, open_served: Open) -> None:
    served = serve(Guarded())
    connector = connector_of(auth=OAUTH | {"scope": "a.read b.read"})
    read(open_served(connector, served.host, login="hub:1", password=SECRET))
    token, data = served.asked
    pair = base64.b64decode(token.headers["Authorization"].removeprefix("Basic ")).decode()
    assert [unquote_plus(part) for part in pair.split(":")] == ["hub:1", SECRET]
    assert parse_qs(token.body) == {"grant_type": ["client_credentials"], "scope": ["a.read b.read"]}
    assert data.headers["Authorization"] == "Bearer t1"


def requester() -> Requester:
    return Requester(requests.Session(), Limits(), LocalRateLimiter(Limits()), pause=lambda _seconds: None)


@pytest.mark.parametrize(("expires_in", "lives"), [(300, 270), (20, 10)])
def test_a_token_is_used_until_shortly_before_it_ends(expires_in: int, lives: int, serve: Serve) -> None:
    guarded = Guarded(expires_in=expires_in)
    served = serve(guarded)
    now = [1000.0]
    tokens = BearerTokens(
        replace(requester(), authentication=client_secret_basic("hub", SECRET)),
        f"{served.host}/token",
        scope=None,
        what="tax: token",
        clock=lambda: now[0],
    )
    for wait in (0, lives - 1, 2):
        now[0] += wait
        tokens.prepare()
        tokens.sign(requests.Request("GET", served.host).prepare())
        assert guarded.tokens == (1 if wait != 2 else 2)


def test_a_token_without_a_declared_lifetime_is_used_until_it_is_refused(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    guarded = Guarded(valid=lambda number: number >= 2, expires_in=None)
    served = serve(guarded)
    source = open_served(connector_of(auth=OAUTH), served.host, login="hub", password=SECRET)
    read(source)
    assert guarded.tokens == 2


@pytest.mark.parametrize("refusal", [401, 403])
def test_a_refused_token_is_replaced_once(
    refusal: int, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    guarded = Guarded(valid=lambda number: number >= 2, refusal=refusal)
    served = serve(guarded)
    read(open_served(connector_of(auth=OAUTH), served.host, login="hub", password=SECRET))
    assert guarded.tokens == 2


def test_a_fresh_token_that_is_refused_too_ends_it(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    guarded = Guarded(valid=lambda _number: False)
    served = serve(guarded)
    with pytest.raises(AuthenticationError, match=r"tax\.items: page 1: answered 401"):
        read(open_served(connector_of(auth=OAUTH), served.host, login="hub", password=SECRET))
    assert guarded.tokens == 2
    assert len(served.asked) == 4


@pytest.mark.parametrize(
    ("reply", "refusal"),
    [
        (
            Reply(status=401, body=b'{"error": "invalid_client"}'),
            (AuthenticationError, r"answered 401 \(invalid_client\)"),
        ),
        (
            Reply(status=400, body=b'{"error": "invalid_scope"}'),
            (AuthenticationError, r"answered 400 \(invalid_scope\)"),
        ),
        (Reply(status=400, body=b'{"error": "s3cret"}'), (AuthenticationError, r"answered 400; check")),
        (Reply(status=403, body=b"<h1>no</h1>"), (AuthenticationError, r"answered 403; check")),
        (Reply(body=b'{"token": "s3cret"}'), (ContractBroken, "holds no access_token")),
        (Reply(body=b"<h1>s3cret</h1>"), (SourceUnavailable, "not JSON; tried 3 times")),
        (Reply(status=500, body=b"s3cret"), (SourceUnavailable, "answered 500; tried 3 times")),
    ],
)
def test_a_token_that_is_not_given_is_reported_plainly(
    reply: Reply, refusal: tuple[type[Exception], str], serve: Serve, connector_of: Make, open_served: Open
) -> None:
    error, reported = refusal
    served = serve(in_turn(reply))
    with pytest.raises(error, match=f"tax: token: .*{reported}") as refused:
        read(open_served(connector_of(auth=OAUTH), served.host, login="hub", password=SECRET))
    assert "s3cret" not in str(refused.value)


def test_a_signature_covers_the_query_as_it_is_sent(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    raw: list[str] = []
    served = serve(in_turn(as_json({"items": []})))
    auth = {"kind": "hmac", "key_id_header": "X-K", "timestamp_header": "X-T", "signature_header": "X-S"}
    size = {"parameter": "số dòng", "value": 5}
    connector = connector_of({"pages": {"kind": "number", "parameter": "trang", "size": size}}, auth=auth)
    before = int(time.time())
    read(open_served(connector, served.host, login="key-1", password=SECRET))
    headers = served.asked[0].headers
    query = f"{quote('số dòng')}=5&trang=1"
    raw = ["GET", "/items", query, headers["X-T"], hashlib.sha256(b"").hexdigest()]
    expected = hmac.new(SECRET.encode(), "\n".join(raw).encode(), hashlib.sha256).hexdigest()
    assert (headers["X-K"], headers["X-S"]) == ("key-1", expected)
    assert before <= int(headers["X-T"]) <= int(time.time())


@pytest.mark.parametrize(
    ("auth", "given", "lacking"),
    [
        ({"kind": "api_key", "header": "X"}, {}, "password is missing; give the API key"),
        (OAUTH, {"password": "x"}, "login is missing; give the client id"),
        (OAUTH, {"login": "x"}, "password is missing; give the client secret"),
        ({"kind": "mutual_tls"}, {}, "mutual_tls needs an https:// host"),
    ],
)
def test_a_connection_that_lacks_something_is_refused_before_any_request(
    auth: dict[str, str], given: dict[str, str], lacking: str, connector_of: Make, open_served: Open
) -> None:
    with pytest.raises(ConfigError, match=f"connection of tax: {lacking}"):
        open_served(connector_of(auth=auth), "http://127.0.0.1:1", **given)


@pytest.mark.parametrize("host", ["api.example", "ftp://api.example", "https://", "https://user@api.example"])
def test_a_host_that_is_no_address_is_refused(host: str, connector_of: Make, open_served: Open) -> None:
    with pytest.raises(ConfigError, match="host must be a base address"):
        open_served(connector_of(), host)


@pytest.mark.parametrize("host", ["http://api.example", "http://10.0.0.1:8080", "http://127.0.0.1.example"])
def test_nothing_is_sent_in_the_clear_beyond_this_machine(
    host: str, connector_of: Make, open_served: Open
) -> None:
    auth = {"kind": "api_key", "header": "X"}
    with pytest.raises(ConfigError, match="give an https:// host"):
        open_served(connector_of(auth=auth), host, password=SECRET)
    open_served(connector_of(auth=auth), "http://[::1]:1", password=SECRET)


@pytest.mark.parametrize("source", ["population", "portal", "tax", "customs"])
def test_a_wrong_secret_is_refused_by_the_system_and_not_tried_again(
    source: str, systems: Systems, open_real: Open
) -> None:
    connection = replace(real_connection(systems, source), password=SECRET)
    reader = open_real(source, connection)
    stream = {"population": "citizens", "tax": "registrations", "customs": "declarants"}.get(
        source, "accounts"
    )
    with pytest.raises(AuthenticationError, match=f"^{source}.*answered 401") as refused:
        list(reader.pages(stream, ALL))
    assert SECRET not in str(refused.value)


def test_a_scope_that_is_lacking_is_reported(systems: Systems, pauses: Pauses, open_real: Open) -> None:
    connector = open_real("portal")._connector
    without = connector.model_copy(update={"auth": connector.auth.model_copy(update={"scope": None})})
    with (
        Source(without, real_connection(systems, "portal"), pause=pauses) as source,
        pytest.raises(AuthenticationError, match=r"invalid_scope.*check .* the scope"),
    ):
        list(source.pages("accounts", ALL))


@pytest.mark.parametrize(("source", "stream"), [("population", "citizens"), ("portal", "accounts")])
def test_tokens_that_end_in_the_middle_are_renewed(
    source: str, stream: str, systems: Systems, open_real: Open
) -> None:
    pages = open_real(source, size=150).pages(stream, ALL)
    total = next(pages).total
    systems.expire_tokens()
    assert total == 150 + sum(len(page.records) for page in pages)


def with_extra(systems: Systems, **extra: object) -> Connection:
    connection = real_connection(systems, "banking")
    return replace(connection, extra={**connection.extra, **extra})


def test_certificates_and_keys_may_stand_in_the_connection_itself(systems: Systems, open_real: Open) -> None:
    named = ("ca", "client_certificate", "client_key", "jws_public_key")
    files = real_connection(systems, "banking").extra
    content = {name: Path(files[name]).read_text("ascii") for name in named}
    pages = open_real("banking", with_extra(systems, **content)).pages("accounts", ALL)
    assert next(pages).records
    foreign = content | {"client_key": content["client_key"].replace("\n", "\nx", 1)}
    with pytest.raises(ConfigError, match="client_certificate and client_key in extra must be PEM"):
        open_real("banking", with_extra(systems, **foreign))


def test_a_system_whose_authority_is_not_known_is_not_trusted(systems: Systems, open_real: Open) -> None:
    connection = real_connection(systems, "banking")
    extra = {name: value for name, value in connection.extra.items() if name != "ca"}
    with pytest.raises(AuthenticationError, match=r"certificate is not trusted.*`ca`"):
        list(open_real("banking", replace(connection, extra=extra)).pages("accounts", ALL))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_without_certificate_is_refused(
    version: ssl.TLSVersion, tmp_path: Path, connector_of: Make, open_served: Open
) -> None:
    files = make_tls_files(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.authority)
    context.load_cert_chain(files.server_certificate, files.server_key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    with socket.create_server(("127.0.0.1", 0)) as listening:
        refusing = threading.Thread(target=refuse_one, args=(listening, context))
        refusing.start()
        host = f"https://127.0.0.1:{listening.getsockname()[1]}"
        source = open_served(connector_of(), host, extra={"ca": str(files.authority)})
        with pytest.raises(AuthenticationError, match="TLS was refused; check `client_certificate`"):
            list(source.pages("items", ALL))
        refusing.join()


def refuse_one(listening: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands with one client in vain, and hear it out, so that it hears the alert."""
    connection, _ = listening.accept()
    copy = connection.dup()
    with contextlib.suppress(ssl.SSLError):
        context.wrap_socket(connection, server_side=True)
    copy.shutdown(socket.SHUT_WR)
    while copy.recv(4096):
        pass
    copy.close()


def test_certificate_files_are_checked_before_any_request(
    systems: Systems, open_real: Open, tmp_path: Path
) -> None:
    (tmp_path / "nonsense.pem").write_text("nonsense")
    absent, nonsense = str(tmp_path / "absent.pem"), str(tmp_path / "nonsense.pem")
    for extra, reported in (
        ({"client_key": None}, "extra lacks client_key"),
        ({"client_certificate": absent}, "client_certificate in extra is no file"),
        ({"client_key": nonsense}, "client_certificate and client_key in extra must be PEM"),
        ({"ca": nonsense}, "ca in extra must be PEM"),
    ):
        with pytest.raises(ConfigError, match=f"connection of banking: {reported}"):
            open_real("banking", with_extra(systems, **extra))
