"""How to reach a source and with which credentials: never in YAML, only in connections."""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import orjson

from oncehub.errors import ConfigError


@dataclass(frozen=True)
class Connection:
    """Address and credentials of one source, in the shape of an Airflow connection.

    Attributes:
        host: base URL, e.g. `https://api.example`.
        login: client id, key id or user name.
        password: client secret, signing secret or API key. Never shown.
        extra: further settings, e.g. `client_certificate`, `client_key`, `ca` (paths).
    """

    host: str
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def credentials(self) -> tuple[str, ...]:
        """Login and password, and the forms in which requests carry them: no text may show any."""
        given = [str(each) for each in (self.login, self.password) if each]
        pair = base64.b64encode(":".join(given).encode()).decode()
        return (*given, *map(quote, given), *map(quote_plus, given), *([pair] if len(given) > 1 else []))


_KEYS = {"host", "login", "password", "extra"}
_IGNORED = {"conn_type", "description"}
"""Keys of an Airflow connection that have no meaning here."""

ConnectionLookup = Callable[[str], Connection]
"""Finds the connection of a source by its name; DAGs look in Airflow, the command line in the environment."""


def connection_from_environment(source: str) -> Connection:
    """Read `ONCEHUB_CONN_<SOURCE>`: a JSON object with host, login, password, extra.

    Raises:
        ConfigError: when the variable is absent or no JSON; see `connection_from_document`.
    """
    variable = f"ONCEHUB_CONN_{source.upper()}"
    text = os.environ.get(variable)
    if not text:
        raise ConfigError(
            f'{variable} is not set; give {{"host": ..., "login": ..., "password": ..., "extra": {{}}}}'
        )
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        # The cause would quote the secret.
        raise ConfigError(f"{variable} is not valid JSON") from None
    return connection_from_document(document, variable)


def connection_from_document(document: object, where: str) -> Connection:
    """Build a connection from an Airflow-style JSON object; `where` names it in errors.

    Raises:
        ConfigError: when it is no object, lacks a host, or has a key that would be ignored.
    """
    if not isinstance(document, dict) or not document.get("host"):
        raise ConfigError(f'{where} must be a JSON object with at least "host"')
    if any(value for name, value in document.items() if name not in _KEYS | _IGNORED):
        # The error shows neither value nor name: either may be a secret in the wrong place.
        raise ConfigError(
            f"{where} has keys beside host, login, password and extra; host takes scheme and port,"
            " anything else belongs in extra"
        )
    extra = document.get("extra") or {}
    if not isinstance(extra, dict):
        raise ConfigError(f"{where}: extra must be a JSON object, not a text")
    return Connection(
        host=str(document["host"]).rstrip("/"),
        login=document.get("login"),
        password=document.get("password"),
        extra=extra,
    )


def on_this_machine(host: str) -> bool:
    """Whether what is sent to a host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
