"""Loads which commune became which into `truth.unit_successor`, where addresses are compared."""

from __future__ import annotations

from pathlib import Path

from psycopg2 import sql

from oncehub.config.administrative_units import read_successors
from oncehub.store.connection import Connection
from oncehub.store.frames import stage


def load_units(connection: Connection, mappings: Path) -> None:
    """Fill `truth.unit_successor` from `mappings/codes/admin_unit_successors.csv`; repeatable.

    Raises:
        ConfigError: The file cannot be read or lacks a column.
    """
    with connection, connection.cursor() as cursor:
        staged = stage(
            connection,
            read_successors(mappings),
            like=sql.Identifier("truth", "unit_successor"),
            name="new_successor",
        )
        cursor.execute(
            sql.SQL(
                "insert into truth.unit_successor select former_unit, present_unit, split from {} "
                "on conflict (former_unit, present_unit) do update set split = excluded.split "
                "where unit_successor.split is distinct from excluded.split"
            ).format(staged)
        )
