"""Credentials that stay the same: a key in a header, a query or a cookie."""

from __future__ import annotations

import base64
from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

import requests


class Fixed:
    """Base of what signs without fetching anything and has nothing fresher to try."""

    def prepare(self) -> None:
        """There is nothing to fetch."""

    def renew(self, refused: requests.PreparedRequest) -> bool:  # noqa: ARG002
        """A second try would say the same."""
        return False


class KeyInHeader(Fixed):
    """A fixed value of a header."""

    def __init__(self, header: str, value: str) -> None:
        self._header = header
        self._value = value

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the header."""
        request.headers[self._header] = self._value


class KeyInQuery(Fixed):
    """A key as a query parameter, added last and only to what is sent: no address kept or told holds it."""

    def __init__(self, parameter: str, key: str) -> None:
        self._parameter = parameter
        self._key = key

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the parameter in place of any of that name."""
        parts = urlsplit(without_parameter(request.url or "", self._parameter))
        pair = f"{quote(self._parameter, safe='')}={quote(self._key, safe='')}"
        request.url = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, pair)))))


class KeyInCookie(Fixed):
    """A key as a cookie, beside those that the source has set."""

    def __init__(self, name: str, key: str) -> None:
        self._name = name
        self._key = key

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the cookie in place of any of that name."""
        others = [
            cookie
            for cookie in (request.headers.get("Cookie") or "").split("; ")
            if cookie and cookie.partition("=")[0] != self._name
        ]
        request.headers["Cookie"] = "; ".join([*others, f"{self._name}={self._key}"])


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
