"""The benchmark of accuracy counts strictly, and its hub is held against what only the simulation knows."""

import polars as pl
import pytest

from benchmarks.accuracy import Accuracy, measure
from benchmarks.measuring.scores import (
    DISCREPANCY,
    LINK,
    Cases,
    Score,
    score_discrepancies,
    score_links,
    weigh_cases,
)
from benchmarks.measuring.server import Server

PEOPLE = 800


def links(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Of (key, register_id, method)."""
    columns = (*LINK, "method")
    stated = [("portal", "accounts", *row) for row in rows]
    return pl.DataFrame(stated, schema=dict.fromkeys(columns, pl.String), orient="row")


def discrepancies(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    """Of (key, register_id, attribute, kind)."""
    stated = [("portal", "accounts", *row) for row in rows]
    return pl.DataFrame(stated, schema=dict.fromkeys(DISCREPANCY, pl.String), orient="row")


def test_a_link_to_somebody_else_is_wrong_and_leaves_the_record_missed() -> None:
    truth = links(("1", "A", "personal_id"), ("2", "B", "personal_id"), ("3", "C", "none"))
    linked = links(("1", "A", "personal_id"), ("2", "C", "personal_id"))
    scores = score_links(linked, truth)
    assert scores["all"] == Score(found=2, right=1, expected=3, reached=1)
    assert scores["personal_id"] == Score(found=2, right=1, expected=2, reached=1)
    assert scores["none"] == Score(found=0, right=0, expected=1, reached=0)


def test_a_record_is_reached_by_whatever_method_but_precision_is_of_the_method_that_linked() -> None:
    truth = links(("1", "A", "personal_id"), ("2", "B", "none"))
    scores = score_links(links(("1", "A", "model"), ("2", "B", "model")), truth)
    assert scores["model"] == Score(found=2, right=2, expected=0, reached=0)
    assert scores["personal_id"] == Score(found=0, right=0, expected=1, reached=1)
    assert scores["none"] == Score(found=0, right=0, expected=1, reached=1)
    assert scores["all"].f1 == 1


def test_a_link_of_a_record_about_no_person_in_the_register_is_wrong() -> None:
    scores = score_links(links(("1", "A", "model")), links())
    assert scores["all"] == Score(found=1, right=0, expected=0, reached=0)
    assert scores["all"].precision == 0


@pytest.mark.parametrize(
    "found",
    [
        ("1", "A", "phone", "conflict"),
        ("1", "A", "email", "stale"),
        ("1", "B", "phone", "stale"),
        ("2", "A", "phone", "stale"),
    ],
)
def test_a_discrepancy_counts_only_of_the_same_record_person_attribute_and_kind(
    found: tuple[str, str, str, str],
) -> None:
    truth = discrepancies(("1", "A", "phone", "stale"))
    assert score_discrepancies(truth, truth)["all"] == Score(1, 1, 1, 1)
    assert score_discrepancies(discrepancies(found), truth)["all"] == Score(1, 0, 1, 0)


def test_discrepancies_are_scored_by_kind_and_by_attribute() -> None:
    truth = discrepancies(("1", "A", "phone", "stale"), ("2", "B", "sex", "conflict"))
    found = discrepancies(("1", "A", "phone", "stale"), ("3", "C", "phone", "stale"))
    by_kind = score_discrepancies(found, truth)
    assert by_kind == {"all": Score(2, 1, 2, 1), "conflict": Score(0, 0, 1, 0), "stale": Score(2, 1, 1, 1)}
    by_attribute = score_discrepancies(found, truth, by="attribute")
    assert by_attribute == {"all": Score(2, 1, 2, 1), "phone": Score(2, 1, 1, 1), "sex": Score(0, 0, 1, 0)}


def test_rates_are_those_of_the_field() -> None:
    score = Score(found=8, right=6, expected=12, reached=6)
    assert (score.precision, score.recall, score.f1) == (0.75, 0.5, pytest.approx(0.6))
    nothing = Score(found=0, right=0, expected=0, reached=0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (1, 1, 1)
    assert Score(found=3, right=0, expected=3, reached=0).f1 == 0


def test_a_case_is_the_same_person_only_if_the_record_is_about_one_it_names() -> None:
    truth = links(("1", "A", "wrong_person"), ("2", "B", "personal_id"))
    cases = pl.DataFrame(
        [
            ("portal", "accounts", key, person, kind)
            for key, person, kind in (("1", "C", "x"), ("2", "A", "x"), ("2", "B", "x"), ("9", "B", "y"))
        ],
        schema=dict.fromkeys((*LINK, "kind"), pl.String),
        orient="row",
    )
    assert weigh_cases(cases, truth) == {"x": Cases(2, 1, 1), "y": Cases(1, 0, 1)}


@pytest.fixture(scope="module")
def measured(server_folder) -> dict[bool, Accuracy]:
    home = server_folder()
    server = Server(home / "postgres")
    try:
        return {folding: measure(server, home, PEOPLE, "heavy", folding=folding) for folding in (True, False)}
    finally:
        server.stop()


def test_every_record_with_an_identifier_of_its_own_is_linked(measured: dict[bool, Accuracy]) -> None:
    scores = measured[True].links
    for method in ("personal_id", "former_personal_id", "national_id_9", "tax_code"):
        assert scores[method].expected > 0
        assert scores[method].recall == scores[method].precision == 1
    assert scores["all"].expected > 1000


def test_many_records_without_an_identifier_are_linked_by_the_model(measured: dict[bool, Accuracy]) -> None:
    scores = measured[True].links
    assert scores["none"].expected > 50
    assert scores["none"].recall > 0.4
    assert scores["model"].precision > 0.9
    assert measured[True].cases["possible_match"].opened > 0


def test_every_number_of_somebody_else_is_a_case(measured: dict[bool, Accuracy]) -> None:
    foreign = measured[True].links["wrong_person"].expected
    assert measured[True].cases["wrong_person"].different == foreign > 10
    assert measured[True].discrepancies["wrong_person"].recall == 1


def test_without_folding_names_that_differ_in_accents_alone_are_conflicts(
    measured: dict[bool, Accuracy],
) -> None:
    folded, unfolded = (measured[folding].by_attribute["full_name"] for folding in (True, False))
    assert folded.precision == 1
    assert unfolded.found > 10 * folded.found
    assert unfolded.precision < 0.2
    assert measured[False].links["personal_id"].found <= measured[True].links["personal_id"].found
