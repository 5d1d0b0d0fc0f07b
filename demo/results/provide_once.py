"""How many items of three forms the hub fills, so that people need not provide them again."""

from __future__ import annotations

from dataclasses import dataclass

from demo.agencies import Agency, paced
from demo.progress import Progress
from oncehub.store.connection import Connection

SAMPLE = 200

# The order is arbitrary and stable, and differs from the order of registration.
_PERSONAL_IDS = """
select personal_id
from truth.person
where life_status = 'alive' and personal_id is not null
order by person_key
limit %s
"""


@dataclass(frozen=True)
class ProvideOnce:
    """Sums over all opened forms: `items` = `filled` + `missing`; a reusable paper counts as filled."""

    people: int
    procedures: int
    items: int
    filled: int
    missing: int


def measure_provide_once(
    agency: Agency, database: Connection, progress: Progress, people: int = SAMPLE
) -> ProvideOnce:
    """Open the form of each procedure of the agreement for a sample of living people, through the API."""
    with database, database.cursor() as cursor:
        cursor.execute(_PERSONAL_IDS, (people,))
        personal_ids = [str(personal_id) for (personal_id,) in cursor.fetchall()]
    filled = missing = 0
    for number, personal_id in enumerate(personal_ids):
        progress.say(f"{number} of {len(personal_ids)} people")
        for code in agency.agreement.procedures:
            form = paced(agency.client.prefill, code, {"person.personal_id": personal_id})
            filled += len(form["items"]) + len(form["papers"])
            missing += len(form["missing_items"])
    return ProvideOnce(len(personal_ids), len(agency.agreement.procedures), filled + missing, filled, missing)
