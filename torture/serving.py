"""The API of a hub, and how it is asked until it answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import psutil
import requests

from demo.processes.loopback import loopback_session
from oncehub.api.client import HubClient
from oncehub.errors import OncehubError, SourceUnavailable, TooManyRequests
from torture.hub import Command, Failure, Hub

SERVE_SECONDS: Final = 60.0
"""How long the API may take until it answers again after a kill."""

_API: Final = Command("api", ("api", "--port", "0", "--workers", "2"))
_TIMEOUT: Final = 10.0
_POLL_SECONDS: Final = 0.02
_ANSWERS: Final = {HTTPStatus.OK, HTTPStatus.NOT_FOUND}
_LATER: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class Request(NamedTuple):
    """A request under an agreement."""

    agreement: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None


class Answer(NamedTuple):
    """An answer; `content` is without the request's id."""

    request: Request
    request_id: str
    status: int
    content: dict[str, Any]


@dataclass
class Api:
    """A running API of a hub; leaving its context ends it.

    Attributes:
        keys: of the clients, by agreement.
        answers: all that were given.
        unanswered: how many requests had no answer.
        failure: the first answer that must not be.
    """

    hub: Hub
    keys: Mapping[str, Path]
    answers: list[Answer] = field(default_factory=list)
    unanswered: int = 0
    failure: Failure | None = None

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._tokens: dict[str, str] = {}
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.hub.ended(self.process, "the API after SIGTERM")

    def start(self) -> None:
        """Start it; again, where it ends because the server below it is only starting.

        Raises:
            Failure: when it does not listen in time.
        """
        self.process, output = self.hub.start(_API)
        deadline = time.monotonic() + SERVE_SECONDS
        while "listening on http" not in (said := output.read_text() if output.exists() else ""):
            if time.monotonic() > deadline:
                self.process.kill()
                raise Failure(f"the API did not start in {SERVE_SECONDS:g} s; see {output.name}")
            if not self.process.is_alive():
                self.process, output = self.hub.start(_API)
            time.sleep(_POLL_SECONDS)
        self.url = said.partition("listening on ")[2].split()[0]

    def workers(self) -> list[int]:
        """Return the ids of the processes that answer."""
        with suppress(psutil.NoSuchProcess):
            return [each.pid for each in psutil.Process(self.process.pid).children()]
        return []

    def await_answer(self) -> None:
        """Wait for the next answer to any client.

        Raises:
            Failure: when there is none in time, or one that must not be.
        """
        before, deadline = len(self.answers), time.monotonic() + SERVE_SECONDS
        while len(self.answers) == before:
            if self.failure:
                raise self.failure
            if time.monotonic() > deadline:
                raise Failure(f"the API did not answer in {SERVE_SECONDS:g} s after a kill")
            time.sleep(_POLL_SECONDS)

    def ask(self, request: Request, session: requests.Session | None = None) -> Answer:
        """Ask until there is an answer, and return it.

        Raises:
            Failure: when there is none in time, or it is an error that is not said to pass.
        """
        session, deadline = session or loopback_session(), time.monotonic() + SERVE_SECONDS
        while time.monotonic() < deadline and not self.failure:
            try:
                response = self._send(request, session)
            except (requests.RequestException, SourceUnavailable, TooManyRequests):
                status = HTTPStatus.SERVICE_UNAVAILABLE.value
            except OncehubError as error:
                self.failure = Failure(f"the API refused a token: {type(error).__name__}")
                break
            else:
                status = response.status_code
                if status in _ANSWERS:
                    return self._answered(request, response)
            if status not in _LATER:
                self.failure = Failure(f"{request.path} was answered {status}")
            with self._lock:
                self.unanswered += 1
            time.sleep(_POLL_SECONDS)
        raise self.failure or Failure(f"{request.path} was not answered in {SERVE_SECONDS:g} s")

    def _send(self, request: Request, session: requests.Session) -> requests.Response:
        token = self._tokens.get(request.agreement)
        if token is None:
            key = self.keys[request.agreement].read_bytes()
            token = HubClient(self.url, request.agreement, key, session, timeout=_TIMEOUT).token()
            self._tokens[request.agreement] = token
        return session.request(
            request.method,
            self.url + request.path,
            json=request.body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
        )

    def _answered(self, request: Request, response: requests.Response) -> Answer:
        content = response.json()
        for name in ("request_id", "instance"):
            content.pop(name, None)
        answer = Answer(request, response.headers["X-Request-Id"], response.status_code, content)
        with self._lock:
            self.answers.append(answer)
        return answer
