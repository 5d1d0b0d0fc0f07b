"""A response of a source, read within bounds of time and size; not the `Response` of `requests` itself."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import requests

from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken, TransientError

_CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class Response:
    """A whole response; `body` has its content encoding undone."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def taken(response: requests.Response, what: str, *, most: int, seconds: float) -> Response:
    """Read a whole response into memory.

    Raises:
        TryAgain: when it is not complete in `seconds`.
        ContractBroken: when it holds more than `most` bytes (`limits.page_bytes`).
    """
    deadline = time.monotonic() + seconds
    body = bytearray()
    for chunk in chunks_of(response, what):
        body += chunk
        if len(body) > most:
            raise ContractBroken(f"{what}: the response is larger than limits.page_bytes ({most})")
        if time.monotonic() > deadline:
            raise TryAgain("no complete response in time")
    return Response(response.status_code, response.headers, bytes(body))


def copied(chunks: Iterable[bytes], what: str, into: BinaryIO, *, most: int) -> str:
    """Copy a file that arrives in pieces into an empty one, and return its SHA-256 in lower-case hex.

    Raises:
        ContractBroken: when it holds more than `most` bytes (`limits.file_bytes`).
        TransientError: when the copy cannot be written.
    """
    digest = hashlib.sha256()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise ContractBroken(f"{what}: is larger than limits.file_bytes ({most})")
        digest.update(chunk)
        try:
            into.write(chunk)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise TransientError(f"{what}: cannot be kept in the temporary folder: {reason}") from None
    return digest.hexdigest()


def chunks_of(response: requests.Response, what: str) -> Iterator[bytes]:
    """Yield the body as it arrives, unpacked, in pieces of bounded size however well it was packed.

    It may take as long as it keeps coming (see `deadline_adapter`).
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise ContractBroken(f"{what}: came in a Content-Encoding that was not offered; only gzip is")
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        yield chunk
