"""Converts the systems' connections for `airflow connections import`.

`python -m demo.airflow.connection_file FROM TO`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from oncehub.airflow.provider import CONNECTION_TYPE, PREFIX


def airflow_connections(connections: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the systems' connections, by source, as Airflow's, by the ids that the DAGs look for.

    Airflow takes `extra` as a text: an object would reach its database as it is, and be printed in the error.
    """
    return {
        f"{PREFIX}{source}": {
            **connection,
            "conn_type": CONNECTION_TYPE,
            "port": urlsplit(connection["host"]).port,
            "extra": json.dumps({"source": source, **connection["extra"]}),
        }
        for source, connection in connections.items()
    }


def convert(systems_file: Path, airflow_file: Path) -> None:
    """Write the connections of `systems_file` for `airflow connections import`."""
    airflow_file.touch(mode=0o600)
    airflow_file.write_text(json.dumps(airflow_connections(json.loads(systems_file.read_bytes()))), "utf-8")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
