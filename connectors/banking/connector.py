"""The bank's answers are taken only where their signature fits (`plugin: reader`).

Each carries in `x-jws-signature` a detached JWS over its body as sent (RFC 7515 appendix F, RFC 7797). It is
verified with `jws_public_key` in the connection's extra: PEM, or the path of a file of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from oncehub.config.connection import Connection
from oncehub.connect.formats.json import parse_json
from oncehub.errors import ConfigError, ContractBroken


def read(body: bytes, headers: Mapping[str, str], connection: Connection) -> Any:
    """Verify an answer and parse it.

    Raises:
        ContractBroken: when the signature is missing or is not the bank's over this body.
        ConfigError: when the connection names no key.
    """
    signed = _is_signed(body, headers.get("x-jws-signature", ""), _key(connection))
    # Half a body, which no signature fits, is no JSON either, and is asked for again.
    content = parse_json(body)
    if not signed:
        raise ContractBroken("banking: the x-jws-signature of an answer is missing or does not fit its body")
    return content


def _is_signed(body: bytes, signature: str, key: ECKey) -> bool:
    registry = jws.JWSRegistry(algorithms=["ES256"])
    registry.max_payload_length = len(body)
    try:
        verified = jws.deserialize_compact(signature, key, registry=registry, payload=body)
    except (JoseError, ValueError):
        return False
    # A signature that brings a body of its own says nothing of the one that was sent.
    return verified.payload == body


def _key(connection: Connection) -> ECKey:
    given = str(connection.extra.get("jws_public_key"))
    try:
        return ECKey.import_key(
            given if given.lstrip().startswith("-----BEGIN ") else Path(given).read_bytes()
        )
    except (OSError, ValueError, JoseError):
        raise ConfigError(
            "connection of banking: jws_public_key in extra must be the bank's public key as PEM, or the "
            "path of a file of it"
        ) from None
