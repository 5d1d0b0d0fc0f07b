"""A person's history: the golden values over time, and what was true on any day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg2.extras import RealDictCursor

from oncehub.clock import VIETNAM
from oncehub.errors import ConfigError
from oncehub.reconcile.rules.rulebook import Rulebook, load_rulebook
from oncehub.reconcile.survivorship.versions import Belief, Version, beliefs_in, versions_of
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened

_FORMER_NUMBERS: Final = """
select r.personal_id, r.valid_from, r.valid_until
from truth.link k join record.former_identifier r using (source, stream, source_key)
where k.person_key = %(person)s::uuid and k.method = 'register'
    and r.received_at <= %(believed_at)s and coalesce(r.deleted_at > %(believed_at)s, true)
order by r.valid_until nulls first, r.personal_id
"""

_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """A value that was true in [true_from, true_until), by Vietnam's calendar.

    Attributes:
        true_from: None where the beginning is not known.
        true_until: None where no end is known.
    """

    value: Any
    true_from: date | None
    true_until: date | None

    def covers(self, day: date) -> bool:
        """Tell whether the value was true on a day."""
        return (self.true_from is None or self.true_from <= day) and (
            self.true_until is None or day < self.true_until
        )


@dataclass(frozen=True)
class Past:
    """One attribute's history, oldest first.

    Attributes:
        beliefs: the golden values, and when they were.
        periods: what was true, and when, by the golden records of the moment that was asked for.
    """

    beliefs: tuple[Belief, ...]
    periods: tuple[Period, ...]


@dataclass(frozen=True)
class History:
    """A person's history.

    Attributes:
        believed_at: the moment whose golden record is meant; None: now, with all golden values before.
        true_on: the day that `periods` are about; None: all days.
        attributes: those that ever had a golden value by then, in the order of the schema.
    """

    person_key: UUID
    believed_at: datetime | None
    true_on: date | None
    attributes: Mapping[str, Past]


def history(
    settings: Settings,
    person: UUID,
    attributes: Sequence[str] = (),
    *,
    believed_at: datetime | None = None,
    true_on: date | None = None,
    database: Connection | None = None,
) -> History:
    """Return a person's golden values at a moment, and what was true on a day by the golden record of then.

    Args:
        settings: name the rules and the database.
        person: their key.
        attributes: those to return; all unless given.
        believed_at: only the golden values of this moment; unless given, all that there ever were, and what
            is true by the present golden record.
        true_on: only what was true on this day, by Vietnam's calendar; unless given, on any.
        database: used instead of a connection of its own.

    Raises:
        ConfigError: There is no such attribute, or the person never had a golden record.
    """
    rules = load_rulebook(settings)
    wanted = rules.named(attributes)
    moment = believed_at or datetime.now(UTC)
    with opened(settings, database) as connection, connection:
        ever = versions_of(connection, [person], rules.home).get(person)
        if ever is None:
            raise ConfigError(
                "no person of that key ever had a golden record; `oncehub link show` shows keys"
            )
        former = _former_numbers(connection, person, moment)
    versions = [version for version in ever if version.believed_from <= moment]
    found = {}
    for name in wanted:
        beliefs = beliefs_in(versions, name)
        periods = periods_of(rules, versions, name, former)
        past = Past(
            tuple(each for each in beliefs if believed_at is None or each.valid_at(believed_at)),
            tuple(each for each in periods if true_on is None or each.covers(true_on)),
        )
        if past.beliefs or past.periods:
            found[name] = past
    return History(person, believed_at, true_on, found)


def periods_of(
    rules: Rulebook, versions: Sequence[Version], attribute: str, former: Sequence[Period] = ()
) -> list[Period]:
    """Return what was true of an attribute, one value after the other, by those versions.

    A lifelong attribute always had its last golden value, which corrects the ones before. Any other value is
    true from the day that a date beside it names (the issue of a card, a death, the end of the former
    number), else from the day on which it was stated, until the day from which another value is true. A later
    version replaces what earlier versions say about the time after that day, not about the time before.

    Args:
        rules: name the lifelong attributes.
        versions: of one person, oldest first, up to the moment that is asked for.
        attribute: of the person.
        former: the person's former personal numbers; they count for `personal_id`.
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


def _former_numbers(connection: Connection, person: UUID, believed_at: datetime) -> list[Period]:
    """The former personal numbers that the register had stated by a moment."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_FORMER_NUMBERS, {"person": str(person), "believed_at": believed_at})
        return [
            Period(row["personal_id"], row["valid_from"], row["valid_until"] and row["valid_until"] + _A_DAY)
            for row in cursor.fetchall()
        ]


def _until(periods: Sequence[Period], day: date, gone: date | None = None) -> list[Period]:
    """Cut periods off at a day; extend one that ended where a period began that is dropped (`gone`)."""
    kept = [each for each in periods if (each.true_from or date.min) < day]
    if kept and (kept[-1].true_until is None or kept[-1].true_until >= day or kept[-1].true_until == gone):
        kept[-1] = replace(kept[-1], true_until=day)
    return kept


def _stated(rules: Rulebook, version: Version, attribute: str) -> date:
    """The day on which the value, or that there is none, was stated."""
    learned = version.believed_from.astimezone(VIETNAM).date()
    if attribute in version.believed or rules.founded(attribute):
        return min(version.as_of(attribute).astimezone(VIETNAM).date(), learned)
    return learned


def _dated(believed: Mapping[str, Any], attribute: str) -> date | None:
    """The day that the register names beside the value; of a year or month, its first day."""
    value = believed.get(attribute)
    named = None
    if attribute == "id_card" and value:
        named = value.get("issued_on")
    elif attribute == "life_status" and value:
        named = believed.get("birth_date" if value == "alive" else "death_date")
    return date.fromisoformat(f"{named}-01-01"[:10]) if named else None


def _with_former(former: Sequence[Period], periods: Sequence[Period]) -> list[Period]:
    """Order a person's numbers; one that is in force again is no longer a former one."""
    now = periods[-1].value if periods else None
    before = [each for each in former if each.value != now]
    rest = [each for each in periods if each.value not in {each.value for each in before}]
    ends = [each.true_until for each in before if each.true_until]
    if rest and ends:
        rest[0] = replace(rest[0], true_from=max(ends))
    begins = rest[0].true_from if rest else None
    return [*(each if each.true_until else replace(each, true_until=begins) for each in before), *rest]
