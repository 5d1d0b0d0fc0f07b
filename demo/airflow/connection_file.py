"""Converts the systems' connections for `airflow connections import`.

`python -m demo.airflow.connection_file FROM TO`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def convert(systems_file: Path, airflow_file: Path) -> None:
    """Write the connections of `systems_file`, by source, under the names that the DAGs look for.

    Airflow takes `extra` as a text: an object would reach its database as it is, and be printed in the error.
    """
    connections = {
        f"oncehub_{source}": connection | {"extra": json.dumps(connection["extra"])}
        for source, connection in json.loads(systems_file.read_bytes()).items()
    }
    airflow_file.touch(mode=0o600)
    airflow_file.write_text(json.dumps(connections), "utf-8")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
