"""An answer of a source, taken in within bounds of time and size."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import requests

from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken, TransientError

_CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class Response:
    """A whole answer; `body` is freed of its content encoding."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def taken(response: requests.Response, what: str, *, most: int, seconds: float) -> Response:
    """Take a whole answer into memory.

    Raises:
        TryAgain: when it is not complete in `seconds`.
        ContractBroken: when it holds more than `most` bytes (`limits.page_bytes`).
    """
    deadline = time.monotonic() + seconds
    body = bytearray()
    for chunk in _chunks(response, what):
        body += chunk
        if len(body) > most:
            raise ContractBroken(f"{what}: the answer is larger than limits.page_bytes ({most})")
        if time.monotonic() > deadline:
            raise TryAgain("no complete answer in time")
    return Response(response.status_code, response.headers, bytes(body))


def copied(response: requests.Response, what: str, into: BinaryIO, *, most: int) -> str:
    """Copy an answer's body into an empty file and return its SHA-256 in lower-case hex.

    It may take as long as it keeps coming (see `deadline_adapter`).

    Raises:
        ContractBroken: when it holds more than `most` bytes (`limits.file_bytes`).
        TransientError: when the file cannot be written.
    """
    digest = hashlib.sha256()
    size = 0
    for chunk in _chunks(response, what):
        size += len(chunk)
        if size > most:
            raise ContractBroken(f"{what}: the file is larger than limits.file_bytes ({most})")
        digest.update(chunk)
        _write(into, chunk, what)
    return digest.hexdigest()


def _chunks(response: requests.Response, what: str) -> Iterator[bytes]:
    """Give the body as it arrives, unpacked, in bounded pieces however well it was packed."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise ContractBroken(f"{what}: came in a Content-Encoding that was not offered; only gzip is")
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        yield chunk


def _write(into: BinaryIO, chunk: bytes, what: str) -> None:
    try:
        into.write(chunk)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise TransientError(f"{what}: cannot be kept in the temporary folder: {reason}") from None
