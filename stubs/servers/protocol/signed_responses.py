"""Answers that prove who gave them: a detached JWS over the body, as open banking standards ask for."""

from pathlib import Path

from joserfc import jws
from joserfc.jwk import ECKey
from starlette.responses import Response

from stubs.servers.protocol.certificates import write_private

HEADER = "x-jws-signature"

_PROTECTED = {"alg": "ES256", "b64": False, "crit": ["b64"]}


class AnswerSigner:
    """Signs bodies as they are sent (RFC 7797) with a key of this start, which lives in memory only.

    Args:
        folder: of the public key.
        kept: file of the private key of an earlier start, made where there is none; None makes a new key.

    Attributes:
        public_key: the PEM file by which readers verify.
    """

    def __init__(self, folder: Path, kept: Path | None = None) -> None:
        self._key = ECKey.generate_key("P-256")
        if kept and kept.exists():
            self._key = ECKey.import_key(kept.read_bytes())
        elif kept:
            write_private(kept, self._key.as_pem(private=True))
        self.public_key = folder / "jws-public.pem"
        self.public_key.write_bytes(self._key.as_pem(private=False))

    def sign(self, answer: Response) -> Response:
        """Adds the signature of its body to an answer."""
        body = bytes(answer.body)
        registry = jws.JWSRegistry(algorithms=["ES256"])
        # Its middle, the body, is left out: JSON holds signs that no token may.
        answer.headers[HEADER] = jws.serialize_compact(_PROTECTED, body, self._key, registry=registry)
        return answer
