"""A cache of verified tokens: a client sends the same token with every request for ten minutes."""

from __future__ import annotations

import base64
import time

import orjson

from oncehub.api.auth.token_keys import TokenKeys
from oncehub.api.auth.tokens import Caller, verify_token

_MOST = 4096


class VerifiedTokens:
    """Caches the caller of a token until it expires.

    The database still checks with every request whether the client is admitted. While a second key is
    accepted nothing is cached, so that its tokens end with the key.

    Args:
        keys: the hub's own.
        issuer: the hub's identifier.
    """

    def __init__(self, keys: TokenKeys, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._callers: dict[str, tuple[Caller, float]] = {}

    def caller(self, token: str) -> Caller:
        """Return the caller of a bearer token.

        Raises:
            NotAuthenticated: when the hub did not issue it, or it has expired.
        """
        known = self._callers.get(token)
        if known is not None and time.time() < known[1]:
            return known[0]
        caller = verify_token(self._keys, token, self._issuer)
        if len([*self._keys.accepted()]) == 1:
            if len(self._callers) >= _MOST:
                self._callers.clear()
            self._callers[token] = caller, _expiry(token)
        return caller


def _expiry(token: str) -> float:
    """Read when a verified token expires."""
    payload = token.split(".")[1]
    return float(orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
