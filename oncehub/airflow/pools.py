"""Airflow's pools: how many tasks at once may read a source, or work in the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from oncehub.config.connector import Connector

DATABASE: Final = "oncehub_database"
"""Of the tasks that work in the database only; signing the access log is none of them, and waits for none."""


def source_pool(source: str) -> str:
    """Return the name of the pool of the tasks that read a source."""
    return f"oncehub_source_{source}"


def pools(connectors: Iterable[Connector], database_slots: int) -> dict[str, dict[str, Any]]:
    """Return all pools that the DAGs name, as `airflow pools import` takes them.

    A source's pool has as many slots as `limits.concurrency` of its connector: a task has one request under
    way at a time, and more tasks would only wait for each other.
    """
    named = {source_pool(each.source): (each.limits.concurrency, each.title) for each in connectors}
    named[DATABASE] = database_slots, "Tasks that work in the hub's database"
    return {
        name: {"slots": slots, "description": description, "include_deferred": False}
        for name, (slots, description) in named.items()
    }
