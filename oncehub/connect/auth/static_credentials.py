"""Credentials that are the same for every request: a key in a header, a query or a cookie."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

import requests

from oncehub.connect.http.requester import Authentication


@dataclass(frozen=True)
class KeyInHeader(Authentication):
    """A fixed value of a header."""

    header: str
    value: str = field(repr=False)

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the header."""
        request.headers[self.header] = self.value


@dataclass(frozen=True)
class KeyInQuery(Authentication):
    """A key as a query parameter, added last and only to what is sent: no stored or logged address has it."""

    parameter: str
    key: str = field(repr=False)

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the parameter in place of any of that name."""
        parts = urlsplit(without_parameter(request.url or "", self.parameter))
        pair = f"{quote(self.parameter, safe='')}={quote(self.key, safe='')}"
        request.url = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, pair)))))


@dataclass(frozen=True)
class KeyInCookie(Authentication):
    """A key as a cookie, beside those that the source has set."""

    name: str
    key: str = field(repr=False)

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the cookie in place of any of that name."""
        others = [
            cookie
            for cookie in (request.headers.get("Cookie") or "").split("; ")
            if cookie and cookie.partition("=")[0] != self.name
        ]
        request.headers["Cookie"] = "; ".join([*others, f"{self.name}={self.key}"])


def basic(login: str, password: str) -> KeyInHeader:
    """Return HTTP Basic in UTF-8 (RFC 7617)."""
    pair = base64.b64encode(f"{login}:{password}".encode()).decode()
    return KeyInHeader("Authorization", f"Basic {pair}")


def bearer(token: str) -> KeyInHeader:
    """Return a fixed bearer token (RFC 6750)."""
    return KeyInHeader("Authorization", f"Bearer {token}")


def without_parameter(url: str, parameter: str) -> str:
    """Return `url` without a query parameter, the others as they were written."""
    parts = urlsplit(url)
    kept = [
        pair for pair in parts.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) != parameter
    ]
    return urlunsplit(parts._replace(query="&".join(kept)))
