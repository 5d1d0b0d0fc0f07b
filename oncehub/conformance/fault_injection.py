"""Faults that the suite injects into the responses of a source."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Lock
from typing import Any, Final

import requests
from requests.adapters import BaseAdapter

from oncehub.config.reading import Csv, Json, JsonLines, Parquet, Read, Xlsx, Xml
from oncehub.conformance.recorder import Adapter, RequestKey, asks_for_token, response_of

Answering = Callable[[requests.PreparedRequest], requests.Response]
Spoil = Callable[[requests.PreparedRequest, Answering], requests.Response]
"""Returns a faulty response to a request; may get the right one first."""

SpoilRead = Callable[[Read], Spoil]
"""Chooses how to spoil the answers of a stream in this form."""

_SHORT_WAIT = 1
# A workbook is a zip, which may have anything behind it.
_BROKEN_SYNTAX = {Json: "}]", JsonLines: '{"": \n', Csv: '"', Xlsx: "", Parquet: "}]", Xml: "<"}
_HTML = b"<!DOCTYPE html><html><body><h1>maintenance</h1></body></html>"


@dataclass(frozen=True)
class InjectedFault:
    """A fault that a reader must survive.

    Attributes:
        name: of its case.
        description: the fault in words.
        spoils: injects it into responses of a form.
    """

    name: str
    description: str
    spoils: SpoilRead


class FaultyAdapter(Adapter):
    """Spoils the first, third, fifth ... request, each the first time it is made; a second try succeeds.

    Attributes:
        met: number of spoiled requests.
    """

    def __init__(self, inner: BaseAdapter, spoil: Spoil) -> None:
        super().__init__(inner)
        self.met = 0
        self._spoil = spoil
        self._seen: set[RequestKey] = set()
        self._lock = Lock()

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        """Pass a request on, or spoil its response."""

        def rightly(request: requests.PreparedRequest) -> requests.Response:
            return self.inner.send(request, **how)

        if asks_for_token(request) or not self._is_due(RequestKey.of(request)):
            return rightly(request)
        return self._spoil(request, rightly)

    def _is_due(self, asked: RequestKey) -> bool:
        with self._lock:
            if asked in self._seen:
                return False
            self._seen.add(asked)
            due = len(self._seen) % 2 == 1
            self.met += due
            return due


def asking_to_wait(seconds: float) -> Spoil:
    """Answer 429 with a Retry-After in seconds."""
    return _refusing(429, lambda: str(int(seconds)))


def _soon() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=_SHORT_WAIT), usegmt=True)


def _refusing(status: int, retry_after: Callable[[], str] | None = None) -> Spoil:
    def spoil(request: requests.PreparedRequest, rightly: Answering) -> requests.Response:  # noqa: ARG001
        headers = {"Retry-After": retry_after()} if retry_after else {}
        return response_of(request, status, headers, io.BytesIO(b""))

    return spoil


def _raising(error: type[Exception]) -> Spoil:
    def spoil(request: requests.PreparedRequest, rightly: Answering) -> requests.Response:  # noqa: ARG001
        raise error

    return spoil


def _changed(change: Callable[[bytes], Any]) -> Spoil:
    """Answer with another body under the same status and headers."""

    def spoil(request: requests.PreparedRequest, rightly: Answering) -> requests.Response:
        answer = rightly(request)
        body = answer.raw.read(decode_content=True)
        return response_of(request, answer.status_code, answer.headers, change(body))

    return spoil


class _CutBody(io.RawIOBase):
    """Half a body, then a broken connection."""

    def __init__(self, body: bytes) -> None:
        self._half = io.BytesIO(body[: len(body) // 2])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._half.readinto(buffer)
        if not count:
            raise ConnectionResetError
        return count


_cut = _changed(lambda body: io.BufferedReader(_CutBody(body)))
# The cut lies within a line: after a whole line, the loss of the next one could not be detected.
_truncated = _changed(lambda body: io.BytesIO(body[: len(body) // 2].rstrip()[:-1]))
_html = _changed(lambda _: io.BytesIO(_HTML))


def _broken(read: Read) -> Spoil:
    junk = _BROKEN_SYNTAX[type(read)]
    encoding = read.encoding if isinstance(read, Csv) else "utf-8"
    added = junk.encode(encoding).removeprefix(b"\xff\xfe")

    def change(body: bytes) -> io.BytesIO:
        if read.compression == "gzip" and body.startswith(b"\x1f\x8b"):
            return io.BytesIO(gzip.compress(gzip.decompress(body) + added))
        return io.BytesIO(body + added)

    return _changed(change)


def _always(spoil: Spoil) -> SpoilRead:
    return lambda _: spoil


INJECTED_FAULTS: Final = (
    InjectedFault(
        "throttled", "429 with Retry-After in seconds", _always(_refusing(429, lambda: str(_SHORT_WAIT)))
    ),
    InjectedFault("throttled_date", "429 with Retry-After as a date", _always(_refusing(429, _soon))),
    InjectedFault("server_errors", "an answer of 503", _always(_refusing(503))),
    InjectedFault(
        "timeouts", "an answer that does not come in time", _always(_raising(requests.ReadTimeout))
    ),
    InjectedFault("cut_connections", "a connection that breaks in the middle of an answer", _always(_cut)),
    InjectedFault(
        "truncated", "an answer that ends in its middle as if that were its end", _always(_truncated)
    ),
    InjectedFault("malformed", "an answer broken in its own syntax", _broken),
    InjectedFault("maintenance_page", "a page of HTML with status 200", _always(_html)),
)
