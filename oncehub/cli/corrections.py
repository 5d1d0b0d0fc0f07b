"""`oncehub corrections`: how the sources keep up with what they are told of their records."""

from __future__ import annotations

import typer

from oncehub.cli.output import Json, show
from oncehub.settings import load_settings
from oncehub.share import corrected_sources
from oncehub.share.corrections.progress import correction_progress
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True, help="Correction notices: what each source was told, and did.")

_COLUMNS = (
    "source",
    "open",
    "published",
    "fetched",
    "acknowledged",
    "oldest_unacknowledged",
    "uncorrected",
    "rejected",
    "corrected",
    "median_days",
    "p90_days",
)


@app.callback()
def corrections() -> None:
    """Keep the name of the one command."""


@app.command("status")
def status(as_json: Json = False) -> None:
    """Show where each source stands: told, fetched, acknowledged, acknowledged and not corrected."""
    settings = load_settings()
    with opened(settings) as connection:
        rows = correction_progress(connection, corrected_sources(settings))
    show(rows, title="correction notices", columns=_COLUMNS, as_json=as_json)
