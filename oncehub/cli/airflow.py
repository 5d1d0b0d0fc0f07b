"""`oncehub airflow`: what an installation of Airflow is given, from the configuration files."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from oncehub.airflow.pools import pools
from oncehub.config.catalogue import load_connectors
from oncehub.settings import load_settings

app = typer.Typer(no_args_is_help=True)


@app.command("pools")
def print_pools(
    database: Annotated[
        int, typer.Option(min=1, help="Tasks that work in the database at once: its server's processors.")
    ] = 4,
) -> None:
    """Print the pools that the DAGs name, for `airflow pools import /dev/stdin`.

    Run it after a change of connectors, too: Airflow starts no task whose pool it does not have.
    """
    document = pools(load_connectors(load_settings()).values(), database)
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
