"""WS-Security UsernameToken (OASIS, profile 1.1) with a password digest, in the header of a SOAP envelope."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

import requests

from oncehub.connect.http.requester import Authentication
from oncehub.errors import ConfigError

_OASIS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_HEADER = re.compile(rb"<([\w.-]+:)?Header\s*(?:/>|[^<>]*>)")
_ENVELOPE = re.compile(rb"<([\w.-]+:)?Envelope\b[^<>]*>")


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """Return Base64(SHA-1(nonce + created + password)), as the profile requires."""
    content = nonce + created.encode() + password.encode()
    return base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()


@dataclass(frozen=True)
class UsernameTokens(Authentication):
    """Puts a token with a nonce of its own into each envelope; the password is never sent."""

    login: str
    password: str = field(repr=False)
    source: str = ""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add the token.

        Raises:
            ConfigError: when the body is no SOAP envelope.
        """
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        if found := _HEADER.search(body):
            prefix, end = found[1] or b"", found.end()
            opened = (
                body[: found.start()] + b"<" + prefix + b"Header>" if found[0].endswith(b"/>") else body[:end]
            )
            closed = b"</" + prefix + b"Header>" if found[0].endswith(b"/>") else b""
        elif found := _ENVELOPE.search(body):
            prefix, end = found[1] or b"", found.end()
            opened, closed = body[:end] + b"<" + prefix + b"Header>", b"</" + prefix + b"Header>"
        else:
            raise ConfigError(
                f"{self.source}: auth of kind username_token needs a SOAP envelope in read.body"
            )
        request.body = opened + self._token().encode() + closed + body[end:]
        request.prepare_content_length(request.body)

    def _token(self) -> str:
        nonce = secrets.token_urlsafe(18).encode()
        created = self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            f'<wsse:Security xmlns:wsse="{_OASIS}wssecurity-secext-1.0.xsd"'
            f' xmlns:wsu="{_OASIS}wssecurity-utility-1.0.xsd"><wsse:UsernameToken>'
            f"<wsse:Username>{escape(self.login)}</wsse:Username>"
            f'<wsse:Password Type="{_OASIS}username-token-profile-1.0#PasswordDigest">'
            f"{password_digest(nonce, created, self.password)}</wsse:Password>"
            f'<wsse:Nonce EncodingType="{_OASIS}soap-message-security-1.0#Base64Binary">'
            f"{base64.b64encode(nonce).decode()}</wsse:Nonce>"
            f"<wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
        )
