"""The signed statement of a checkpoint: the lines of one batch, chained to the checkpoint before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any, Final

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from oncehub.audit.signing.keys import SigningKey

NO_CHECKPOINT: Final = "0" * 64
"""`previous` of the first checkpoint."""

_ALGORITHM: Final = "Ed25519"
_TYPE: Final = "oncehub-checkpoint"


@dataclass(frozen=True)
class Statement:
    """The content of a checkpoint.

    Attributes:
        number: checkpoints are counted from 1 without gaps.
        previous: `head` of the checkpoint before it; `NO_CHECKPOINT` in the first.
        root: Merkle root of the lines' hashes, in hexadecimal.
        lines: how many there are.
        horizon: every line of a transaction below it is in this checkpoint or an earlier one.
        signed_at: as `lines.moment` writes it.
    """

    number: int
    previous: str
    root: str
    lines: int
    horizon: str
    signed_at: str

    def sign(self, key: SigningKey) -> str:
        """Return the statement as a compact JWS."""
        return sign(asdict(self), _TYPE, key)


class NotGenuine(ValueError):
    """A text is no signed statement, or no trusted key has signed it."""


def read_statement(signed: str, trusted: Mapping[str, OKPKey]) -> Statement:
    """Verify a signed statement and return what it says.

    Args:
        signed: the compact JWS.
        trusted: public keys by their thumbprint.

    Raises:
        NotGenuine: when none of them signed it, or it holds no statement.
    """
    return _statement(read_signed(signed, trusted))


def sign(content: Mapping[str, Any], kind: str, key: SigningKey) -> str:
    """Return the content as a compact JWS with `kind` as its `typ`."""
    header = {"alg": _ALGORITHM, "kid": key.id, "typ": kind}
    payload = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return jws.serialize_compact(header, payload, key.private, algorithms=[_ALGORITHM])


def read_signed(signed: str, trusted: Mapping[str, OKPKey]) -> Any:
    """Verify a compact JWS and return its content.

    Raises:
        NotGenuine: when no trusted key signed it, or it holds no JSON.
    """
    try:
        key = trusted[str(jws.extract_compact(signed.encode()).headers().get("kid"))]
        return orjson.loads(jws.deserialize_compact(signed, key, algorithms=[_ALGORITHM]).payload)
    except KeyError:
        raise NotGenuine("is signed by a key that is not trusted") from None
    except (JoseError, ValueError):
        raise NotGenuine("does not bear its key's signature") from None


def head(signed: str) -> str:
    """Return SHA-256, in hexadecimal, of a signed statement; the next checkpoint and an anchor hold it."""
    return sha256(signed.encode()).hexdigest()


def _statement(content: Any) -> Statement:
    kinds = {field.name: int if field.type == "int" else str for field in fields(Statement)}
    if not isinstance(content, dict) or {name: type(value) for name, value in content.items()} != kinds:
        raise NotGenuine("is signed, but no statement of a checkpoint")
    return Statement(**content)
