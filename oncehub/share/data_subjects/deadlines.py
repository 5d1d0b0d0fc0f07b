"""By when a citizen's request is due, in Vietnamese days (Nghị định 356/2025/NĐ-CP).

The day of receipt does not count (Bộ luật Dân sự 91/2015/QH13 Điều 147). Where the last day is no working day
it is not put off, which the law would allow: an answer is due early rather than late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count, islice
from typing import Literal

from oncehub.clock import VIETNAM
from oncehub.config.privacy import DeadlineRules, Holidays, RequestKind

Party = Literal["controller", "processor"]

_SATURDAY = 5


@dataclass(frozen=True)
class Due:
    """The last days on which a request may be answered, and carried out."""

    answer_by: date
    due_on: date


def due(rules: DeadlineRules, kind: RequestKind, received_at: datetime, party: Party = "controller") -> Due:
    """Return when a request is due that was received at a moment (with time zone)."""
    received = received_at.astimezone(VIETNAM).date()
    days = rules.kinds[kind]
    allowed = (party == "processor" and days.processor) or days.controller
    answer_by = working_day(rules.holidays, received, rules.answer_working_days)
    return Due(answer_by, received + timedelta(days=allowed))


def working_day(holidays: Holidays, start: date, number: int) -> date:
    """Return the working day that is the `number`th after `start`."""
    following = (start + timedelta(days=passed) for passed in count(1))
    working = (day for day in following if is_working_day(holidays, day))
    return next(islice(working, number - 1, None))


def is_working_day(holidays: Holidays, day: date) -> bool:
    """Tell whether a day is no Saturday, Sunday or known holiday."""
    holiday = f"{day:%m-%d}" in holidays.yearly or day in holidays.once
    return day.weekday() < _SATURDAY and not holiday
