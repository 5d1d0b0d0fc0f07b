"""One citizen's story: her data changed in the register, and her forms show the new values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from demo.agencies import Agency, paced
from demo.failure import DemoFailed
from demo.stage import Stage
from oncehub.audit.log.entries import WrittenEntry, read_entries
from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym, pseudonym_key
from oncehub.config.entities import unqualified

# An adult woman whose register data changed after the mark; with a new address, a phone and many sources
# where there is one.
_CHANGED_WOMAN = """
with listed as (
    select person_key, array_agg(distinct attribute) as attributes
    from share.change cross join unnest(attributes) as attribute
    where change_id > %(mark)s and kind = 'changed'
    group by person_key
),
holding as (
    select person_key, array_agg(distinct source order by source) as sources
    from listed join truth.link using (person_key)
    group by person_key
)
select person_key::text, personal_id, attributes, sources
from listed join truth.person using (person_key) join holding using (person_key)
where sex = 'female' and life_status = 'alive' and personal_id is not null
    and left(birth_date, 4)::int <= extract(year from now()) - 18
    and attributes && %(agreed)s
order by 'permanent_address' = any(attributes) desc, phone is not null desc, email is not null desc,
    cardinality(sources) desc, person_key
limit 1
"""
_MARK = "select coalesce(max(change_id), 0) from share.change"


@dataclass(frozen=True)
class Story:
    """What the hub did for one citizen.

    Attributes:
        sources: sources with records that are linked to her.
        changed: attributes that changed on the day.
        forms: the API's prefill responses, one a procedure.
        feed_entry: the entry that her change produced.
        access_log: the entries of these look-ups in the access log.
    """

    sources: tuple[str, ...]
    changed: tuple[str, ...]
    forms: tuple[dict[str, Any], ...]
    feed_entry: dict[str, Any]
    access_log: tuple[WrittenEntry, ...]


def mark_changes(stage: Stage) -> int:
    """Return the last change that the outbox contains now; later changes have a greater number."""
    with stage.database, stage.database.cursor() as cursor:
        cursor.execute(_MARK)
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def tell_story(stage: Stage, agency: Agency, mark: int, entries: list[dict[str, Any]]) -> Story:
    """Open the agreement's procedures for a woman whose data changed after `mark`.

    Args:
        stage: the running demo.
        agency: opens the forms and reads the feed.
        mark: see `mark_changes`.
        entries: entries of the agency's feed since then.

    Raises:
        DemoFailed: when no woman's data changed, or the feed has no entry of the change.
    """
    person_key, personal_id, changed, sources = _woman(stage, agency, mark)
    search = {"person.personal_id": personal_id}
    forms = tuple(paced(agency.client.prefill, code, search) for code in agency.agreement.procedures)
    key = pseudonym_key(stage.settings.home)
    in_feed = pseudonym(key, person_key, f"feed {agency.agreement.feed}")
    feed_entry = next((entry for entry in entries if entry["person"] == in_feed), None)
    if feed_entry is None:
        raise DemoFailed(f"the feed {agency.agreement.feed} has no entry of a person whose data changed")
    with stage.database:
        logged = read_entries(stage.database, person_pseudonym(key, person_key))
    requests = {form["request_id"] for form in forms}
    log = tuple(written for written in logged if str(written.entry.request_id) in requests)
    if len(log) != len(forms):
        raise DemoFailed(f"{len(forms)} forms were answered, but the access log has entries of {len(log)}")
    return Story(tuple(sources), tuple(changed), forms, feed_entry, log)


def _woman(stage: Stage, agency: Agency, mark: int) -> tuple[str, str, list[str], list[str]]:
    agreed = [unqualified(name) for name in agency.agreement.attributes]
    with stage.database, stage.database.cursor() as cursor:
        cursor.execute(_CHANGED_WOMAN, {"mark": mark, "agreed": agreed})
        row = cursor.fetchone()
    if row is None:
        raise DemoFailed("no woman's data changed on that day")
    return row
