"""Any split into batches, any order and any repetition of the same records end in the same rows."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

KEYS = ("a", "b", "c")


def rows(tag: int) -> st.SearchStrategy[dict[str, list[dict[str, Any]]]]:
    """Rows as a mapping might make them of one version: entities come and go, items too."""
    name = st.sampled_from(["An", "Ân"]).map(lambda given: [{"full_name": f"{given} {tag}"}])
    items = st.sets(st.sampled_from("123")).map(lambda ids: [{"file_id": each} for each in sorted(ids)])
    code = st.sampled_from([[], [{"tax_code": "0100109106"}]])
    return st.fixed_dictionaries({"person": name, "document": items, "tax_registration": code})


def versions(statement: Any) -> st.SearchStrategy[list[Any]]:
    """Of every record some versions, one a day at most, deletions among them."""
    one = st.integers(0, 3).flatmap(
        lambda day: st.one_of(st.none(), rows(day)).map(lambda stated: (day, stated))
    )
    history = st.lists(one, max_size=4, unique_by=lambda version: version[0])
    return st.fixed_dictionaries(dict.fromkeys(KEYS, history)).map(
        lambda histories: [
            statement(key, day, stated or {}, stated is None)
            for key, history in histories.items()
            for day, stated in history
        ]
    )


def delivered(draw: Any, stated: list[Any]) -> list[list[Any]]:
    """The versions in any order, some again, cut into batches anywhere."""
    again = draw(st.lists(st.sampled_from(stated), max_size=6)) if stated else []
    line = draw(st.permutations(stated + again))
    cuts = sorted(draw(st.sets(st.integers(0, len(line)), max_size=5)))
    return [line[start:end] for start, end in zip([0, *cuts], [*cuts, len(line)], strict=True)]


def expected(bench: Any, stated: list[Any], entity: str) -> list[tuple[Any, ...]]:
    """The rows of the latest version of every record, worked out without the database."""
    latest = {each.key: each for each in sorted(stated, key=lambda each: each.day)}
    columns = list(bench.entities[entity].attributes)
    return sorted(
        (
            (each.key, each.stated_at, *(row.get(name) for name in columns))
            for each in latest.values()
            for row in each.rows.get(entity, ())
        ),
        key=lambda row: (row[0], row[2]),
    )


@given(data=st.data())
def test_deliveries_in_any_order_end_in_the_latest_versions(benches, statement, data) -> None:
    bench = benches.fresh()
    stated = data.draw(versions(statement))
    for batch in delivered(data.draw, stated):
        bench.land(*batch)
    for entity in ("person", "document", "tax_registration"):
        assert bench.living(entity) == expected(bench, stated, entity), entity
    latest = {each.key: each for each in sorted(stated, key=lambda each: each.day)}
    assert bench.held() == [
        (key, each.stated_at, "stated" if each.deleted else None) for key, each in sorted(latest.items())
    ]
