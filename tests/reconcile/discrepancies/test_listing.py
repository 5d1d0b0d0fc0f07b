"""What is listed of discrepancies: by source, kind, severity, person and age, the gravest first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oncehub.errors import ConfigError
from oncehub.reconcile.discrepancies.listing import Wanted, list_closed, list_open, show_discrepancy

ANH = {"personal_id": "001184000001", "full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07"}
BINH = {"personal_id": "001090000002", "full_name": "Trần Văn Bình", "birth_date": "1990-02-01"}


@pytest.fixture
def told(hub):
    """A birth date in conflict for 100 days, another for 2, a year alone, and somebody else's number."""
    hub.state("population", "CD1", 0, **ANH)
    hub.state("population", "CD2", 0, **BINH)
    hub.state("portal", "TK1", 1, **ANH | {"birth_date": "1984-07-05"})
    hub.state("portal", "TK2", 1, **BINH | {"birth_date": "1990-01-02"})
    hub.state("tax", "T1", 1, **ANH | {"birth_date": "1984"})
    hub.state("banking", "B1", 1, **ANH | {"full_name": "Lê Hoàng Yến", "birth_date": "1960-01-01"})
    hub.reconcile()
    for key, days in (("TK1", 100), ("TK2", 2), ("T1", 200)):
        hub.execute(
            "update truth.discrepancy set opened_at = opened_at - make_interval(days => %s) "
            "where source_key = %s",
            days,
            key,
        )
    return hub


def test_the_gravest_come_first_and_of_those_the_oldest(told):
    assert _keys(told) == ["TK1", "B1", "TK2", "T1"]
    assert [each.severity for each in list_open(told.database, Wanted(), limit=9)] == [
        "high",
        "high",
        "medium",
        "low",
    ]
    assert len(list_open(told.database, Wanted(), limit=3)) == 3


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (Wanted(source="portal"), ["TK1", "TK2"]),
        (Wanted(source="customs"), []),
        (Wanted(kind="wrong_person"), ["B1"]),
        (Wanted(severity="low"), ["T1"]),
        (Wanted(severity="high", kind="conflict"), ["TK1"]),
        (Wanted(age=timedelta(days=2)), ["TK1", "TK2", "T1"]),
        (Wanted(age=timedelta(days=201)), []),
    ],
)
def test_each_wish_narrows_the_list(told, wanted, keys):
    assert _keys(told, wanted) == keys


def test_a_person_s_own_are_listed_with_what_is_stated_and_believed(told):
    person = told.person("CD2")["person_key"]
    (only,) = list_open(told.database, Wanted(person=person), limit=9)
    assert (only.source_value, only.golden_value, only.person_key) == (
        "1990-01-02",
        "1990-02-01",
        str(person),
    )
    assert show_discrepancy(told.database, only.discrepancy_id).source_key == "TK2"


def test_what_closed_is_listed_apart_with_why_and_how_long_it_took(told):
    told.state("portal", "TK1", 2, **ANH)
    told.reconcile()
    assert _keys(told) == ["B1", "TK2", "T1"]
    (closed,) = list_closed(told.database, Wanted(source="portal"), limit=9)
    assert (closed.source_key, closed.severity, closed.closed_because) == ("TK1", None, "corrected")
    assert closed.age.days == 100
    assert list_closed(told.database, Wanted(age=timedelta(days=101)), limit=9) == []
    assert show_discrepancy(told.database, closed.discrepancy_id).closed_at == closed.closed_at


def test_a_number_that_no_discrepancy_has_is_reported(told):
    with pytest.raises(ConfigError, match="no discrepancy 0"):
        show_discrepancy(told.database, 0)


def _keys(hub, wanted=None):
    return [each.source_key for each in list_open(hub.database, wanted or Wanted(), limit=9)]
