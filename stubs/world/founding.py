"""The world at its first moment."""

from __future__ import annotations

import numpy as np

from stubs.world.clock import START, generator, local_day
from stubs.world.dossiers import found_dossiers
from stubs.world.people.numbers import Numbers
from stubs.world.people.people import found_people
from stubs.world.people.places import REFORM
from stubs.world.planting.dirt import USUAL, Dirt
from stubs.world.planting.planting import plant_all
from stubs.world.planting.soiling import soil
from stubs.world.records import business_addresses, found_records
from stubs.world.state import SOURCES, State, former_numbers


def found(people_count: int, seed: int, coverage: float = 1.0, dirt: Dirt = USUAL) -> State:
    """People, what the sources hold of them, and what is planted in it; see `World.generate`."""
    numbers = Numbers(seed)
    people, addresses = found_people(seed, people_count, numbers)
    records = {source: found_records(source, seed, people, numbers, coverage) for source in SOURCES}
    business_addresses(records["customs"], addresses, generator(seed, 0, "company-addresses"))
    plant_all(seed, people, records, numbers, dirt)
    for table in records.values():
        table["addr_old"] = table["updated"] < REFORM  # planting has moved some statement times
    soil(seed, people, records, dirt)
    reissued = np.flatnonzero(people["reissued_at"] > 0)
    former = former_numbers(people, reissued, local_day(people["reissued_at"][reissued]))
    dossiers = found_dossiers(seed, people, records["portal"], numbers)
    return State(seed, 0, START, numbers, people, addresses, former, records, dossiers, dirt)
