"""Converts the systems' connections for `airflow connections import`.

`python -m demo.airflow.connection_file FROM TO`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from oncehub.airflow.provider import CONNECTION_TYPE, PREFIX

_FILES: Final = {"ca", "client_certificate", "client_key", "jws_public_key"}


def airflow_connections(connections: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the systems' connections, by source, as Airflow's, by the ids that the DAGs look for.

    Airflow takes `extra` as a text: an object would reach its database as it is, and be printed in the error.
    Certificates and keys become part of it, so that a worker needs no file.
    """
    return {
        f"{PREFIX}{source}": {
            **connection,
            "conn_type": CONNECTION_TYPE,
            "port": urlsplit(connection["host"]).port,
            "extra": json.dumps({"source": source, **_with_content(connection["extra"])}),
        }
        for source, connection in connections.items()
    }


def convert(systems_file: Path, airflow_file: Path) -> None:
    """Write the connections of `systems_file` for `airflow connections import`."""
    airflow_file.touch(mode=0o600)
    airflow_file.write_text(json.dumps(airflow_connections(json.loads(systems_file.read_bytes()))), "utf-8")


def _with_content(extra: dict[str, Any]) -> dict[str, Any]:
    """Return an extra in which the PEM of a file stands in place of its path."""
    return {
        name: Path(value).read_text("ascii") if name in _FILES else value for name, value in extra.items()
    }


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
