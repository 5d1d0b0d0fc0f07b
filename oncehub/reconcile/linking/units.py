"""Loads which commune became which into `truth.unit_successor`, where addresses are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from oncehub.config.administrative_units import read_units
from oncehub.store.connection import Cursor

_LOAD: Final = """
insert into truth.unit_successor (former_unit, present_unit, split)
select * from unnest(%s::text[], %s::text[], %s::boolean[])
on conflict (former_unit, present_unit) do update set split = excluded.split
where unit_successor.split is distinct from excluded.split
"""


def load_units(cursor: Cursor, mappings: Path) -> None:
    """Fill `truth.unit_successor` from `mappings/codes/admin_unit_successors.csv`; repeatable.

    It belongs to the cursor's transaction.

    Raises:
        ConfigError: The file cannot be read or lacks a column.
    """
    columns = [list(column) for column in zip(*read_units(mappings).successors, strict=True)]
    cursor.execute(_LOAD, columns)
