"""What the hub and its clients agree on for tokens (RFC 6749 section 4.4, RFC 7523)."""

from __future__ import annotations

from typing import Final

DEFAULT_ISSUER: Final = "urn:oncehub"
"""The hub's identifier unless `ONCEHUB_ISSUER` gives another: suitable for a single machine only."""

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

ASSERTION_SECONDS: Final = 300
"""The longest lifetime of a client assertion."""

TOKEN_SECONDS: Final = 600
"""The lifetime of an access token."""

ID_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - the type, not a token
"""Type of the actor token by which an identity provider proves an officer (RFC 8693 section 3)."""
