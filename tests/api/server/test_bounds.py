"""A client that holds connections, sends slowly or sends much does not keep others from being answered."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from oncehub.api.server.protocol import IDLE_SECONDS, MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED
from oncehub.settings import Settings
from tests.api.server.processes import Running, await_true, serving

HEALTH = b"GET /ready HTTP/1.1\r\nHost: x\r\n"
CLOSING = HEALTH + b"Connection: close\r\n\r\n"

IMPATIENT = """
import runpy, socket, sys
from oncehub.api.server import protocol, serving
protocol.HEAD_SECONDS = protocol.BODY_SECONDS = protocol.ANSWER_SECONDS = 1.0
protocol._MOST_CONNECTIONS = 40
listening = serving.listening
def little(*address):
    listener = listening(*address)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    return listener
serving.listening = little
sys.argv[0] = "oncehub.api"
runpy.run_module("oncehub.api", run_name="__main__")
"""


@pytest.fixture
def impatient(editable: Settings, tmp_path: Path) -> Iterator[Running]:
    """An API that waits a second for what it waits for, and holds 40 connections a process."""
    with serving(editable, tmp_path / "api.log", "-c", IMPATIENT) as api:
        yield api
        assert "Traceback" not in api.log.read_text()


def status(answer: bytes) -> int:
    return int(answer.partition(b" ")[2][:3] or 0)


def trickle(api: Running, sent: bytes, piece: bytes) -> tuple[bytes, float]:
    """Send a byte now and then after `sent`, until the API closes; return its answer and how long it took."""
    with api.connect() as connection:
        begun = time.monotonic()
        connection.sendall(sent)
        connection.settimeout(0.1)
        answer = b""
        while time.monotonic() - begun < 20:
            try:
                part = connection.recv(65536)
            except TimeoutError:
                connection.sendall(piece)
                continue
            except ConnectionResetError:
                break
            if not part:
                break
            answer += part
        return answer, time.monotonic() - begun


def test_a_request_must_arrive_in_time_however_steadily_it_trickles(impatient: Running) -> None:
    post = b"POST /v1/token HTTP/1.1\r\nHost: x\r\n"
    for sent, piece in [
        (b"", b"\r\n"),
        (b"GET /ready HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
        (b"GET /hea", b"l"),
        (post + b"Content-Length: 1000\r\n\r\n", b"x"),
        (post + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (post + b"Transfer-Encoding: chunked\r\n\r\n1", b";x"),
    ]:
        answer, seconds = trickle(impatient, sent, piece)
        assert status(answer) == 408, (sent, answer)
        assert b"application/problem+json" in answer
        assert seconds < 10, sent
    assert status(impatient.exchange(CLOSING)) == 200


HELD = b"", HEALTH, b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", HEALTH + b"\r\n"


def test_whoever_waits_longest_makes_room(impatient: Running) -> None:
    with ExitStack() as stack:
        for number in range(300):
            connection = stack.enter_context(impatient.connect())
            connection.sendall(HELD[number % len(HELD)])
            if number % 50 == 49:
                assert status(impatient.exchange(CLOSING)) == 200, number
        assert 40 <= held_by(impatient) < 45 * len(impatient.workers())


def held_by(api: Running) -> int:
    """How many connections the API's processes hold, as the kernel lists them."""
    local = f":{api.address[1]:04X}"
    listen, unheld = "0A", "0"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(local) and line[3] != listen and line[9] != unheld for line in lines)


def test_a_head_is_small(running: Running) -> None:
    fits = MAX_HEAD_BYTES - len(CLOSING) - len("X: \r\n") - 200
    for size, expected in ((fits, 200), (MAX_HEAD_BYTES, 431), (480_000, 431)):
        long = CLOSING.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * size + b"\r\n\r\n")
        many = CLOSING.replace(b"\r\n\r\n", b"\r\nX: y" * (size // 6 + 1) + b"\r\n\r\n")
        target = CLOSING.replace(b"/ready", b"/" + b"y" * size)
        assert status(running.exchange(long)) == expected, size
        assert status(running.exchange(many)) == 431, size
        assert status(running.exchange(target)) == (404 if expected == 200 else 431), size
    some = CLOSING.replace(b"\r\n\r\n", b"\r\nX: y" * (MAX_HEADERS - 2) + b"\r\n\r\n")
    assert status(running.exchange(some)) == 200
    body = b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % 10_000_000
    assert status(running.exchange(body + b"x" * 5_000_000)) == 413
    chunks = b"POST /v1/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert status(running.exchange(chunks + b"1;" + b"x" * 1_000_000)) == 413


def test_requests_that_follow_at_once_are_answered_in_order_and_not_without_end(running: Running) -> None:
    known, unknown = HEALTH + b"\r\n", b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = running.exchange((known + unknown) * 4 + CLOSING)
    assert statuses(answer) == [200, 404] * 4 + [200]
    answer = running.exchange((known + unknown) * 1000)
    given = statuses(answer)
    assert MAX_PIPELINED <= len(given) <= 2 * MAX_PIPELINED
    assert given == ([200, 404] * 1000)[: len(given)]
    # An unreadable request after one that is being answered does not disturb the answer.
    assert statuses(running.exchange(known + b"sentinel\r\n\r\n")) == [200]


def statuses(answer: bytes) -> list[int]:
    return [int(line[:3]) for line in answer.split(b"HTTP/1.1 ")[1:]]


def test_an_answer_that_nobody_reads_is_given_up(impatient: Running) -> None:
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(impatient.address)
        connection.sendall(asked * MAX_PIPELINED)
        await_true(lambda: held_by(impatient) == 1)
        await_true(lambda: held_by(impatient) == 0, seconds=IDLE_SECONDS / 2)
