"""Tokens that were verified already: a client sends the same one with every request, for ten minutes."""

from __future__ import annotations

import base64
import time

import orjson

from oncehub.api.auth.token_keys import TokenKeys
from oncehub.api.auth.tokens import Caller, verify_token

_MOST = 4096


class VerifiedTokens:
    """Remembers whom a token was issued to, until it expires.

    Whether that client may still call is asked of the database with every request, as before. While a
    second key is accepted nothing is remembered, so that its tokens end when it does.

    Args:
        keys: the hub's own.
        issuer: the hub's identifier.
    """

    def __init__(self, keys: TokenKeys, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._callers: dict[str, tuple[Caller, float]] = {}

    def caller(self, token: str) -> Caller:
        """Return whom a bearer token was issued to.

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
