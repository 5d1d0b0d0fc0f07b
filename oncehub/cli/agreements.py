"""`oncehub agreements`: the rights that agreements have in the database."""

from __future__ import annotations

import sys

import typer

from oncehub.settings import load_settings
from oncehub.share import apply_agreements

app = typer.Typer(no_args_is_help=True, help="What agencies may see, as the database holds it.")


@app.callback()
def agreements() -> None:
    """Keep `apply` a command of its own, though it is the only one."""


@app.command("apply")
def apply() -> None:
    """Bring the database's roles and rights to what mappings/agreements says; safe to repeat."""
    changed = apply_agreements(load_settings())
    sys.stdout.write(f"{', '.join(changed)}: changed\n" if changed else "the rights are up to date\n")
