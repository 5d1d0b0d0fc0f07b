"""`oncehub agreements`: the rights of agreements in the database."""

from __future__ import annotations

import sys

import typer

from oncehub.settings import load_settings
from oncehub.share.access.database_access import apply_agreements

app = typer.Typer(no_args_is_help=True)


@app.command("apply")
def apply() -> None:
    """Update the roles and rights in the database from mappings/agreements; it is safe to repeat."""
    changed = apply_agreements(load_settings())
    sys.stdout.write(f"{', '.join(changed)}: changed\n" if changed else "the rights are up to date\n")
