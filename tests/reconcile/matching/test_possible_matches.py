"""A case that a model opens shows what speaks for and against each person, and a decision ends it."""

from __future__ import annotations

from uuid import UUID

from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.reconcile.matching.evidence import chart_of
from oncehub.reconcile.stewardship.cases import decide, list_cases, open_case_file

AN = {"full_name": "Đặng Thị Thùy An", "birth_date": "1984-05-07", "sex": "female"}
HOME = {"unit": "00001", "edition": "2024-12-01", "detail": "12 Hàng Bài"}


def test_a_record_that_two_people_fit_is_shown_with_the_evidence_and_decided(matcher):
    for key in ("1", "2"):
        matcher.state("population", key, personal_id=f"00118400000{key}", permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    matcher.reconcile()
    with matcher.database:
        (case,) = list_cases(matcher.database, kinds=["possible_match"])
        file = open_case_file(matcher.database, case.case_id, ["full_name", "personal_id"])
    assert file.people == tuple(each.person_key for each in file.candidates)
    assert len(file.people) == 2
    name, number = file.compared
    assert [held.equals for held in name.golden_values] == [True, True]
    assert (number.source_value, {held.value for held in number.golden_values}) == (
        None,
        {"001184000001", "001184000002"},
    )
    assert "vega" in chart_of(file.candidates)

    with matcher.database:
        chosen = UUID(file.people[1])
        decide(matcher.database, case.case_id, "same", DecidedBy("clerk", "seen"), person_key=chosen)
    matcher.reconcile()
    assert matcher.row("select person_key::text, method from truth.link where source = 'portal'") == {
        "person_key": str(chosen),
        "method": "override",
    }


def test_of_people_whom_a_clerk_has_ruled_out_a_model_never_asks_again(matcher):
    for key in ("1", "2"):
        matcher.state("population", key, personal_id=f"00118400000{key}", permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    matcher.reconcile()
    with matcher.database:
        (case,) = list_cases(matcher.database)
        decide(matcher.database, case.case_id, "different", DecidedBy("clerk", "seen"))
    for day in (1, 2):
        matcher.state("portal", "a", day, permanent_address=HOME, **AN)
        report = matcher.reconcile()
        assert (report.matching.linked, report.matching.cases) == (0, 0)
