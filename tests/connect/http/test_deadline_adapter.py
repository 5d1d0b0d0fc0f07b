"""No answer, however slow, large or well packed, holds a reader for ever or fills its memory."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import logging
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.files.folder import store_of
from oncehub.connect.files.stores import LocalFolder
from oncehub.connect.http.local_rate_limiter import LocalRateLimiter
from oncehub.connect.http.requester import Requester
from oncehub.connect.http.session import open_session
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError, ContractBroken, SourceUnavailable, TransientError
from stubs.servers.protocol.certificates import make_tls_files

from ..serving import Answering, Reply, Served, as_json, in_turn

Make = Callable[..., Connector]
Open = Callable[..., Source]
Serve = Callable[[Answering], Served]

ALL = Window(None, None)
PATIENCE = 0.2
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def sending(start: bytes, trickle: Iterator[bytes]) -> Iterator[str]:
    """A server that answers everybody with `start` and then piece after piece, until they hang up."""
    ended = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65_536)
                connection.sendall(start)
                while not ended.wait(PATIENCE / 10):
                    connection.sendall(next(trickle))
            except OSError:
                return

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            answering.append(threading.Thread(target=answer, args=(connection,)))
            answering[-1].start()

    answering: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        server = threading.Thread(target=serve)
        server.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)
            server.join()
            for thread in answering:
                thread.join()


@pytest.fixture
def ask(connector_of: Make) -> Iterator[Callable[..., Requester]]:
    """Makes requesters as a source does, that wait for nothing; keywords are their limits."""
    sessions: list[requests.Session] = []

    def make(host: str, **limits: Any) -> Requester:
        sessions.append(open_session(connector_of(), Connection(host)))
        given = {"requests": 1e6, "attempts": 2, "timeout": timedelta(seconds=PATIENCE)} | limits
        bounds = Limits.model_construct(**given)
        return Requester(sessions[-1], bounds, LocalRateLimiter(bounds), pause=lambda _seconds: None)

    yield make
    for session in sessions:
        session.close()


TRICKLES = {
    "one header": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "many headers": (b"HTTP/1.1 200 OK\r\n", b"X-Slow: x\r\n"),
    "the status line": (b"HTTP/1.1 200 ", b"O"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "the size of a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "the body": (HEAD + b"Content-Length: 999999\r\n\r\n", b" "),
    "packed nothing": (
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 999999\r\n\r\n",
        gzip.compress(b""),
    ),
}


@pytest.mark.parametrize("what", TRICKLES)
def test_whatever_trickles_in_is_given_up(what: str, ask: Callable[..., Requester]) -> None:
    start, piece = TRICKLES[what]
    with sending(start, cycle([piece])) as host, pytest.raises(SourceUnavailable) as failure:
        ask(host).send(
            requests.Request("GET", f"{host}/items"), "tax.items: page 1", lambda answer: answer.body
        )
    assert str(failure.value) in {
        "tax.items: page 1: no complete response in time; tried 2 times",
        "tax.items: page 1: connection broken before the response was complete; tried 2 times",
    }


def test_a_file_that_trickles_in_is_given_up_too(ask: Callable[..., Requester]) -> None:
    start, piece = TRICKLES["the body"]
    with sending(start, cycle([piece])) as host, pytest.raises(SourceUnavailable, match="in time"):
        ask(host).download(requests.Request("GET", host), "tax.items: file 1", io.BytesIO(), "0" * 64)


def test_a_file_may_take_longer_than_one_answer_while_it_keeps_coming(ask: Callable[..., Requester]) -> None:
    size = 120 * 65_536
    pieces = iter([b"x" * 65_536] * 120)
    into = io.BytesIO()
    with sending(HEAD + b"Content-Length: %d\r\n\r\n" % size, pieces) as host:
        digest = hashlib.sha256(b"x" * size).hexdigest()
        requester = ask(host, timeout=timedelta(seconds=10 * PATIENCE))
        requester.download(requests.Request("GET", host), "tax.items: file 1", into, digest)
    assert into.tell() == size


def test_a_page_may_not_take_longer_than_one_answer_even_if_it_keeps_coming(
    ask: Callable[..., Requester],
) -> None:
    pieces = iter([b"x" * 65_536] * 400)
    start = HEAD + b"Content-Length: 99999999\r\n\r\n"
    with (
        sending(start, pieces) as host,
        pytest.raises(SourceUnavailable, match="no complete response in time"),
    ):
        ask(host, attempts=1).send(
            requests.Request("GET", f"{host}/"), "tax.items: page 1", lambda answer: answer.body
        )


BOMB = 60_000_000


@pytest.mark.parametrize("kind", ["page", "file"])
def test_a_bomb_is_refused_before_it_is_unpacked(
    kind: str, serve: Serve, ask: Callable[..., Requester]
) -> None:
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(bytes(1_000_000)) for _ in range(BOMB // 1_000_000)) + packer.flush()
    served = serve(in_turn(Reply(body=packed, headers={"Content-Encoding": "gzip"})))
    most = 5_000_000
    requester = ask(served.host, page_bytes=most, file_bytes=most, timeout=timedelta(seconds=30))
    into = io.BytesIO()
    request = requests.Request("GET", served.host)
    asking = {
        "page": lambda: requester.send(request, "tax.items: page 1", lambda answer: answer.body),
        "file": lambda: requester.download(request, "tax.items: file 1", into, ""),
    }
    with pytest.raises(ContractBroken, match=rf"is larger than limits\.{kind}_bytes \(5000000\)"):
        asking[kind]()
    assert into.tell() <= most


def test_only_gzip_is_offered_and_taken(serve: Serve, connector_of: Make, open_served: Open) -> None:
    packed = {"deflate": zlib.compress(b"{}"), "gzip, gzip": gzip.compress(gzip.compress(b"{}"))}
    packed |= {"bzip2": bz2.compress(b"{}")}
    for encoding, body in packed.items():
        served = serve(in_turn(Reply(body=body, headers={"Content-Encoding": encoding})))
        with pytest.raises(ContractBroken, match="a Content-Encoding that was not offered"):
            list(open_served(connector_of(), served.host).pages("items", ALL))
        assert [asked.headers["Accept-Encoding"] for asked in served.asked] == ["gzip"]


@pytest.mark.parametrize("name", ["gzip", "GZIP", "x-gzip", "identity"])
def test_gzip_is_undone_by_any_of_its_names(
    name: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    body = b'{"items": [{"id": 1}]}'
    reply = Reply(
        body=body if name == "identity" else gzip.compress(body), headers={"Content-Encoding": name}
    )
    served = serve(in_turn(reply))
    (page,) = open_served(connector_of(), served.host).pages("items", ALL)
    assert page.records == [{"id": 1}]


def test_very_many_headers_are_no_answer(serve: Serve, connector_of: Make, open_served: Open) -> None:
    served = serve(in_turn(as_json({"items": []}, **{f"X-{number}": "x" for number in range(500)})))
    with pytest.raises(SourceUnavailable, match="connection broken"):
        list(open_served(connector_of(), served.host).pages("items", ALL))


def test_a_download_begins_each_try_with_an_empty_file(serve: Serve, ask: Callable[..., Requester]) -> None:
    good = b"a,b\n1,2\n"
    served = serve(in_turn(Reply(body=good * 9, claimed=500), Reply(body=b"other" * 9), Reply(body=good)))
    into = io.BytesIO(b"what was there before, and longer than the file")
    digest = hashlib.sha256(good).hexdigest()
    ask(served.host, attempts=3).download(requests.Request("GET", served.host), "tax: file 1", into, digest)
    assert into.getvalue() == good
    assert len(served.asked) == 3


def test_a_full_temporary_folder_is_no_fault_of_the_source(
    serve: Serve, ask: Callable[..., Requester]
) -> None:
    served = serve(in_turn(Reply(body=b"x" * 100)))
    request = requests.Request("GET", served.host)
    with (
        Path("/dev/full").open("r+b", buffering=0) as into,
        pytest.raises(
            TransientError, match="cannot be kept in the temporary folder: No space left"
        ) as failure,
    ):
        ask(served.host).download(request, "tax: file 1", Unseekable(into), "")  # type: ignore[arg-type]
    assert not isinstance(failure.value, SourceUnavailable)


class Unseekable:
    """A device, which has no place to seek to."""

    def __init__(self, file: Any) -> None:
        self.write = file.write

    def seek(self, _place: int) -> None:
        pass

    def truncate(self) -> None:
        pass


def test_tls_connections_are_given_up_by_the_same_rule(tmp_path: Path, connector_of: Make) -> None:
    files = make_tls_files(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.server_certificate, files.server_key)
    ended = threading.Event()

    def answer() -> None:
        connection, _ = listening.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65_536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not ended.wait(PATIENCE / 10):
                    secure.sendall(b"x")
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=answer)
        server.start()
        host = f"https://127.0.0.1:{listening.getsockname()[1]}"
        limits = Limits.model_construct(
            requests=1e6, attempts=1, timeout=timedelta(seconds=5 * PATIENCE), page_bytes=1000
        )
        with open_session(connector_of(), Connection(host, extra={"ca": str(files.authority)})) as session:
            requester = Requester(session, limits, LocalRateLimiter(limits))
            with pytest.raises(SourceUnavailable, match="no complete response in time"):
                requester.send(requests.Request("GET", host), "tax.items: page 1", lambda answer: answer.body)
        ended.set()
        server.join()


class Counting(BaseAdapter):
    """An adapter that counts what passes through."""

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self.inner = inner
        self.urls: list[str] = []

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        self.urls.append(str(request.url))
        return self.inner.send(request, **how)

    def close(self) -> None:
        self.inner.close()


def test_a_transport_sees_every_request(serve: Serve, connector_of: Make) -> None:
    wrapped: list[Counting] = []

    def transport(inner: BaseAdapter) -> BaseAdapter:
        wrapped.append(Counting(inner))
        return wrapped[-1]

    served = serve(in_turn(as_json({"access_token": "t"}), as_json({"items": []})))
    connector = connector_of(auth={"kind": "oauth2", "token_path": "/token"})
    connection = Connection(served.host, login="hub", password="s")
    with Source(connector, connection, transport=transport) as source:
        list(source.pages("items", ALL))
    assert wrapped[0].urls == [f"{served.host}/token", f"{served.host}/items"]


def test_the_http_library_logs_no_address(
    connector_of: Make, open_served: Open, caplog: pytest.LogCaptureFixture
) -> None:
    # A header that cannot be parsed makes it warn, with the whole address.
    answer = HEAD + b'Content-Length: 13\r\nno header\r\n\r\n{"items": []}'
    connector = connector_of(auth={"kind": "api_key", "query": "key"})
    with sending(answer, cycle([b""])) as host, caplog.at_level(logging.DEBUG):
        list(open_served(connector, host, password="s3cret").pages("items", ALL))
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("host", "extra", "folder"),
    [
        ("file:///srv/drop/t%C3%AAn", {}, "/srv/drop/tên"),
        ("file://localhost/srv/drop", {}, "/srv/drop"),
        ("https://source.example", {"folder": "/srv/drop"}, "/srv/drop"),
        ("file:///srv/other", {"folder": "/srv/drop"}, "/srv/drop"),
    ],
)
def test_a_folder_is_the_host_or_stands_in_extra(
    host: str, extra: dict[str, str], folder: str, connector_of: Make
) -> None:
    store = store_of(connector_of(), Connection(host, extra=extra))
    assert isinstance(store, LocalFolder)
    assert store.folder == Path(folder)


@pytest.mark.parametrize(
    ("host", "extra"),
    [
        ("https://source.example", {}),
        ("file://server/share", {}),
        ("https://source.example", {"folder": "drop"}),
        ("https://source.example", {"folder": 7}),
        ("file://[", {}),
    ],
)
def test_a_folder_that_is_not_named_is_reported(host: str, extra: dict[str, Any], connector_of: Make) -> None:
    with pytest.raises(ConfigError, match=r"connection of tax: the folder.*file:///.*`folder` in extra"):
        store_of(connector_of(), Connection(host, extra=extra))


def test_streams_over_http_need_more_than_a_folder(connector_of: Make) -> None:
    with pytest.raises(ConfigError, match=r"host must be a base address .*`folder` in extra"):
        open_session(connector_of(), Connection("file:///srv/drop"))
