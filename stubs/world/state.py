"""The state of the world: everything that is true at its present moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stubs.world.people.numbers import Numbers
from stubs.world.planting.dirt import Dirt
from stubs.world.table import Array, Table

SOURCES = ("portal", "tax", "customs", "banking")
STREAMS = {"portal": "accounts", "tax": "registrations", "customs": "declarants", "banking": "accounts"}


@dataclass
class State:
    """People, the addresses they point to, their former numbers, and what each source holds of them."""

    seed: int
    day: int
    now: int
    """UTC microseconds."""
    numbers: Numbers
    people: Table
    addresses: Table
    former: Table
    """Former personal numbers: person, pid, since and until (days)."""
    records: dict[str, Table]
    dossiers: Table
    dirt: Dirt


def former_numbers(people: Table, rows: Array, until: Array) -> Table:
    """Rows of `State.former` for people whose `prev_pid` ended on the days `until`."""
    return Table(
        {
            "person": rows.astype(np.int64),
            "pid": people["prev_pid"][rows],
            "since": people["birth"][rows].astype(np.int64),
            "until": until,
        }
    )
