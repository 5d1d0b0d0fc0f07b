"""A fingerprint tells whether the rows made from a record are those of the last time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.config.entities import Attribute, Entity
from oncehub.intake.landing.fingerprints import fingerprinted

TEXTS = st.one_of(st.none(), st.sampled_from(["", "An", "Bình", "001084000999"]))
ROWS = st.lists(
    st.fixed_dictionaries({"source_key": st.sampled_from("ab"), "name": TEXTS, "phone": TEXTS}), max_size=6
)
KEYS = pl.DataFrame({"source_key": ["a", "b"], "stated_at": [1, 2]})
SCHEMA = dict.fromkeys(("source_key", "name", "phone"), pl.String())


def entity(name: str) -> Entity:
    attributes = {each: Attribute(each, "text", "") for each in ("name", "phone")}
    return Entity(name, attributes, (), None, {})


def prints(rows: list[dict[str, Any]], name: str = "person") -> dict[str, int]:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    printed = fingerprinted(KEYS, {name: frame}, {name: entity(name)})
    assert printed["source_key"].to_list() == ["a", "b"]
    return dict(printed.select("source_key", "fingerprint").iter_rows())


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_rows_count_in_any_order(orders) -> None:
    one, other = orders
    assert prints(one) == prints(other)


@given(ROWS, ROWS)
def test_a_record_s_fingerprint_changes_just_when_its_rows_do(before, after) -> None:
    for key in "ab":
        held, stated = (
            Counter((row["name"], row["phone"]) for row in rows if row["source_key"] == key)
            for rows in (before, after)
        )
        assert (prints(before)[key] == prints(after)[key]) == (held == stated)


def test_a_value_that_moves_to_another_attribute_is_a_change() -> None:
    row = {"source_key": "a", "name": "An", "phone": None}
    assert prints([row])["a"] != prints([row | {"name": None, "phone": "An"}])["a"]


def test_the_same_row_of_another_entity_is_a_change() -> None:
    row = {"source_key": "a", "name": "An", "phone": None}
    assert prints([row])["a"] != prints([row], "customs_registration")["a"]


def test_a_statement_that_says_nothing_new_writes_nothing(bench, statement) -> None:
    row = {"person": [{"full_name": "Nguyễn Văn An"}], "tax_registration": [{"tax_code": "8012345678"}]}
    bench.land(statement("a", 1, row))
    before = bench.query(
        "select ctid, xmin from record.person union all select ctid, xmin from intake.record_state"
    )
    assert bench.land(statement("a", 1, row)).accepted == 0
    assert before == bench.query(
        "select ctid, xmin from record.person union all select ctid, xmin from intake.record_state"
    )


@pytest.mark.parametrize("fingerprint", [None, 7])
def test_a_fingerprint_of_another_version_costs_a_comparison_and_changes_no_row(
    bench, statement, fingerprint
) -> None:
    row = {"person": [{"full_name": "Nguyễn Văn An"}]}
    bench.land(statement("a", 1, row))
    bench.clean()
    with bench.database, bench.database.cursor() as cursor:
        cursor.execute("update intake.record_state set fingerprint = %s", (fingerprint,))
    rows = bench.query("select ctid, xmin from record.person")
    assert bench.land(statement("a", 1, row)).accepted == 0
    assert bench.query("select ctid, xmin from record.person") == rows
    assert bench.dirty() == {}
    [(printed,)] = bench.query("select fingerprint from intake.record_state")
    assert printed not in (None, 7)
