"""Communes as of a day: the successor where there is one, candidates where there are more, never a guess."""

from __future__ import annotations

import csv
import datetime
from collections import defaultdict

import polars as pl
import pytest

from oncehub.errors import ConfigError
from oncehub.normalize.transforms.registry import Transforms, named

from ..configuration import ROOT

KNOWN = Transforms(ROOT / "mappings")
PAIRS = [
    (row["old_ward_code"], row["new_ward_code"], row["relation"])
    for row in csv.DictReader((ROOT / "mappings/codes/admin_unit_successors.csv").open(encoding="utf-8"))
    if row["old_ward_code"]
]
FORMER = sorted({former for former, _, _ in PAIRS})
PRESENT = [
    row["ward_code"]
    for row in csv.DictReader((ROOT / "mappings/codes/admin_units.csv").open(encoding="utf-8"))
]
SPLIT = {former for former, _, relation in PAIRS if relation == "split"}
SUCCESSORS = defaultdict(set)
PREDECESSORS = defaultdict(set)
for former, present, _ in PAIRS:
    SUCCESSORS[former].add(present)
    PREDECESSORS[present].add(former)


def apply(written, values):
    _, change, _ = KNOWN.named(written)
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.String)})
    return frame.select(change(pl.col("value"))).to_series().to_list()


def test_a_commune_that_went_wholly_into_one_becomes_that_one_and_a_split_one_is_not_guessed():
    assert len(SPLIT) > 400
    expected = [None if code in SPLIT else next(iter(SUCCESSORS[code])) for code in FORMER]
    assert apply({"unit_as_of": "2025-07-01"}, FORMER) == expected
    assert apply({"unit_as_of_unless_split": "2025-07-01"}, FORMER) == expected


def test_the_engineer_chooses_whether_a_split_commune_fails_the_record():
    assert [KNOWN.named({name: "2025-07-01"})[2] for name in ("unit_as_of", "unit_as_of_unless_split")] == [
        False,
        True,
    ]


def test_all_candidates_of_a_commune_are_told():
    expected = [" ".join(sorted(SUCCESSORS[code])) for code in FORMER]
    assert apply({"unit_candidates": "2025-07-01"}, FORMER) == expected


def test_a_present_commune_leads_back_only_where_all_of_it_came_from_one():
    back = {"unit_as_of": ["2025-01-01", "2025-07-01"]}
    expected = [min(found) if len(found := PREDECESSORS[code]) == 1 else None for code in PRESENT]
    assert apply(back, PRESENT) == expected
    assert 0 < sum(code is not None for code in expected) < 200


@pytest.mark.parametrize(
    ("day", "edition", "codes"), [("2025-06-30", "2024-12-01", FORMER), ("2030-01-01", "2026-01-01", PRESENT)]
)
def test_a_code_stays_on_days_of_its_own_catalogue(day, edition, codes):
    for name in ("unit_as_of", "unit_candidates"):
        assert apply({name: [day, edition]}, codes) == codes
    assert apply({"unit_code": day}, codes) == codes


def test_a_code_of_the_other_catalogue_or_of_none_is_no_code_of_the_day():
    gone = sorted(set(FORMER) - set(PRESENT))
    assert apply({"unit_code": "2025-07-01"}, [*gone[:50], "1", "0000a", None]) == [None] * 53
    assert apply({"unit_as_of": "2025-07-01"}, ["99999", "1", None]) == [None] * 3
    island_without_former_communes = ["11948"]
    back = {"unit_candidates": ["2025-01-01", "2025-07-01"]}
    assert apply(back, island_without_former_communes) == [None]


@pytest.mark.parametrize(
    "day", [datetime.date(2025, 7, 1), datetime.datetime(2025, 7, 1, tzinfo=datetime.UTC)]
)
def test_a_day_may_be_written_without_quotes(day):
    assert apply({"unit_as_of": day}, ["00006"]) == ["00008"]


@pytest.mark.parametrize("day", ["01/07/2025", "2019-01-01", 2025, None])
def test_a_day_of_no_known_catalogue_is_refused_with_advice(day):
    with pytest.raises(ValueError, match="write one from 2024-12-01 on"):
        KNOWN.named({"unit_as_of": day})


def test_a_missing_list_of_units_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"admin_unit_successors\.csv: cannot be read"):
        Transforms(tmp_path).named({"unit_candidates": "2025-07-01"})
    with pytest.raises(ValueError, match="reads files of the folder mappings/"):
        named({"unit_candidates": "2025-07-01"})
