"""One citizen's story: her data changed in the register, and no form asks her for it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from demo.agencies import Agency, paced
from demo.failure import DemoFailed
from demo.stage import Stage
from oncehub.audit.log.entries import WrittenEntry, read_entries
from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym, pseudonym_key
from oncehub.config.entities import unqualified

# A woman of age whose register data changed after the mark; best with a new address, a phone, many sources.
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
        sources: whose records are linked to her.
        changed: attributes that changed on the day.
        forms: the API's prefill answers, one a procedure.
        feed_line: the line that her change produced.
        access_log: what the look-ups left in the access log.
    """

    sources: tuple[str, ...]
    changed: tuple[str, ...]
    forms: tuple[dict[str, Any], ...]
    feed_line: dict[str, Any]
    access_log: tuple[WrittenEntry, ...]


def mark_changes(stage: Stage) -> int:
    """Return where the outbox ends now, to tell later what has changed since."""
    with stage.database, stage.database.cursor() as cursor:
        cursor.execute(_MARK)
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def tell_story(stage: Stage, agency: Agency, mark: int, lines: list[dict[str, Any]]) -> Story:
    """Open the agreement's procedures for a woman whose data changed after `mark`.

    Args:
        stage: the running demo.
        agency: whose clerk opens the forms.
        mark: see `mark_changes`.
        lines: what the agency's feed brought since.

    Raises:
        DemoFailed: when no woman's data changed, or the feed does not tell of it.
    """
    person_key, personal_id, changed, sources = _woman(stage, agency, mark)
    search = {"person.personal_id": personal_id}
    forms = tuple(paced(agency.client.prefill, code, search) for code in agency.agreement.procedures)
    key = pseudonym_key(stage.settings.home)
    in_feed = pseudonym(key, person_key, f"feed {agency.agreement.feed}")
    line = next((line for line in lines if line["person"] == in_feed), None)
    if line is None:
        raise DemoFailed(f"the feed {agency.agreement.feed} does not tell of a person whose data changed")
    with stage.database:
        entries = read_entries(stage.database, person_pseudonym(key, person_key))
    asked_now = {form["request_id"] for form in forms}
    log = tuple(entry for entry in entries if str(entry.entry.request_id) in asked_now)
    if len(log) != len(forms):
        raise DemoFailed(f"{len(forms)} forms were answered, but the access log tells of {len(log)}")
    return Story(tuple(sources), tuple(changed), forms, line, log)


def _woman(stage: Stage, agency: Agency, mark: int) -> tuple[str, str, list[str], list[str]]:
    agreed = [unqualified(name) for name in agency.agreement.attributes]
    with stage.database, stage.database.cursor() as cursor:
        cursor.execute(_CHANGED_WOMAN, {"mark": mark, "agreed": agreed})
        row = cursor.fetchone()
    if row is None:
        raise DemoFailed("no woman's data changed on that day")
    return row
