"""The hook of connections to sources: what Airflow's button Test calls."""

from __future__ import annotations

from airflow.sdk import BaseHook

from oncehub.airflow.connections import connection_of
from oncehub.airflow.provider import CONNECTION_TYPE, PREFIX
from oncehub.authoring.sampling import Finding, look
from oncehub.config.catalogue import load_connectors
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.source import Source
from oncehub.errors import ConfigError, OncehubError
from oncehub.settings import Settings, load_settings


class OncehubSourceHook(BaseHook):
    """Reads the source that a connection is of."""

    conn_name_attr = "oncehub_conn_id"
    conn_type = CONNECTION_TYPE
    hook_name = "oncehub source"

    def __init__(self, oncehub_conn_id: str) -> None:
        super().__init__()
        self._conn_id = oncehub_conn_id

    def get_conn(self) -> Connection:
        """Return address and credentials of the source.

        Raises:
            ConfigError: when the connection names no source, or see `connection_of`.
        """
        return self._resolved(load_settings())[1]

    def test_connection(self) -> tuple[bool, str]:
        """Read a first page of every stream, as the DAG `check_<source>` does; nothing lands.

        Returns:
            Whether all streams can be read, and a sentence for each: counts, or what is wrong.
        """
        settings = load_settings()
        try:
            connector, connection = self._resolved(settings)
            with Source(_asked_once(connector), connection) as source:
                found = [try_stream(settings, source, connector, stream) for stream in connector.streams]
        except OncehubError as error:
            return False, str(error)
        return True, "; ".join(
            f"{each.stream}: {each.read} records read, {each.meets} can be landed" for each in found
        )

    def _resolved(self, settings: Settings) -> tuple[Connector, Connection]:
        given = self.get_connection(self._conn_id)
        # Where Airflow tests what its form has, the id is drawn at random.
        source = given.extra_dejson.get("source") or self._conn_id.removeprefix(PREFIX)
        connectors = load_connectors(settings)
        if source not in connectors:
            raise ConfigError(f"enter the name of a connector as Source: {', '.join(sorted(connectors))}")
        return connectors[source], connection_of(given, source)


def try_stream(settings: Settings, source: Source, connector: Connector, stream: str) -> Finding:
    """Read the first page of a stream, map it, and ask for what follows.

    Raises:
        ConfigError: when the stream cannot be read, or none of its records can be landed.
    """
    name = f"{connector.source}.{stream}"
    found = look(settings, source, connector, stream)
    problem = found.problem
    # Some bad records are everyday; they are rejected when they land.
    if problem is None and found.read and not found.meets:
        problem = "; ".join(f"{count} records: {why}" for why, count in found.rejected.items())
    if problem is not None:
        raise ConfigError(problem if name in problem else f"{name}: {problem}")
    return found


def _asked_once(connector: Connector) -> Connector:
    """Return the connector with one try a request: somebody waits for the answer."""
    return connector.model_copy(update={"limits": connector.limits.model_copy(update={"attempts": 1})})
