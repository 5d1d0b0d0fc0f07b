"""`oncehub init`: creates or updates the database."""

from __future__ import annotations

import sys

from oncehub.initialise import initialise
from oncehub.settings import load_settings


def init() -> None:
    """Create or update the tables, functions and rights of the database.

    It is safe to repeat.
    """
    applied = initialise(load_settings())
    sys.stdout.write(f"{len(applied)} SQL files applied\n" if applied else "the database is up to date\n")
