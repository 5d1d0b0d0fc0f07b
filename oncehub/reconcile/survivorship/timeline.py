"""What was true on which day, as far as it was believed at some moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg2.extras import RealDictCursor

from oncehub.clock import VIETNAM
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.reconcile.survivorship.history import Version
from oncehub.store.connection import Connection

_FORMER_NUMBERS: Final = """
select k.person_key::text, r.personal_id, r.valid_from, r.valid_until
from truth.link k join record.former_identifier r using (source, stream, source_key)
where k.person_key = any(%(people)s::uuid[]) and k.method = 'register'
    and r.received_at <= %(believed_at)s and coalesce(r.deleted_at > %(believed_at)s, true)
order by r.valid_until nulls first, r.personal_id
"""

_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """A value that was true in [true_from, true_until), by Vietnam's calendar.

    Attributes:
        true_from: None where it was true as far back as anybody knows.
        true_until: None where nothing tells that it ended.
    """

    value: Any
    true_from: date | None
    true_until: date | None

    def covers(self, day: date) -> bool:
        """Tell whether it was true on a day."""
        return (self.true_from is None or self.true_from <= day) and (
            self.true_until is None or day < self.true_until
        )


def periods_of(
    rules: Rulebook, versions: Sequence[Version], attribute: str, former: Sequence[Period] = ()
) -> list[Period]:
    """Return what was true of an attribute, one value after the other, as those versions tell it.

    What a person has for life was always what is believed of it last: that corrects what was believed before.
    Any other value is true from the day that a date beside it names (the issue of a card, a death, the end of
    the former number), else from the day on which it was stated, until the day from which another is true. Of
    the time before its day a later belief says nothing; of the time after it, all.

    Args:
        rules: they say what a person has for life.
        versions: of one person, oldest first, up to the moment whose belief is asked for.
        attribute: of the person.
        former: the person's former numbers as `former_numbers` returns them; they count for `personal_id`.
    """
    if attribute in rules.survivorship.lifelong:
        last = versions[-1].believed.get(attribute) if versions else None
        return [] if last is None else [Period(last, None, None)]
    periods: list[Period] = []
    for version in versions:
        value, dated = version.believed.get(attribute), _dated(version.believed, attribute)
        if dated and periods and periods[-1].value == value:
            # The same fact under a date that was corrected.
            periods = _until(periods[:-1], dated, periods[-1].true_from)
        begins = dated or _stated(rules, version, attribute)
        periods = _until(periods, begins)
        if value is None:
            continue
        if periods and (periods[-1].value, periods[-1].true_until) == (value, begins):
            begins = periods.pop().true_from or date.min
        periods.append(Period(value, begins, None))
    return _with_former(former, periods) if attribute == "personal_id" else periods


def former_numbers(
    connection: Connection, people: Iterable[UUID], believed_at: datetime
) -> dict[UUID, list[Period]]:
    """Return the former personal numbers of people that the register had told of by a moment."""
    found: dict[UUID, list[Period]] = {}
    values = {"people": [str(person) for person in people], "believed_at": believed_at}
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_FORMER_NUMBERS, values)
        for row in cursor.fetchall():
            last = row["valid_until"]
            period = Period(row["personal_id"], row["valid_from"], last and last + _A_DAY)
            found.setdefault(UUID(row["person_key"]), []).append(period)
    return found


def _until(periods: Sequence[Period], day: date, gone: date | None = None) -> list[Period]:
    """What is left of periods up to a day; one that ended where another was that is `gone` goes on to it."""
    kept = [each for each in periods if (each.true_from or date.min) < day]
    if kept and (kept[-1].true_until is None or kept[-1].true_until >= day or kept[-1].true_until == gone):
        kept[-1] = replace(kept[-1], true_until=day)
    return kept


def _stated(rules: Rulebook, version: Version, attribute: str) -> date:
    """The day on which the value was stated; where there is none, on which it was none."""
    learned = version.believed_from.astimezone(VIETNAM).date()
    if attribute in version.believed or rules.founded(attribute):
        return min(version.as_of(attribute).astimezone(VIETNAM).date(), learned)
    return learned


def _dated(believed: Mapping[str, Any], attribute: str) -> date | None:
    """The day that the register itself names, of reduced precision the first that it may be."""
    value = believed.get(attribute)
    named = None
    if attribute == "id_card" and value:
        named = value.get("issued_on")
    elif attribute == "life_status" and value:
        named = believed.get("birth_date" if value == "alive" else "death_date")
    return date.fromisoformat(f"{named}-01-01"[:10]) if named else None


def _with_former(former: Sequence[Period], periods: Sequence[Period]) -> list[Period]:
    """Put a person's numbers in order; one that is in force again is not a former one."""
    now = periods[-1].value if periods else None
    before = [each for each in former if each.value != now]
    rest = [each for each in periods if each.value not in {each.value for each in before}]
    ends = [each.true_until for each in before if each.true_until]
    if rest and ends:
        rest[0] = replace(rest[0], true_from=max(ends))
    begins = rest[0].true_from if rest else None
    return [*(each if each.true_until else replace(each, true_until=begins) for each in before), *rest]
