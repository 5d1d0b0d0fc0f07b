"""Whatever the order of delivery, and however it falls into runs, a model decides the same in the end."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oncehub.reconcile.run import mark_all

# Few people, who look alike, and records that mostly lack a number.
_PERSONAL_IDS = ["001184000001", "001184000002", "001184000003"]
_NAMES = ["Đặng Thị Thùy An", "DANG THI THUY AN", "Đặng Thị Thùy Am", "An Đặng Thị Thùy", "Lê Hoàng Quốc Bảo"]
_BIRTHS = ["1984-05-07", "1984-05-07", "1984-07-05", "1984", "1960-03-09"]
_PHONES = ["+84912000001", "+84912000002"]
_ADDRESSES = [
    {"unit": "00001", "edition": "2024-12-01", "detail": None},
    {"unit": "00097", "edition": "2025-07-01", "detail": None},
    {"unit": "00004", "edition": "2025-07-01", "detail": None},
]
_KEYS = """
select k.key, r.source, r.stream, r.source_key, k.key = any(r.keys) as kept_beside
from truth.blocking_key k full join truth.blocked_record r using (entry)
order by key, source, stream, source_key
"""
_CANDIDATES = "select * from truth.match_candidate order by person_key, source, stream, source_key"


def _some(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


def _record(source: str, key: str, **columns: Any) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {"source": st.just(source), "key": st.just(key)}
    stated = {
        "full_name": st.sampled_from(_NAMES),
        "day": st.integers(0, 4),
        "gone": st.sampled_from([False, False, False, True]),
        "personal_id": st.sampled_from([None, None, None, *_PERSONAL_IDS]),
        "birth_date": st.sampled_from(_BIRTHS),
        "permanent_address": _some(_ADDRESSES),
    }
    return st.fixed_dictionaries(fixed | stated | columns)


_REGISTERED = {"personal_id": _some(_PERSONAL_IDS)}
_RECORDS = st.tuples(
    *(_record("population", f"P{number}", **_REGISTERED) for number in range(3)),
    *(
        _record(source, f"{source[0].upper()}{number}", phone=_some(_PHONES))
        for source in ("portal", "tax", "banking")
        for number in range(2)
    ),
)


def _land(hub, record):
    stated = {name: value for name, value in record.items() if name not in {"source", "key", "gone"}}
    hub.state(record["source"], record["key"], **stated)
    if record["gone"]:
        hub.delete(record["source"], record["key"])


def _outcome(hub):
    """What is decided, and what later changes are to draw in; kinds aside, which follow from the past too."""
    outcome = hub.outcome()
    for discrepancy in outcome["discrepancies"]:
        if discrepancy["kind"] in {"stale", "conflict"}:
            del discrepancy["kind"]
    return outcome | {"keys": hub.rows(_KEYS), "candidates": hub.rows(_CANDIDATES)}


@settings(max_examples=settings.default.max_examples // 2)
@given(_RECORDS, st.data())
def test_any_order_in_any_number_of_runs_ends_in_the_same_links_and_cases(matcher, records, data):
    matcher.forget()
    for record in records:
        _land(matcher, record)
    matcher.reconcile()
    at_once = _outcome(matcher)

    matcher.forget()
    order = data.draw(st.permutations(records), label="order")
    ends = data.draw(st.sets(st.integers(1, len(records) - 1), max_size=4), label="runs end after")
    for count, record in enumerate(order, start=1):
        _land(matcher, record)
        if count in ends:
            matcher.reconcile()
    matcher.reconcile()
    assert _outcome(matcher) == at_once


@settings(max_examples=settings.default.max_examples // 2)
@given(_RECORDS, _RECORDS, st.data())
def test_after_any_changes_what_is_decided_is_what_the_last_state_alone_gives(matcher, first, then, data):
    matcher.forget()
    for record in first:
        _land(matcher, record)
    matcher.reconcile()
    for number in data.draw(st.sets(st.integers(0, len(then) - 1)), label="changed"):
        _land(matcher, then[number] | {"day": then[number]["day"] + 5})
        if data.draw(st.booleans(), label="run"):
            matcher.reconcile()
    matcher.reconcile()
    by_and_by = _outcome(matcher)

    matcher.forget(records=False)
    mark_all(matcher.database)
    matcher.reconcile()
    assert by_and_by == _outcome(matcher)
