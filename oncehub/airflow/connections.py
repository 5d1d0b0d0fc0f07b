"""The sources' credentials, from Airflow's connections."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import airflow.sdk
from airflow.sdk.exceptions import AirflowNotFoundException

from oncehub.airflow.provider import PREFIX
from oncehub.config.connection import Connection
from oncehub.errors import ConfigError

_PORTS: Final = {"https": 443, "http": 80}


def airflow_connection(source: str) -> Connection:
    """Return the Airflow connection `oncehub_<source>`; only inside a running task.

    Raises:
        ConfigError: when there is no such connection, or see `connection_of`.
    """
    name = f"{PREFIX}{source}"
    try:
        given = airflow.sdk.Connection.get(name)
    except AirflowNotFoundException:
        raise ConfigError(f"Airflow has no connection {name!r}; add it with the source's address") from None
    return connection_of(given, source)


def connection_of(given: airflow.sdk.Connection, source: str) -> Connection:
    """Return an Airflow connection, of whatever type, as the connection of a source.

    Its host is a base URL, or a host name to which its schema (default https) and port are added. Fields of
    Airflow's form that were left empty count as absent.

    Raises:
        ConfigError: when it has no host, or is of another source.
    """
    extra = {name: value for name, value in given.extra_dejson.items() if value not in (None, "")}
    if (stated := extra.pop("source", source)) != source:
        raise ConfigError(
            f"the Airflow connection {given.conn_id!r} is of the source {stated!r}; correct its field Source"
        )
    if not given.host:
        raise ConfigError(
            f"the Airflow connection {given.conn_id!r} has no host; enter the source's base URL"
        )
    return Connection(host=_base_url(given), login=given.login, password=given.password, extra=extra)


def _base_url(given: airflow.sdk.Connection) -> str:
    host = str(given.host).rstrip("/")
    url = urlsplit(host if "://" in host else f"{given.schema or 'https'}://{host}")
    # The field of the port counts only where the host has no port.
    if given.port and url.netloc and url.port is None and given.port != _PORTS.get(url.scheme):
        url = url._replace(netloc=f"{url.netloc}:{given.port}")
    return url.geturl()
