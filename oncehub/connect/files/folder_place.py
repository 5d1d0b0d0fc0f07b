"""Where a source drops its files."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.errors import ConfigError


def folder_of(connector: Connector, connection: Connection) -> Path:
    """Return the folder of the connector's file drops; whether it is there, its reader finds out.

    It is `folder` in the connection's extra, else its host as `file:///…`. The first serves a source that has
    streams over HTTP too.

    Raises:
        ConfigError: when neither names an absolute path.
    """
    stated = connection.extra.get("folder") or _path_of(connection.host)
    if not isinstance(stated, str) or not Path(stated).is_absolute():
        raise ConfigError(
            f"connection of {connector.source}: the folder of its files is not known; "
            "give file:///the/folder as host, or the absolute path as `folder` in extra"
        )
    return Path(stated)


def _path_of(host: str) -> str | None:
    try:
        parts = urlsplit(host)
    except ValueError:
        return None
    local = parts.scheme == "file" and parts.netloc in {"", "localhost"}
    return unquote(parts.path) if local else None
