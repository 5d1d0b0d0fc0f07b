"""`oncehub init`: creates or updates the database."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from oncehub.initialise import initialise
from oncehub.settings import load_settings


def init(
    *,
    make_keys: Annotated[
        bool,
        typer.Option(
            "--make-keys",
            help="Make the keys of a new hub in ONCEHUB_HOME/keys; done anyway beside the embedded server.",
        ),
    ] = False,
) -> None:
    """Create or update the tables, functions and rights of the database.

    It is safe to repeat.
    """
    applied = initialise(load_settings(), make_keys=make_keys)
    sys.stdout.write(f"{len(applied)} SQL files applied\n" if applied else "the database is up to date\n")
