"""Arguments and options that several commands have."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from oncehub.clock import VIETNAM

DAY: Final = ["%Y-%m-%d"]
MOMENT: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
"""Formats of a moment; `moment` gives one without time zone that of Vietnam."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")]
Check = Annotated[
    bool, typer.Option("--check", help="Only list the files that are out of date; status 2 if there are any.")
]
ShowPersonalData = Annotated[
    bool,
    typer.Option("--show-personal-data", help="Show values unmasked; recorded in the log of disclosures."),
]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Show at most this many.")]
Chart = Annotated[Path | None, typer.Option(help="Write a chart of the weights to this HTML file.")]

SourceName = Annotated[str, typer.Argument(help="Name of the source: its folder under connectors/.")]
StreamName = Annotated[
    str, typer.Argument(help="source.stream, or only the source where it has a single stream.")
]
RecordSource = Annotated[str, typer.Argument(metavar="SOURCE", help="Source of the record.")]
RecordStream = Annotated[str, typer.Argument(metavar="STREAM", help="Stream of the record.")]
RecordKeyText = Annotated[str, typer.Argument(metavar="KEY", help="Key of the record in its stream.")]

PersonKey = Annotated[
    UUID,
    typer.Argument(metavar="PERSON", help="Key of the person in the hub, as shown by `oncehub link show`."),
]
Clerk = Annotated[str, typer.Option("--by", help="Name of the clerk who decides; kept permanently.")]
Reason = Annotated[str, typer.Option(help="Reason; kept permanently.")]


def moment(at: datetime | None) -> datetime | None:
    """Return a moment from the command line; without a time zone it is Vietnam's time."""
    return at.replace(tzinfo=VIETNAM) if at and at.tzinfo is None else at
