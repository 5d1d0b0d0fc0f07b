"""`oncehub restore`: lets the hub go on with a database that was restored, copied or failed over."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from oncehub.audit.log.disclosures import login
from oncehub.audit.signing.adoption import adopt, standing
from oncehub.cli.options import Json
from oncehub.cli.output import show_one
from oncehub.errors import ConfigError
from oncehub.settings import load_settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Let the hub go on with a database that was restored, copied or failed over."""


@app.command("adopt")
def adopt_(
    reason: Annotated[
        str, typer.Option(help="Why, for those who read the access log: which backup, of when.", min=1)
    ],
    by: Annotated[str | None, typer.Option(help="Who adopts it; this account unless given.")] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")] = False,
    as_json: Json = False,
) -> None:
    """Adopt the database as it is: publishing, signing and the API go on with it.

    Feeds begin a new epoch: every consumer is told to take a new snapshot. Stop whatever still uses another
    copy of the database first.
    """
    settings = load_settings()
    if not reason.strip():
        raise ConfigError("--reason is empty; name the backup, or what happened to the server")
    if not yes and (lost := standing(settings).lost) is not None:
        sys.stderr.write(f"{lost}.\n")
        typer.confirm("Adopt it, and begin a new epoch of all feeds?", abort=True, err=True)
    report = adopt(settings, by or login(), reason.strip())
    show_one(report, title="adoption", as_json=as_json)
    if not report.adopted:
        sys.stderr.write("oncehub: there is nothing to adopt: the database is where it was\n")
