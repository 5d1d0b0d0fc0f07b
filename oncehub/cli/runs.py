"""`oncehub runs`: follows a run from its source to the feeds."""

from __future__ import annotations

from typing import Annotated

import typer

from oncehub.cli.options import Json
from oncehub.cli.output import show
from oncehub.settings import load_settings
from oncehub.store.migrate import opened
from oncehub.watch.trail import trail

_COLUMNS = ("landing", "stream", "reconcile", "release", "feed", "first_sequence", "last_sequence")


def runs(
    run: Annotated[
        str | None,
        typer.Argument(
            help="landing-N, reconcile-N, release-N, DAG/RUN of Airflow, FEED:LINE; the latest unless given."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="The most rows.", min=1)] = 50,
    as_json: Json = False,
) -> None:
    """Show which landing came into which reconcile run, and that into which lines of which feed."""
    with opened(load_settings()) as connection:
        show(trail(connection, run, limit=limit), title="runs", columns=_COLUMNS, as_json=as_json)
