"""Whatever the order of delivery and however it falls into runs, the same is believed in the end."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oncehub.reconcile.run import mark_all

# Few numbers, names and people, so that nearly everything collides with something.
_PERSONAL_IDS = ["001184000001", "001184000002", "001184000003"]
_NATIONAL_IDS = ["011222331", "011222332"]
_TAX_CODES = ["0312345671", "0312345671-001", "0312345672", "001184000001"]
_PASSPORTS = ["C1234567", "P00123456"]
_NAMES = ["Nguyễn Thị Ánh", "NGUYEN THI ANH", "Nguyễn Thị Ách", "Trần Văn Bình", "Lê Hoàng Yến"]
_BIRTHS = ["1984-05-07", "1984", "1984-07-05", "1990-11-20"]
_ADDRESSES = [
    {"unit": "00001", "edition": "2024-12-01", "detail": "12 Hàng Bài"},
    {"unit": "00097", "edition": "2025-07-01", "detail": "12 HÀNG BÀI"},
    {"unit": "00004", "edition": "2025-07-01", "detail": None},
]


def _some(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


def _record(source: str, key: str, **columns: Any) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {name: st.just(value) for name, value in (("source", source), ("key", key))}
    stated = {
        "full_name": st.sampled_from(_NAMES),
        "day": st.integers(0, 4),
        "gone": st.sampled_from([False, False, False, True]),
        "personal_id": _some(_PERSONAL_IDS),
        "national_id_9": _some(_NATIONAL_IDS),
    }
    return st.fixed_dictionaries(fixed | stated | columns)


_PERSON = {"birth_date": _some(_BIRTHS), "sex": _some(["male", "female"])}
_CONTACT = {"phone": _some(["+84912000001", "+84912000002"]), "life_status": _some(["alive", "deceased"])}
_SHAPES: dict[str, dict[str, Any]] = {
    "population": {
        **_PERSON,
        "permanent_address": _some(_ADDRESSES),
        "life_status": st.sampled_from(["alive", "deceased", "missing"]),
        "former": st.lists(st.sampled_from(_PERSONAL_IDS), unique=True, max_size=1),
    },
    "portal": {**_PERSON, **_CONTACT, "permanent_address": _some(_ADDRESSES)},
    "tax": {**_PERSON, **_CONTACT, "tax_code": _some(_TAX_CODES)},
    "customs": {**_CONTACT, "tax_code": _some(_TAX_CODES), "passport": _some(_PASSPORTS)},
    "banking": {
        **_CONTACT,
        "tax_code": _some(_TAX_CODES),
        "passport": _some(_PASSPORTS),
        "email": _some(["a@example.vn", "b@example.vn"]),
    },
}
_RECORDS = st.tuples(
    *(
        _record(source, f"{source[0].upper()}{number}", **shape)
        for source, shape in _SHAPES.items()
        for number in range(3 if source in {"population", "tax"} else 2)
    )
)


def _land(hub, record):
    stated = {name: value for name, value in record.items() if name not in {"source", "key", "gone"}}
    hub.state(record["source"], record["key"], **stated)
    if record["gone"]:
        hub.delete(record["source"], record["key"])


@settings(max_examples=settings.default.max_examples // 2)
@given(_RECORDS, st.data())
def test_any_order_in_any_number_of_runs_ends_in_the_same_truth(hub, records, data):
    hub.forget()
    for record in records:
        _land(hub, record)
    hub.reconcile()
    at_once = hub.outcome()

    hub.forget()
    order = data.draw(st.permutations(records), label="order")
    ends = data.draw(st.sets(st.integers(1, len(records) - 1), max_size=4), label="runs end after")
    for count, record in enumerate(order, start=1):
        _land(hub, record)
        if count in ends:
            hub.reconcile()
    hub.reconcile()
    assert hub.outcome() == at_once
    assert hub.rows("select * from intake.dirty") == []


@settings(max_examples=settings.default.max_examples // 2)
@given(_RECORDS, _RECORDS, st.data())
def test_after_any_changes_the_truth_is_that_of_a_hub_that_saw_only_the_last_state(hub, first, then, data):
    hub.forget()
    for record in first:
        _land(hub, record)
    hub.reconcile()
    changed = data.draw(st.sets(st.integers(0, len(then) - 1)), label="changed")
    for number in changed:
        # Stated later, as intake lands nothing older than what it holds.
        _land(hub, then[number] | {"day": then[number]["day"] + 5})
        if data.draw(st.booleans(), label="run"):
            assert hub.reconcile().adds_up
    assert hub.reconcile().adds_up
    assert hub.recount() == []
    changed_by_and_by = _without_kinds(hub.outcome())

    hub.forget(records=False)
    mark_all(hub.database)
    hub.reconcile()
    assert changed_by_and_by == _without_kinds(hub.outcome())


def _without_kinds(outcome):
    """Whether a difference is stale or a conflict also follows from what was believed before."""
    for discrepancy in outcome["discrepancies"]:
        if discrepancy["kind"] in {"stale", "conflict"}:
            del discrepancy["kind"]
    return outcome
