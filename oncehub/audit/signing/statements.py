"""What a seal states, signed: the lines of one batch, and through the batch before it all earlier ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any, Final

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from oncehub.audit.signing.keys import SealKey

NO_SEAL: Final = "0" * 64
"""`previous` of the first seal."""

_ALGORITHM: Final = "Ed25519"
_TYPE: Final = "oncehub-seal"


@dataclass(frozen=True)
class Statement:
    """The content of a seal.

    Attributes:
        number: seals are counted from 1 without gaps.
        previous: `head` of the seal before it; `NO_SEAL` in the first.
        root: Merkle root of the lines' hashes, in hexadecimal.
        lines: how many there are.
        horizon: every line of a transaction below it is in this seal or an earlier one.
        sealed_at: as `lines.moment` writes it.
    """

    number: int
    previous: str
    root: str
    lines: int
    horizon: str
    sealed_at: str

    def sign(self, key: SealKey) -> str:
        """Return the statement as a compact JWS."""
        return sign(asdict(self), _TYPE, key)


class NotGenuine(ValueError):
    """A statement is none, or no trusted key has signed it."""


def read_statement(signed: str, trusted: Mapping[str, OKPKey]) -> Statement:
    """Verify a signed statement and return what it says.

    Args:
        signed: the compact JWS.
        trusted: public keys by their thumbprint.

    Raises:
        NotGenuine: when it was not signed by one of them, or says something else than a statement.
    """
    return _statement(read_signed(signed, trusted))


def sign(content: Mapping[str, Any], kind: str, key: SealKey) -> str:
    """Return what is stated as a compact JWS, whose `typ` is its kind."""
    header = {"alg": _ALGORITHM, "kid": key.id, "typ": kind}
    payload = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return jws.serialize_compact(header, payload, key.private, algorithms=[_ALGORITHM])


def read_signed(signed: str, trusted: Mapping[str, OKPKey]) -> Any:
    """Verify a compact JWS and return what it states, whatever that is.

    Raises:
        NotGenuine: when it was not signed by one of the trusted keys, or holds no JSON.
    """
    try:
        key = trusted[str(jws.extract_compact(signed.encode()).headers().get("kid"))]
        return orjson.loads(jws.deserialize_compact(signed, key, algorithms=[_ALGORITHM]).payload)
    except KeyError:
        raise NotGenuine("is signed by a key that is not trusted") from None
    except (JoseError, ValueError):
        raise NotGenuine("does not bear its key's signature") from None


def head(signed: str) -> str:
    """Return what the next seal, and an anchor, hold of a signed statement: SHA-256 in hexadecimal."""
    return sha256(signed.encode()).hexdigest()


def _statement(content: Any) -> Statement:
    kinds = {field.name: int if field.type == "int" else str for field in fields(Statement)}
    if not isinstance(content, dict) or {name: type(value) for name, value in content.items()} != kinds:
        raise NotGenuine("is signed, but no statement of a seal")
    return Statement(**content)
