"""Signed requests: by HMAC over five lines, as many agencies ask for, and by RFC 9421."""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from http_message_signatures import HTTPMessageSignaturesException, HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import (
    ECDSA_P256_SHA256,
    ED25519,
    HMAC_SHA256,
    RSA_PSS_SHA512,
    HTTPSignatureAlgorithm,
)

from oncehub.config.access import Hmac, HttpSignature
from oncehub.connect.http.requester import Authentication
from oncehub.errors import ConfigError

_ALGORITHMS: dict[str, type[HTTPSignatureAlgorithm]] = {
    "hmac-sha256": HMAC_SHA256,
    "ed25519": ED25519,
    "ecdsa-p256-sha256": ECDSA_P256_SHA256,
    "rsa-pss-sha512": RSA_PSS_SHA512,
}


class SignedRequests(Authentication):
    """HMAC-SHA256 over method, path, query, timestamp and the body's SHA-256, one a line; lower-case hex."""

    def __init__(
        self, headers: Hmac, key_id: str, secret: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._headers = headers
        self._key_id = key_id
        self._secret = secret.encode()
        self._clock = clock

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add key id, timestamp and signature; the query counts as it is sent, escapes included."""
        timestamp = str(int(self._clock()))
        url = urlsplit(request.url or "")
        digest = hashlib.sha256(_body(request)).hexdigest()
        text = "\n".join([request.method or "", str(url.path), str(url.query), timestamp, digest])
        request.headers[self._headers.key_id_header] = self._key_id
        request.headers[self._headers.timestamp_header] = timestamp
        request.headers[self._headers.signature_header] = hmac.new(
            self._secret, text.encode(), hashlib.sha256
        ).hexdigest()


class MessageSignatures(Authentication):
    """HTTP message signatures (RFC 9421), a body's digest covered with it (RFC 9530)."""

    def __init__(self, stated: HttpSignature, key_id: str, key: Any, where: str) -> None:
        """Take a key.

        Args:
            stated: algorithm and components.
            key_id: `keyid`.
            key: a key of `cryptography`, or for HMAC the secret's bytes.
            where: names the connector's `auth` in errors.

        Raises:
            ConfigError: when the key is none of the algorithm's.
        """
        algorithm = _ALGORITHMS[stated.algorithm]
        try:
            algorithm(private_key=key)
        except HTTPMessageSignaturesException:
            raise ConfigError(f"{where}: {stated.algorithm} needs another kind of private key") from None
        self._stated = stated
        self._key_id = key_id
        self._where = where
        self._signer = HTTPMessageSigner(
            signature_algorithm=algorithm,
            key_resolver=MappingKeyResolver(public_keys={}, private_keys={key_id: key}),
        )

    def sign(self, request: requests.PreparedRequest) -> None:
        """Add `Signature-Input` and `Signature`, each with a nonce of its own.

        Raises:
            ConfigError: when the request has no such component.
        """
        now = datetime.now(UTC)
        covers_body = bool(request.body) or "content-digest" in self._stated.components
        components = [name for name in self._stated.components if name != "content-digest"]
        try:
            self._signer.sign(
                request,
                key_id=self._key_id,
                created=now,
                expires=now + self._stated.expires if self._stated.expires else None,
                nonce=uuid.uuid4().hex,
                label=self._stated.label,
                covered_component_ids=components,
                body=_body(request) if covers_body else None,
            )
        except HTTPMessageSignaturesException:
            raise ConfigError(
                f"{self._where}: a request lacks one of components; "
                "name headers in lower case that are sent, and @method, @target-uri and the like"
            ) from None


def _body(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    return body if isinstance(body, bytes) else str(body).encode()
