"""Computes the nonce that binds an identity provider's evidence to one request."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import rfc8785

from oncehub.errors import EvidenceRefused

USE: Final = "oncehub evidence 1"
"""Separates what is hashed here from anything else that is hashed elsewhere."""


@dataclass(frozen=True)
class Asked:
    """A request that evidence is for.

    Attributes:
        hub: identifier of the hub (`ONCEHUB_ISSUER`).
        client: id of the client that sends it.
        agreement: name of the client's agreement.
        request: method and path, `POST /v1/usage/find`.
        body: the body's object, without its member `evidence`.
    """

    hub: str
    client: str
    agreement: str
    request: str
    body: Mapping[str, Any]

    def nonce(self) -> str:
        """Return the nonce: SHA-256, in base64url, of the canonical JSON (RFC 8785) of the request.

        Raises:
            EvidenceRefused: when the body holds a number that JSON does not carry exactly.
        """
        statement: dict[str, Any] = {
            "use": USE,
            "hub": self.hub,
            "client": self.client,
            "agreement": self.agreement,
            "request": self.request,
            "body": {name: value for name, value in self.body.items() if name != "evidence"},
        }
        try:
            canonical = rfc8785.dumps(statement)
        except rfc8785.CanonicalizationError:
            raise EvidenceRefused(
                "nonce", "the body holds a number beyond 2^53, which has no canonical form; send it as text"
            ) from None
        return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).decode("ascii").rstrip("=")


def officer_sign_in(hub: str, client: str, agreement: str, jti: str) -> Asked:
    """Return what an officer's evidence is for: the token asked for by the assertion with that `jti`."""
    return Asked(hub, client, agreement, "POST /v1/token", {"jti": jti})
