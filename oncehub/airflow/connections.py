"""The sources' credentials, from Airflow's connections."""

from __future__ import annotations

from urllib.parse import urlsplit

import airflow.sdk
from airflow.sdk.exceptions import AirflowNotFoundException

from oncehub.config.connection import Connection
from oncehub.errors import ConfigError


def airflow_connection(source: str) -> Connection:
    """Return the Airflow connection `oncehub_<source>`; only inside a running task.

    Its host is a base URL, or a host name to which its schema (default https) and port are added.

    Raises:
        ConfigError: when there is no such connection, or it has no host.
    """
    name = f"oncehub_{source}"
    try:
        given = airflow.sdk.Connection.get(name)
    except AirflowNotFoundException:
        raise ConfigError(f"Airflow has no connection {name!r}; add it with the source's address") from None
    if not given.host:
        raise ConfigError(f"the Airflow connection {name!r} has no host; enter the source's base URL")
    return Connection(
        host=_base_url(given), login=given.login, password=given.password, extra=given.extra_dejson
    )


def _base_url(given: airflow.sdk.Connection) -> str:
    host = str(given.host).rstrip("/")
    url = host if "://" in host else f"{given.schema or 'https'}://{host}"
    # The field of the port counts only where the host has no port.
    return f"{url}:{given.port}" if given.port and urlsplit(url).port is None else url
