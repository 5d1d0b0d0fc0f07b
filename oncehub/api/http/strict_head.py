"""The head of a request must mean the same to everybody: what two readers could take differently is refused.

Proxies, caches and servers that disagree about a duplicate header, an encoded path or a charset let requests
pass that one of them would have refused (RFC 9112 section 11.2, CWE-444, CWE-22).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

_ONCE: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"transfer-encoding",
    }
)

_VALUE: Final = re.compile(rb"[\t\x20-\x7e]*")
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_TARGET: Final = re.compile(rb"(?:[\x21-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class HeadRefused(Exception):
    """The head is ambiguous or not supported; the message repeats nothing of it.

    Attributes:
        status: of the answer.
        headers: of the answer.
    """

    def __init__(self, detail: str, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}


def require_strict_head(scope: Scope) -> None:
    """Check header fields, path and query of a request.

    Raises:
        HeadRefused: with status 400 when they can be read in two ways; 415 or 417 when they ask for a coding,
            a charset or an expectation that the hub does not know.
    """
    once = _headers(scope["headers"])
    _require_framing(once, scope["http_version"])
    _require_content(once)
    _require_path(scope.get("raw_path") or scope["path"].encode())
    _require_query(scope["query_string"])


def _headers(fields: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the values of the headers that may be sent once only."""
    once: dict[bytes, bytes] = {}
    for name, value in fields:
        if not _VALUE.fullmatch(value):
            raise HeadRefused("a header holds other characters than those of US-ASCII that can be printed")
        if name in _ONCE:
            if name in once:
                raise HeadRefused(f"the header {name.decode().title()} is sent twice")
            once[name] = value.strip()
    return once


def _require_framing(once: Mapping[bytes, bytes], version: str) -> None:
    if not _HOST.fullmatch(once.get(b"host", b"" if version == "1.1" else b"none")):
        raise HeadRefused("send one Host: the name or address of the hub, and its port")
    if b"transfer-encoding" in once:
        if b"content-length" in once:
            raise HeadRefused("the body has both Content-Length and Transfer-Encoding")
        if once[b"transfer-encoding"].lower() != b"chunked" or version == "1.0":
            raise HeadRefused("the only Transfer-Encoding is chunked, and HTTP/1.0 has none")
    if once.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise HeadRefused("the only expectation that is met is 100-continue", 417)


def _require_content(once: Mapping[bytes, bytes]) -> None:
    if once.get(b"content-encoding", b"identity").lower() != b"identity":
        headers = {"Accept-Encoding": "identity"}
        raise HeadRefused("send the body as it is, without Content-Encoding", 415, headers)
    for parameter in once.get(b"content-type", b"").split(b";")[1:]:
        name, _, value = parameter.partition(b"=")
        if name.strip().lower() == b"charset" and value.strip().strip(b'"').lower() != b"utf-8":
            raise HeadRefused("send the body in UTF-8, the only charset that is read", 415)


def _require_path(raw: bytes) -> None:
    path = _decoded(raw, "path")
    # A percent sign that is left was encoded twice; a slash that was encoded separates nothing, or all.
    if "%" in path or "\\" in path or path.count("/") != raw.count(b"/"):
        raise HeadRefused("the path holds an encoded slash, a backslash, or is encoded twice")
    if {".", ".."} & {*path.split("/")}:
        raise HeadRefused("the path holds . or .. in place of a name")


def _require_query(raw: bytes) -> None:
    names = []
    for piece in filter(None, raw.replace(b"+", b"%20").split(b"&")):
        name, _, value = piece.partition(b"=")
        names.append(_decoded(name, "query"))
        _decoded(value, "query")
    if len(set(names)) < len(names):
        raise HeadRefused("a parameter of the query is sent twice")


def _decoded(raw: bytes, part: str) -> str:
    """Return a part of the request's target without its percent encoding."""
    if not _TARGET.fullmatch(raw):
        raise HeadRefused(f"the {part} is not percent-encoded")
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise HeadRefused(f"the {part} is not UTF-8") from None
    if _CONTROL.search(text):
        raise HeadRefused(f"the {part} holds control characters")
    return text
