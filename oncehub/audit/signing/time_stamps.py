"""Time-stamps of an authority on checkpoints (RFC 3161): when, at the latest, the log had come so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import requests
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from oncehub.errors import ConfigError
from oncehub.files import MOST_KEY_BYTES, read_bounded

MOST_ANSWER_BYTES: Final = 64_000
_QUERY: Final = "application/timestamp-query"
_SECONDS: Final = 10


class NotStamped(Exception):
    """An authority gave no time-stamp, or what is there is none; the message says why."""


@dataclass(frozen=True)
class Authority:
    """A time-stamping authority.

    Attributes:
        url: that is asked; None where its time-stamps are only verified.
        roots: the certificates that it is trusted by.
    """

    url: str | None
    roots: tuple[x509.Certificate, ...]


def authority(url: str | None, roots: Path) -> Authority:
    """Return the authority whose trusted certificates are in a PEM file.

    Raises:
        ConfigError: when the file cannot be read, or holds no certificate.
    """
    try:
        certificates = x509.load_pem_x509_certificates(read_bounded(roots, 16 * MOST_KEY_BYTES))
    except ValueError:
        raise ConfigError(f"{roots}: holds no certificates in PEM form") from None
    return Authority(url, tuple(certificates))


def stamp(by: Authority, content: bytes) -> bytes:
    """Return the authority's answer for the content, which has been verified.

    Raises:
        NotStamped: when it does not answer, or with another thing.
    """
    request = TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA256).build()
    try:
        with requests.post(
            str(by.url),
            data=request.as_bytes(),
            headers={"Content-Type": _QUERY},
            timeout=_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as answer:
            answer.raise_for_status()
            given = answer.raw.read(MOST_ANSWER_BYTES, decode_content=True)
    except (requests.RequestException, OSError) as error:
        raise NotStamped(f"it does not answer ({type(error).__name__})") from None
    stamped_at(by, content, given, request.nonce)
    return bytes(given)


def stamped_at(by: Authority, content: bytes, answer: bytes, nonce: int | None = None) -> datetime:
    """Verify an answer and return its moment.

    Args:
        by: the authority, whose certificates are trusted.
        content: that was stamped.
        answer: of the authority.
        nonce: of the request; None where it is not known any more.

    Raises:
        NotStamped: when the answer is no time-stamp of the content by the authority.
    """
    try:
        response = decode_timestamp_response(answer)
        VerifierBuilder(roots=list(by.roots), nonce=nonce).build().verify_message(response, content)
    except (ValueError, VerificationError) as error:
        raise NotStamped(f"its answer is no time-stamp of the checkpoint: {error}") from None
    return response.tst_info.gen_time
