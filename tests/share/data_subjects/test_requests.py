from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta

import psycopg2
import pytest
from hypothesis import given, strategies

from oncehub.clock import VIETNAM
from oncehub.config.catalogue import load_rules
from oncehub.config.privacy import DeadlineRules, Holidays
from oncehub.errors import RequestStepRefused
from oncehub.settings import load_settings
from oncehub.share.data_subjects.requests import (
    due,
    is_working_day,
    list_requests,
    note_step,
    open_request,
    working_day,
)
from oncehub.store.connection import Connection

RULES = load_rules(load_settings(), "deadlines", DeadlineRules)
PERSON = str(uuid.uuid4())


def at(day: str, hour: int = 9) -> datetime:
    return datetime.fromisoformat(f"{day}T{hour:02}:00").replace(tzinfo=VIETNAM)


@pytest.mark.parametrize(
    ("received", "answer_by", "due_on"),
    [
        ("2026-06-03", "2026-06-05", "2026-06-18"),  # a Wednesday
        ("2026-06-05", "2026-06-09", "2026-06-20"),  # a Friday; what is due on a Saturday is due then
        ("2026-04-29", "2026-05-05", "2026-05-14"),  # before 30/4 and 1/5, and a weekend
        ("2026-09-01", "2026-09-04", "2026-09-16"),  # before 2/9
    ],
)
def test_withdrawing_is_answered_in_two_working_days_and_carried_out_in_fifteen(
    received: str, answer_by: str, due_on: str
) -> None:
    dates = due(RULES, "withdrawal", at(received))
    assert (dates.answer_by.isoformat(), dates.due_on.isoformat()) == (answer_by, due_on)


def test_a_processor_has_twenty_days_where_the_controller_has_fifteen() -> None:
    assert due(RULES, "objection", at("2026-06-03"), "processor").due_on == date(2026, 6, 23)
    assert due(RULES, "view", at("2026-06-03"), "processor").due_on == date(2026, 6, 13)
    assert due(RULES, "erasure", at("2026-06-03")).due_on == date(2026, 6, 23)


def test_days_are_vietnamese() -> None:
    assert due(RULES, "correction", datetime.fromisoformat("2026-06-02T20:00+00:00")).due_on == date(
        2026, 6, 13
    )


@given(strategies.dates(date(2020, 1, 1), date(2040, 1, 1)), strategies.integers(1, 30))
def test_a_term_of_working_days_ends_on_one_and_holds_that_many(start: date, number: int) -> None:
    end = working_day(RULES.holidays, start, number)
    days = [start + timedelta(days=passed) for passed in range(1, (end - start).days + 1)]
    assert sum(is_working_day(RULES.holidays, day) for day in days) == number
    assert is_working_day(RULES.holidays, end)


def test_a_holiday_that_is_announced_puts_the_answer_off() -> None:
    tet = tuple(date(2027, 2, day) for day in range(5, 11))
    received = date(2027, 2, 4)
    assert working_day(RULES.holidays, received, 2) == date(2027, 2, 8)
    assert working_day(Holidays(yearly=RULES.holidays.yearly, once=tet), received, 2) == date(2027, 2, 12)


def test_what_is_due_comes_first_and_goes_when_it_is_done(database: Connection) -> None:
    later = open_request(database, RULES, "erasure", PERSON, at("2026-06-03"))
    sooner = open_request(database, RULES, "view", PERSON, at("2026-06-03"), agreement="portal-residence")
    assert [each.request_id for each in list_requests(database)] == sorted(
        [later.request_id, sooner.request_id]
    )
    for request in (later, sooner):
        note_step(database, uuid.UUID(request.request_id), "answered", "clerk")
    assert [each.kind for each in list_requests(database)] == ["view", "erasure"]
    assert [each.kind for each in list_requests(database, until=date(2026, 6, 13))] == ["view"]
    note_step(database, uuid.UUID(sooner.request_id), "done", "clerk")
    assert [each.kind for each in list_requests(database)] == ["erasure"]
    assert {each.closed_as for each in list_requests(database, closed=True)} == {"done", None}


def test_a_request_is_extended_once_and_with_a_reason(database: Connection) -> None:
    request = uuid.UUID(open_request(database, RULES, "withdrawal", PERSON, at("2026-06-03")).request_id)
    database.commit()
    with pytest.raises(RequestStepRefused, match="say why"):
        note_step(database, request, "extended", "clerk", extension_days=RULES.extension_days)
    database.rollback()
    extended = note_step(
        database,
        request,
        "extended",
        "clerk",
        reason="kept at two places",
        extension_days=RULES.extension_days,
    )
    assert (extended.due_on, extended.extended) == (date(2026, 7, 3), True)
    database.commit()
    with pytest.raises(RequestStepRefused, match="was extended before"):
        note_step(database, request, "extended", "clerk", reason="again", extension_days=15)
    database.rollback()
    note_step(database, request, "refused", "clerk", reason="no such consent")
    database.commit()
    with pytest.raises(RequestStepRefused, match="is closed"):
        note_step(database, request, "done", "clerk")


def test_nothing_of_a_request_is_ever_changed(database: Connection) -> None:
    open_request(database, RULES, "view", PERSON, at("2026-06-03"))
    for statement in ("update share.request set due_on = '2999-01-01'", "delete from share.request"):
        with database.cursor() as cursor:
            cursor.execute("savepoint before")
            with pytest.raises(psycopg2.errors.RaiseException, match="insert only"):
                cursor.execute(statement)
            cursor.execute("rollback to before")
