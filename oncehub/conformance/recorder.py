"""Transport adapters that record what a source answers, replay it, and count requests."""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from oncehub.errors import RequestRefused

_TRANSPORT_HEADERS = {"content-encoding", "content-length", "transfer-encoding", "connection", "set-cookie"}
_CREDENTIAL_HEADERS = ("Authorization", "Cookie")


class Unmatched(RequestRefused):
    """A recording holds no answer to a request."""


@dataclass(frozen=True)
class RequestKey:
    """What two requests for the same thing have in common.

    The body of a request for a token does not count, nor credentials in that of another: they are never the
    same.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: str = ""

    @classmethod
    def of(cls, request: requests.PreparedRequest, without: str | None = None) -> RequestKey:
        """Read it off a request; `without` is a query parameter that is a credential."""
        parts = urlsplit(request.url or "")
        query = parse_qsl(parts.query, keep_blank_values=True)
        return cls(
            request.method or "",
            parts.path,
            tuple(sorted((name, value) for name, value in query if name != without)),
            "" if asks_for_token(request) else _digest(request.body),
        )

    def described(self) -> str:
        """Name it without its values."""
        names = "&".join(name for name, _ in self.query)
        return f"{self.method} {self.path}" + (f" ?{names}" if names else "")


def asks_for_token(request: requests.PreparedRequest) -> bool:
    """Return whether a request is for a token, which is a form, not for a page."""
    return request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")


def _digest(body: bytes | str | None) -> str:
    if not body:
        return ""
    content = body.encode() if isinstance(body, str) else body
    return hashlib.sha256(
        re.sub(rb"<wsse:Security\b.*?</wsse:Security>", b"", content, flags=re.DOTALL)
    ).hexdigest()


@dataclass(frozen=True)
class RecordedResponse:
    """A response without its content encoding."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def played(self, request: requests.PreparedRequest) -> requests.Response:
        """Return it as an adapter does."""
        return response_of(request, self.status, self.headers, io.BytesIO(self.body))


def response_of(
    request: requests.PreparedRequest, status: int, headers: Mapping[str, str], body: Any
) -> requests.Response:
    """Return a response whose body is still to be read from a file."""
    raw = urllib3.HTTPResponse(body=body, headers=dict(headers), status=status, preload_content=False)
    return HTTPAdapter().build_response(request, raw)


class Interactions:
    """Recorded responses by request; of a repeated request, the last good one.

    Attributes:
        answers: whole answers of status 200.
        full: whether answers were left out because there were too many bytes.
    """

    def __init__(self, without: str | None = None, *, most: int = 256 * 1024 * 1024) -> None:
        """Begin with none.

        Args:
            without: query parameter that is a credential.
            most: bytes that it holds.
        """
        self.answers: dict[RequestKey, RecordedResponse] = {}
        self.full = False
        self._without = without
        self._left = most
        self._lock = Lock()

    def copied(self) -> Interactions | None:
        """A copy of what was recorded so far; None when it is incomplete."""
        if self.full:
            return None
        interactions = Interactions(self._without)
        interactions.answers = dict(self.answers)
        return interactions

    def asked(self, request: requests.PreparedRequest) -> RequestKey:
        """The key of a request."""
        return RequestKey.of(request, self._without)

    def keep(self, asked: RequestKey, answer: RecordedResponse) -> None:
        """Add a response."""
        with self._lock:
            before = self.answers.get(asked)
            self._left -= len(answer.body) - (len(before.body) if before else 0)
            if self._left < 0:
                self.full = True
            else:
                self.answers[asked] = answer


class Adapter(BaseAdapter):
    """An adapter around another."""

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self.inner = inner

    def close(self) -> None:
        """Close the inner one."""
        self.inner.close()


class RecordingAdapter(Adapter):
    """Records every good response as the reader reads it."""

    def __init__(self, inner: BaseAdapter, interactions: Interactions) -> None:
        super().__init__(inner)
        self._interactions = interactions

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        """Pass on."""
        response = self.inner.send(request, **how)
        if response.status_code == 200:
            headers = {
                name: value
                for name, value in response.headers.items()
                if name.lower() not in _TRANSPORT_HEADERS
            }
            asked = self._interactions.asked(request)
            response.raw = _Watched(
                response.raw,
                at_end=lambda body: self._interactions.keep(asked, RecordedResponse(200, headers, body)),
            )
        return response


class ReplayingAdapter(BaseAdapter):
    """Answers from recorded interactions, and refuses any other request."""

    def __init__(self, interactions: Interactions) -> None:
        super().__init__()
        self._interactions = interactions

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        """Answer.

        Raises:
            Unmatched: when no such request was recorded.
        """
        asked = self._interactions.asked(request)
        answer = self._interactions.answers.get(asked)
        if answer is None:
            raise Unmatched(f"unmatched request: {asked.described()}; record the source again")
        return answer.played(request)

    def close(self) -> None:
        """Nothing is open."""


class MeteredAdapter(Adapter):
    """Counts requests, and notes their credentials."""

    def __init__(self, inner: BaseAdapter, meter: Meter) -> None:
        super().__init__(inner)
        self._meter = meter

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        """Pass on."""
        self._meter.begin(request)
        try:
            response = self.inner.send(request, **how)
        except BaseException:
            self._meter.end()
            raise
        response.raw = _Watched(response.raw, at_close=self._meter.end)
        return response


class Meter:
    """How a source was asked.

    Attributes:
        begun: when each request began, seconds of a steady clock.
        most_at_once: requests that were under way at a time.
        credentials: header values that proved who asked.
    """

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.most_at_once = 0
        self.credentials: set[str] = set()
        self._under_way = 0
        self._lock = Lock()

    def begin(self, request: requests.PreparedRequest) -> None:
        """A request goes out."""
        with self._lock:
            self.begun.append(time.monotonic())
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            sent = (request.headers.get(name) for name in _CREDENTIAL_HEADERS)
            self.credentials.update(str(value) for value in sent if value)

    def secrets(self) -> set[str]:
        """The credentials without their scheme, such as `Bearer`."""
        return {value.rpartition(" ")[2] for value in self.credentials}

    def end(self) -> None:
        """Its answer was read."""
        with self._lock:
            self._under_way -= 1


class _Watched:
    """A body that calls back when it has been read to its end, and when it is closed."""

    def __init__(
        self,
        raw: Any,
        *,
        at_end: Callable[[bytes], None] | None = None,
        at_close: Callable[[], None] | None = None,
    ) -> None:
        self._raw = raw
        self._at_end = at_end
        self._at_close = at_close
        self._read = bytearray()

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """Read on."""
        chunk: bytes = self._raw.read1(amt, decode_content=decode_content)
        if self._at_end:
            self._read += chunk
            if not chunk:
                self._at_end(bytes(self._read))
                self._at_end = None
        return chunk

    def close(self) -> None:
        """Close the body."""
        self._raw.close()
        if self._at_close:
            self._at_close()
            self._at_close = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
