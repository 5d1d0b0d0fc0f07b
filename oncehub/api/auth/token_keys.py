"""The hub's keys for tokens: one signs, and another's tokens are accepted while a change goes on."""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from oncehub.encryption.secrets import given_key, symmetric_key
from oncehub.store.connection import Connection

OVERLAP_SECONDS = 3600
"""How long a key is accepted after another began to sign: processes restart one by one, tokens live on."""

_SIGNS = """
insert into share.token_key (fingerprint)
select %(own)s
where %(own)s is distinct from (select fingerprint from share.token_key order by change_id desc limit 1)
"""

# Null for a key that has not signed yet, as the next one before a change, and for the one that signs now.
_FOLLOWED = """
select extract(epoch from clock_timestamp() - min(signs_since))::float8
from share.token_key
where change_id > (select max(change_id) from share.token_key where fingerprint = %s)
"""


@dataclass(frozen=True)
class TokenKeys:
    """The key that signs, and at most one other that is accepted.

    Attributes:
        signing: 32 bytes.
        other: 32 bytes; None where there is none.
        other_until: by `clock`, when the other key's tokens are refused.
    """

    signing: bytes = field(repr=False)
    other: bytes | None = field(default=None, repr=False)
    other_until: float = 0.0
    clock: Callable[[], float] = time.monotonic

    def accepted(self) -> Iterator[bytes]:
        """Give the keys whose tokens are accepted now, the one that signs first."""
        yield self.signing
        if self.other is not None and self.clock() < self.other_until:
            yield self.other


def load_token_keys(home: Path, connection: Connection) -> TokenKeys:
    """Read the keys, and note that the first signs from now on, if it did not before.

    `ONCEHUB_KEY_TOKEN` signs. `ONCEHUB_KEY_TOKEN_OTHER` is the next one before a change, the one before
    after it: that one's tokens are accepted for `OVERLAP_SECONDS` from when another began to sign, however
    long the setting stays. Without settings the files `token.key` and `token_other.key` below `home/keys`.

    Args:
        home: the hub's.
        connection: one that may write `share.token_key`.

    Raises:
        ConfigError: when a key is not 32 bytes of base64.
    """
    signing, other = symmetric_key("token", home), given_key("token_other", home)
    with connection, connection.cursor() as cursor:
        cursor.execute(_SIGNS, {"own": _fingerprint(signing)})
        cursor.execute(_FOLLOWED, (_fingerprint(other or signing),))
        (followed,) = cursor.fetchone() or (None,)
    left = math.inf if followed is None else OVERLAP_SECONDS - followed
    return TokenKeys(signing, other, time.monotonic() + left)


def _fingerprint(key: bytes) -> str:
    return hmac.new(key, b"oncehub token key", hashlib.sha256).hexdigest()
