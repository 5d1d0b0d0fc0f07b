"""Sets up the HTTP session of one source: trusted authorities, and the client certificate."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from oncehub.config.access import MutualTls
from oncehub.config.connection import Connection, on_this_machine
from oncehub.config.connector import Connector
from oncehub.connect.http.deadline_adapter import DeadlineAdapter
from oncehub.errors import ConfigError

PEM: Final = "-----BEGIN "
"""How what is no path begins."""

Transport = Callable[[BaseAdapter], BaseAdapter]
"""Wraps what carries the requests of a session, e.g. to record or replay them."""


def open_session(
    connector: Connector, connection: Connection, transport: Transport | None = None
) -> requests.Session:
    """Return a session for the connection's host.

    The connection's extra may have `ca` (trusted authorities), and with `mutual_tls` must have
    `client_certificate` and `client_key`; each is PEM, or the path of a file of it.

    Raises:
        ConfigError: when the host is no http(s) address or a named file cannot serve.
    """
    scheme = _checked_scheme(connector, connection.host)
    # urllib3 logs whole URLs, and cursors in them may hold keys of records, or credentials.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    session = requests.Session()
    # A .netrc or a proxy variable must not redirect or replace the connection's credentials.
    session.trust_env = False
    session.headers["User-Agent"] = "oncehub"
    # Only gzip is offered and unpacked, as its growth is bounded while it is read.
    session.headers["Accept-Encoding"] = "gzip"
    carrier: BaseAdapter = DeadlineAdapter(pool_maxsize=max(10, connector.limits.concurrency))
    if transport is not None:
        carrier = transport(carrier)
    session.mount("https://", carrier)
    session.mount("http://", carrier)
    if isinstance(connector.auth, MutualTls):
        if scheme != "https":
            raise ConfigError(f"connection of {connector.source}: mutual_tls needs an https:// host")
        session.cert = (
            _file(connector, connection.extra, "client_certificate"),
            _file(connector, connection.extra, "client_key"),
        )
    if "ca" in connection.extra:
        session.verify = _file(connector, connection.extra, "ca")
    _check_loadable(connector, session)
    return session


def _checked_scheme(connector: Connector, host: str) -> str:
    try:
        parts = urlsplit(host)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username:
        raise ConfigError(
            f"connection of {connector.source}: host must be a base address such as https://api.example;"
            " the folder of its other streams, if any, is given as `folder` in extra"
        )
    if parts.scheme == "http" and not on_this_machine(parts.hostname or ""):
        raise ConfigError(
            f"connection of {connector.source}: http:// would show credentials and records on the network; "
            "give an https:// host"
        )
    return parts.scheme


def _file(connector: Connector, extra: Mapping[str, Any], name: str) -> str:
    given = extra.get(name)
    if not isinstance(given, str) or not given:
        raise ConfigError(
            f"connection of {connector.source}: extra lacks {name}; give PEM, or the path of a file of it"
        )
    path = _in_memory(given, name) if given.lstrip().startswith(PEM) else given
    if not Path(path).is_file():
        raise ConfigError(f"connection of {connector.source}: {name} in extra is no file that can be read")
    return path


@cache
def _in_memory(pem: str, name: str) -> str:
    """Return the path of a file with this text that stands on no disk; OpenSSL reads keys from files only."""
    number = os.memfd_create(name)
    with os.fdopen(os.dup(number), "w") as file:
        file.write(pem)
    return f"/proc/self/fd/{number}"


def _check_loadable(connector: Connector, session: requests.Session) -> None:
    context = ssl.create_default_context()
    names = ""
    try:
        if isinstance(session.verify, str):
            names = "ca"
            context.load_verify_locations(session.verify)
        if isinstance(session.cert, tuple):
            names = "client_certificate and client_key"
            context.load_cert_chain(*session.cert)
    except OSError:
        raise ConfigError(
            f"connection of {connector.source}: {names} in extra must be PEM and belong together"
        ) from None
