"""`oncehub corrections`: how the sources keep up with their correction notices."""

from __future__ import annotations

import typer

from oncehub.cli.options import Json
from oncehub.cli.output import show
from oncehub.settings import load_settings
from oncehub.share.corrections.progress import correction_progress
from oncehub.share.corrections.publish_notices import corrected_sources
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

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


@app.command("status")
def status(as_json: Json = False) -> None:
    """Show the notices that each source has open, has fetched, acknowledged and corrected."""
    settings = load_settings()
    with opened(settings) as connection:
        rows = correction_progress(connection, corrected_sources(settings))
    show(rows, title="correction notices", columns=_COLUMNS, as_json=as_json)
