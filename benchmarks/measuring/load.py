"""Sends HTTP requests in a closed loop over persistent connections, at little processor time of its own."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Ask = Callable[[], tuple[bytes, object]]
"""Returns a request, and the value by which `Check` recognises its response."""

Check = Callable[[bytes, bytes, object], None]
"""Checks the head and the body of a response; raises an error where they are wrong."""


@dataclass(frozen=True)
class Load:
    """The result of one run.

    Attributes:
        seconds: from the first request to the last response.
        process: processor time of this process meanwhile, in seconds.
        latencies: of every request, in seconds, sorted.
    """

    seconds: float
    process: float
    latencies: Sequence[float]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, hundredths: float) -> float:
        """Return a percentile of the response times, in seconds."""
        return self.latencies[min(int(len(self.latencies) * hundredths / 100), len(self.latencies) - 1)]


class _Client:
    """One connection: sends requests, and reads responses that have a `Content-Length`."""

    def __init__(self, address: tuple[str, int], ask: Ask, check: Check) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ask, self._check = ask, check
        self._begun, self._expected, self._got = 0.0, object(), b""

    def send(self) -> None:
        request, self._expected = self._ask()
        self._got = b""
        self._begun = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> float | None:
        """Read received bytes; return seconds since the request if the response is complete, else None."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the hub closed a persistent connection")
        self._got += part
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return None
        seconds = time.perf_counter() - self._begun
        self._check(head, body, self._expected)
        return seconds


def run_load(url: str, connections: int, seconds: float, ask: Ask, check: Check) -> Load:
    """Send requests over several connections, each the next one as soon as it has its response.

    Raises:
        ConnectionError: when a connection is closed.
        Exception: what `check` raises.
    """
    place = urlsplit(url)
    address = (place.hostname or "127.0.0.1", place.port or 80)
    clients = [_Client(address, ask, check) for _ in range(connections)]
    latencies: list[float] = []
    try:
        begun, process = time.perf_counter(), time.process_time()
        _loop(clients, begun + seconds, latencies)
        taken, used = time.perf_counter() - begun, time.process_time() - process
    finally:
        for client in clients:
            client.socket.close()
    return Load(taken, used, sorted(latencies))


def _loop(clients: Sequence[_Client], until: float, latencies: list[float]) -> None:
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send()
        asking = len(clients)
        while asking:
            ready = selector.select(timeout=30)
            if not ready:
                raise ConnectionError("the hub has not answered for 30 seconds")
            for key, _ in ready:
                client = key.data
                if (taken := client.receive()) is None:
                    continue
                latencies.append(taken)
                if time.perf_counter() < until:
                    client.send()
                else:
                    asking -= 1


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError("the answer has no Content-Length")
