"""What goes wrong, with real parts: each returns the settings of the hub that it went wrong in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oncehub.config.catalogue import load_connector
from oncehub.config.connection import Connection as SourceConnection
from oncehub.connect.source import Source
from oncehub.errors import OncehubError
from oncehub.intake.sync import sync
from oncehub.settings import Settings
from oncehub.store.connection import Connection

from ..connect.serving import Reply

AT_ONCE = """
database_down: 0s
run_failing: 0s
stream_stale: 2h
run_stuck: 0s
reconcile_late: 0s
publish_late: 0s
log_unsigned: 0s
consumer_behind: 0s
quarantine_growing: 2
airflow_unhealthy: 0s
api_not_ready: 0s
disk_full: 0.0001
repeat: 6h
"""


def read_tax(settings: Settings, host: str) -> None:
    """Try to read the tax register, without waiting between tries."""
    connection = SourceConnection(host, login="a", password="b")
    connector = load_connector(settings, "tax")
    sync(settings, connector, connection, opener=lambda *given: Source(*given, pause=lambda _: None))


def execute(database: Connection, statement: str) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(statement)


def source_down(settings: Settings, served: Any, database: Connection) -> Settings:
    with pytest.raises(OncehubError):
        read_tax(settings, "http://127.0.0.1:9")
    return settings


def nonsense(settings: Settings, served: Any, database: Connection) -> Settings:
    with pytest.raises(OncehubError):
        read_tax(settings, served(lambda _: Reply(body=b"<html>maintenance</html>")).host)
    return settings


def database_down(settings: Settings, served: Any, database: Connection) -> Settings:
    return replace(settings, database_url="postgresql://hub:secret-word@127.0.0.1:9/hub")


def signing_stopped(settings: Settings, served: Any, database: Connection) -> Settings:
    execute(
        database,
        """
        insert into audit.entry
        (client_id, agency, agreement, purpose, legal_basis, action, attributes, refused, outcome, request_id)
        values ('c', 'a', 'g', 'p', 'l', 'lookup', '{}', '{}', 'not_found', gen_random_uuid())
        """,
    )
    return settings


def run_stuck(settings: Settings, served: Any, database: Connection) -> Settings:
    execute(
        database, "insert into intake.run (source, stream, mode) values ('tax', 'registrations', 'changes')"
    )
    return settings
