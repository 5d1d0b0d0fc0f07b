"""What was believed at any past moment, and what was true on any past day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.data.filling import fill
from oncehub.clock import VIETNAM
from oncehub.errors import ConfigError
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.reconcile.run import reconcile
from oncehub.reconcile.survivorship.history import Period, history, periods_of
from oncehub.reconcile.survivorship.versions import Version, valid_at, versions_of
from stubs.world.world import World

ID, LATER_ID = "001184000001", "001184000002"
ANH = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "sex": "female", "life_status": "alive"}
BEGAN = date(2026, 1, 1)

_SNAPSHOT = """
select clock_timestamp() as at, jsonb_object_agg(person_key, to_jsonb(p)) as people from truth.person p
"""


@pytest.fixture
def anh(hub):
    """The hub's own Ánh: her key, once she is believed in."""
    hub.state("population", "CD1", 0, personal_id=ID, **ANH)
    hub.reconcile()
    return UUID(hub.person("CD1")["person_key"])


def _address(unit):
    return {"unit": unit, "edition": "2025-07-01", "detail": "12 Hàng Bài"}


def _told(hub, person, attribute, **asked):
    found = history(hub.settings, person, [attribute], database=hub.database, **asked)
    return found.attributes[attribute]


def _true(hub, person, attribute, day, believed_at=None):
    periods = _told(hub, person, attribute, true_on=day, believed_at=believed_at).periods
    return [period.value for period in periods]


def _now(hub):
    return hub.row("select clock_timestamp() as now")["now"]


def test_a_move_is_dated_by_the_day_on_which_it_was_stated(hub, anh):
    hub.state("population", "CD1", 10, personal_id=ID, permanent_address=_address("00004"), **ANH)
    hub.reconcile()
    before = _now(hub)
    hub.state("population", "CD1", 40, personal_id=ID, permanent_address=_address("00008"), **ANH)
    hub.reconcile()
    told = _told(hub, anh, "permanent_address")
    assert [belief.value["unit"] for belief in told.beliefs] == ["00004", "00008"]
    assert [(each.value["unit"], each.true_from, each.true_until) for each in told.periods] == [
        ("00004", BEGAN + timedelta(10), BEGAN + timedelta(40)),
        ("00008", BEGAN + timedelta(40), None),
    ]
    assert _true(hub, anh, "permanent_address", BEGAN) == []
    assert _true(hub, anh, "permanent_address", BEGAN + timedelta(39)) == [_address("00004")]
    assert _true(hub, anh, "permanent_address", BEGAN + timedelta(40)) == [_address("00008")]
    assert _true(hub, anh, "permanent_address", BEGAN + timedelta(40), before) == [_address("00004")]


def test_what_is_had_for_life_was_always_what_it_is_corrected_to(hub, anh):
    before = _now(hub)
    hub.state("population", "CD1", 40, personal_id=ID, **ANH | {"birth_date": "1984-05-09"})
    hub.reconcile()
    assert _true(hub, anh, "birth_date", date(2000, 1, 1)) == ["1984-05-09"]
    assert _true(hub, anh, "birth_date", date(2000, 1, 1), before) == ["1984-05-07"]
    told = _told(hub, anh, "birth_date", believed_at=before)
    assert [belief.value for belief in told.beliefs] == ["1984-05-07"]


def test_a_death_counts_from_the_day_that_the_register_names(hub, anh):
    died = ANH | {"life_status": "deceased", "death_date": "2026-01-15"}
    hub.state("population", "CD1", 40, personal_id=ID, **died)
    hub.reconcile()
    hub.state("population", "CD1", 50, personal_id=ID, **died | {"death_date": "2026-01-20"})
    hub.reconcile()
    states = {day: _true(hub, anh, "life_status", BEGAN + timedelta(day)) for day in (0, 18, 19)}
    assert states == {0: ["alive"], 18: ["alive"], 19: ["deceased"]}
    assert _true(hub, anh, "life_status", date(1984, 5, 6)) == []
    assert _true(hub, anh, "life_status", date(1984, 5, 7)) == ["alive"]


def test_a_former_number_was_in_force_on_the_days_that_the_register_gives_it(hub, anh):
    before = _now(hub)
    hub.state("population", "CD1", 40, personal_id=LATER_ID, former=[ID], **ANH)
    hub.execute(
        "update record.former_identifier set valid_from = '1984-05-20', valid_until = '2026-01-31', "
        "received_at = clock_timestamp()"
    )
    hub.reconcile()
    days = {day: _true(hub, anh, "personal_id", day) for day in (date(2026, 1, 31), date(2026, 2, 1))}
    assert list(days.values()) == [[ID], [LATER_ID]]
    assert _true(hub, anh, "personal_id", date(1984, 5, 19)) == []
    assert _true(hub, anh, "personal_id", date(2026, 2, 1), before) == [ID]


def test_a_phone_that_no_source_states_any_more_leaves_the_golden_record(hub, anh):
    hub.state("portal", "TK1", 9, personal_id=ID, full_name=ANH["full_name"], phone="+84912000001")
    hub.reconcile()
    hub.delete("portal", "TK1")
    hub.reconcile()
    told = _told(hub, anh, "phone")
    (belief,), (period,) = told.beliefs, told.periods
    assert belief.believed_until is not None
    assert (period.true_from, period.true_until) == (BEGAN + timedelta(9), datetime.now(VIETNAM).date())


def test_who_is_gone_still_has_a_past(hub, anh):
    before = _now(hub)
    hub.delete("population", "CD1")
    hub.reconcile()
    assert [belief.value for belief in _told(hub, anh, "full_name", believed_at=before).beliefs] == [
        ANH["full_name"]
    ]
    assert _told(hub, anh, "full_name", believed_at=_now(hub)).beliefs == ()
    with pytest.raises(ConfigError, match="no person of that key ever had a golden record"):
        history(hub.settings, UUID(int=0), database=hub.database)


_STATES = st.fixed_dictionaries(
    {
        "day": st.integers(0, 9),
        "source": st.sampled_from(["population", "portal", "tax"]),
        "full_name": st.sampled_from(["Nguyễn Thị Ánh", "Nguyễn Thị Anh"]),
        "permanent_address": st.sampled_from([None, _address("00004"), _address("00008")]),
        "phone": st.sampled_from([None, "+84912000001", "+84912000002"]),
        "gone": st.sampled_from([False, False, False, True]),
    }
)


@settings(max_examples=settings.default.max_examples // 4)
@given(st.lists(st.lists(_STATES, max_size=3), max_size=4))
def test_whatever_happens_every_moment_shows_the_golden_record_of_then(hub, runs):
    hub.forget()
    hub.state("population", "population", 0, personal_id=ID, **ANH)
    moments = []
    for statements in [[], *runs]:
        for statement in statements:
            values = {name: value for name, value in statement.items() if name not in {"source", "gone"}}
            hub.state(statement["source"], statement["source"], personal_id=ID, **values)
            if statement["gone"]:
                hub.delete(statement["source"], statement["source"])
        hub.reconcile()
        moments.append(hub.row(_SNAPSHOT))
    _told_as_they_were(hub.database, moments)


def test_a_worlds_days_show_the_golden_records_and_addresses_of_then(new_hub):
    hub, world = new_hub("past"), World.generate(500, seed=4)
    moments, days = [], []
    for _ in range(4):
        fill(hub.settings, world)
        reconcile(hub.settings)
        moments.append(hub.row(_SNAPSHOT))
        days.append((world.now - timedelta(seconds=1)).astimezone(VIETNAM).date())
        world.advance()
    _told_as_they_were(hub.database, moments)

    rules, last = load_rulebook(hub.settings), moments[-1]["people"]
    moved = 0
    with hub.database:
        versions = versions_of(hub.database, map(UUID, last), None)
    for moment, day in zip(moments, days, strict=True):
        for person, believed in moment["people"].items():
            for attribute in ("permanent_address", "marital_status", "spouse"):
                periods = periods_of(rules, versions[UUID(person)], attribute)
                true = [period.value for period in periods if period.covers(day)]
                assert true == [_stripped(believed[attribute])] or (true, believed[attribute]) == ([], None)
                moved += len(periods) > 1
    assert moved > 10


def _told_as_they_were(database: Any, moments: list[dict[str, Any]]) -> None:
    everybody = {person for moment in moments for person in moment["people"] or {}}
    with database:
        versions = versions_of(database, map(UUID, everybody), None)
    changed = sum(len(each) for each in versions.values()) > len(everybody)
    assert changed or len(moments) == 1 or len(everybody) == 1
    for moment in moments:
        then = moment["people"] or {}
        for person in everybody:
            version = valid_at(moment["at"], versions.get(UUID(person), []))
            assert (version is not None) == (person in then)
            if version:
                assert _of(version) == _snapshot(then[person])


def _of(version: Version) -> dict[str, Any]:
    told = {name: version.origin(name) for name in version.believed}
    records = {name: origin.record for name, origin in told.items() if origin}
    return {name: (value, records[name]) for name, value in version.believed.items()}


def _snapshot(person: dict[str, Any]) -> dict[str, Any]:
    kept = {"person_key", "provenance", "believed_from"}
    provenance = person["provenance"]
    return {
        name: (_stripped(value), tuple(provenance.get(name, provenance["*"])[part] for part in _RECORD))
        for name, value in person.items()
        if name not in kept and value is not None
    }


_RECORD = ("source", "stream", "source_key")


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: part for name, part in value.items() if part is not None}
    return value


def _day(number: int) -> datetime:
    return datetime(2026, 1, number, 3, tzinfo=UTC)


def _version(number, value, as_of, attribute="permanent_address", **others):
    provenance = {"*": {"source": "population", "stream": "citizens", "source_key": "1", "rule": "authority"}}
    provenance["*"]["as_of"] = _day(as_of).isoformat()
    believed = {name: each for name, each in {attribute: value, **others}.items() if each is not None}
    return Version(_day(number), _day(number + 1), believed, provenance)


@pytest.mark.parametrize(
    ("stated", "true"),
    [
        ([("A", 1), ("A", 3)], [("A", 1, None)]),
        ([("A", 1), ("B", 3), ("C", 5)], [("A", 1, 3), ("B", 3, 5), ("C", 5, None)]),
        ([("A", 1), ("B", 5), ("C", 3)], [("A", 1, 3), ("C", 3, None)]),
        ([("A", 2), ("B", 5), ("A", 3)], [("A", 2, None)]),
        ([("A", 4), ("B", 2)], [("B", 2, None)]),
        ([("A", 1), (None, 4), ("A", 6)], [("A", 1, 4), ("A", 6, None)]),
        ([("A", 1), (None, 4), (None, 6)], [("A", 1, 4)]),
        ([(None, 1), ("A", 2)], [("A", 2, None)]),
    ],
)
def test_a_later_belief_says_all_of_the_time_from_its_day_on_and_nothing_of_the_time_before(
    hub, stated, true
):
    versions = [_version(20 + place, value, day) for place, (value, day) in enumerate(stated)]
    periods = periods_of(load_rulebook(hub.settings), versions, "permanent_address")
    expected = [
        Period(value, date(2026, 1, first), last and date(2026, 1, last)) for value, first, last in true
    ]
    assert periods == expected
