"""Whom a model links, whom it asks about, and whom it leaves alone."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from uuid import UUID

import pytest

from oncehub.errors import StoreUnavailable
from oncehub.reconcile.linking.explain import explain_link
from oncehub.reconcile.linking.merges import merge_people
from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.reconcile.matching import matcher as matching
from oncehub.reconcile.matching.evidence import PRIOR, RARITY, candidates_of, chart_of
from oncehub.reconcile.matching.scoring import score
from oncehub.reconcile.run import mark_all, reconcile

AN = {"full_name": "Đặng Thị Thùy An", "birth_date": "1984-05-07", "sex": "female"}
HOME = {"unit": "00001", "edition": "2024-12-01", "detail": "12 Hàng Bài"}
PHONE = "+84912000001"


def _cases(hub):
    return {
        (row["source"], row["source_key"]): row["evidence"]
        for row in hub.rows(
            "select source, source_key, evidence from truth.case_file "
            "where kind = 'possible_match' and closed_at is null"
        )
    }


def _named(evidence, hub):
    keys = {
        str(row["key"]): row["source_key"]
        for row in hub.rows(
            "select source_key, truth.person_key(source, stream, source_key)::text as key "
            "from record.person where source = 'population'"
        )
    }
    return [keys[each["person_key"]] for each in evidence["candidates"]]


def _linked_to(hub, source, key):
    found = hub.rows(
        "select p.source_key, k.method from truth.link k join record.person p on p.source = 'population' "
        "and truth.person_key(p.source, p.stream, p.source_key) = k.person_key "
        "where (k.source, k.source_key) = (%s, %s)",
        source,
        key,
    )
    return [(row["source_key"], row["method"]) for row in found]


def test_a_record_without_a_number_is_linked_to_the_one_person_it_fits(matcher):
    matcher.state("population", "1", personal_id="001184000001", permanent_address=HOME, **AN)
    matcher.state("population", "2", full_name="Trần Văn Bình", birth_date="1984-05-07", sex="male")
    matcher.state("portal", "a", permanent_address=HOME, **AN | {"full_name": "DANG THI THUY AN"})
    report = matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == [("1", "model")]
    assert (report.matching.judged, report.matching.linked, report.matching.cases) == (1, 1, 0)
    (link,) = matcher.rows("select probability from truth.link where method = 'model'")
    assert 0.99 < link["probability"] <= 1
    assert matcher.rows("select * from truth.unlinked") == []


@pytest.mark.parametrize(
    "stated",
    [
        pytest.param({"full_name": "Thùy An Đặng Thị"}, id="the name in another order"),
        pytest.param({"full_name": "Đặng Thị Thùy Am"}, id="one letter off"),
        pytest.param({"birth_date": "1984-07-05"}, id="day and month swapped"),
        pytest.param({"birth_date": "1984"}, id="the year alone"),
        pytest.param({"birth_date": "1984-01-01"}, id="1 January"),
        pytest.param(
            {"permanent_address": {"unit": "00097", "edition": "2025-07-01"}}, id="the commune it became"
        ),
    ],
)
def test_what_is_written_otherwise_is_still_the_same_person(matcher, stated):
    matcher.state("population", "1", permanent_address=HOME, **AN)
    matcher.state("tax", "known", personal_id=None, phone=PHONE, permanent_address=HOME, **AN)
    matcher.state("portal", "a", **{"permanent_address": HOME, **AN, **stated})
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == [("1", "model")]


def test_between_two_who_fit_a_clerk_decides(matcher):
    for twin in ("1", "2"):
        matcher.state("population", twin, permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    assert matcher.reconcile().matching.cases == 1
    assert _linked_to(matcher, "portal", "a") == []
    evidence = _cases(matcher)["portal", "a"]
    assert sorted(_named(evidence, matcher)) == ["1", "2"]
    assert len(matcher.rows("select * from truth.unlinked")) == 1


def test_a_case_shows_evidence_for_and_against_and_no_stated_values(matcher):
    for twin in ("1", "2"):
        matcher.state("population", twin, permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    matcher.reconcile()
    evidence = _cases(matcher)["portal", "a"]
    for candidate in candidates_of(evidence):
        told = {(weight.comparison, weight.level): weight.bits for weight in candidate.weights}
        assert list(told)[:3] == [
            (PRIOR, "one person in all of the register"),
            ("full_name", "as stated"),
            ("full_name", RARITY),
        ]
        assert told["phone", "not stated"] == 0
        assert told["birth_date", "same day"] > 5
        odds = 2 ** sum(told.values())
        assert candidate.probability == pytest.approx(odds / (1 + odds))
    assert "vega" in chart_of(candidates_of(evidence))
    assert "Thùy" not in str(evidence)
    assert "1984" not in str(evidence)


@pytest.mark.parametrize(
    ("link", "case", "outcome"),
    [
        pytest.param(0.8, 0.5, (1, 0), id="above both"),
        pytest.param(0.97, 0.5, (0, 1), id="between"),
        pytest.param(0.97, 0.96, (0, 0), id="below both"),
    ],
)
def test_what_lies_between_the_thresholds_is_a_case_and_no_link(matcher, tmp_path, link, case, outcome):
    matcher.state("population", "1", permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN | {"birth_date": "1984-02-03"})
    report = reconcile(_with_thresholds(matcher.settings, tmp_path, link, case), matcher.database)
    assert (report.matching.linked, report.matching.cases) == outcome
    assert (_linked_to(matcher, "portal", "a") == [("1", "model")]) == bool(outcome[0])
    (candidate,) = explain_link(matcher.settings, "portal", "accounts", "a", matcher.database).candidates
    assert 0.8 < candidate.probability < 0.96


def _with_thresholds(settings, folder, link, case):
    """The same configuration, but for the probabilities from which on a model links, or a clerk is asked."""
    for name in ("schemas", "connectors"):
        (folder / name).symlink_to(settings.root / name)
    shutil.copytree(settings.mappings, folder / "mappings")
    rules = folder / "mappings" / "rules" / "matching.yaml"
    text = re.sub(r"(?m)^  link: .*$", f"  link: {link}", rules.read_text("utf-8"))
    rules.write_text(re.sub(r"(?m)^  case: .*$", f"  case: {case}", text), "utf-8")
    return replace(settings, root=folder)


def test_a_run_cut_short_while_it_judges_leaves_all_as_it_was_and_the_next_one_does_it(matcher, monkeypatch):
    matcher.state("population", "1", permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    for twin in ("2", "3"):
        matcher.state("population", twin, full_name="Lê Hoàng Quốc Bảo", birth_date="1960-03-09")
    matcher.state("tax", "b", full_name="Lê Hoàng Quốc Bảo", birth_date="1960-03-09")

    def lost(*asked, **how):
        matcher.execute("select pg_terminate_backend(%s)", asked[0].info.backend_pid)
        return score(*asked, **how)

    monkeypatch.setattr(matching, "score", lost)
    with pytest.raises(StoreUnavailable):
        reconcile(matcher.settings)
    monkeypatch.undo()
    assert matcher.rows("select * from truth.link") == []
    assert matcher.rows("select * from truth.blocking_key") == []
    assert _cases(matcher) == {}
    report = matcher.reconcile()
    assert (report.dirty, report.matching.linked, report.matching.cases) == (5, 1, 1)
    assert _linked_to(matcher, "portal", "a") == [("1", "model")]


def test_a_name_alone_links_no_record(matcher):
    matcher.state("population", "1", permanent_address=HOME, **AN)
    matcher.state("banking", "a", full_name=AN["full_name"])
    matcher.reconcile()
    assert _linked_to(matcher, "banking", "a") == []


def test_who_states_another_number_than_the_person_bears_is_at_best_a_case(matcher):
    matcher.state("population", "1", personal_id="001184000001", permanent_address=HOME, **AN)
    matcher.state("portal", "a", personal_id="001184000009", permanent_address=HOME, **AN)
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == []
    (candidate,) = _cases(matcher)["portal", "a"]["candidates"]
    assert candidate["contradicted"]


def test_of_two_who_bear_one_nine_digit_number_the_one_it_fits_is_linked(matcher):
    matcher.state("population", "1", national_id_9="011222331", permanent_address=HOME, **AN)
    matcher.state("population", "2", national_id_9="011222331", full_name="Lê Hoàng", birth_date="1960-01-09")
    matcher.state("portal", "a", national_id_9="011222331", permanent_address=HOME, **AN)
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == [("1", "model")]


def test_somebody_elses_number_stays_a_case_of_its_own_whomever_the_rest_fits(matcher):
    matcher.state("population", "1", personal_id="001184000001", permanent_address=HOME, **AN)
    matcher.state(
        "population", "2", personal_id="001160000002", full_name="Lê Hoàng Quốc Bảo", birth_date="1960-03-09"
    )
    matcher.state("portal", "a", personal_id="001160000002", permanent_address=HOME, **AN)
    assert matcher.reconcile().matching.judged == 0
    assert _linked_to(matcher, "portal", "a") == []
    assert _cases(matcher) == {}


def test_whom_a_clerk_has_ruled_out_is_neither_linked_nor_named(matcher):
    for twin in ("1", "2"):
        matcher.state("population", twin, permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    matcher.reconcile()
    matcher.rule("portal", "a", "different", "1")
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == [("2", "model")]
    assert _cases(matcher) == {}
    matcher.rule("portal", "a", "different", "2")
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == []
    assert _cases(matcher) == {}


def test_a_clerks_decision_comes_before_the_models(matcher):
    matcher.state("population", "1", permanent_address=HOME, **AN)
    matcher.state("population", "2", full_name="Lê Hoàng", birth_date="1960-01-09")
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    matcher.rule("portal", "a", "same", "2")
    assert matcher.reconcile().matching.judged == 0
    assert _linked_to(matcher, "portal", "a") == [("2", "override")]


def test_people_of_the_register_are_never_merged(matcher):
    for twin in ("1", "2", "3"):
        matcher.state("population", twin, permanent_address=HOME, **AN)
    assert matcher.reconcile().matching.judged == 0
    assert len(matcher.rows("select * from truth.person")) == 3


def test_a_person_who_comes_or_changes_draws_in_the_records_they_fit(matcher):
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == []
    matcher.state("population", "1", permanent_address=HOME, **AN)
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == [("1", "model")]
    matcher.state("population", "2", permanent_address=HOME, **AN)
    matcher.reconcile()
    assert sorted(_named(_cases(matcher)["portal", "a"], matcher)) == ["1", "2"]
    matcher.state("population", "1", day=1, full_name="Lê Hoàng Quốc Bảo", birth_date="1960-03-09")
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == [("2", "model")]
    assert _cases(matcher) == {}
    matcher.delete("population", "2")
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == []


def test_a_phone_that_another_record_states_leads_to_the_person(matcher):
    matcher.state("population", "1", personal_id="001184000001", **AN)
    matcher.state("customs", "a", full_name=AN["full_name"], phone=PHONE)
    matcher.reconcile()
    assert _linked_to(matcher, "customs", "a") == []
    matcher.state("banking", "b", personal_id="001184000001", phone=PHONE, full_name=AN["full_name"])
    matcher.reconcile()
    assert _linked_to(matcher, "customs", "a") == [("1", "model")]
    matcher.state("banking", "b", day=1, personal_id="001184000001", phone=None, full_name=AN["full_name"])
    matcher.reconcile()
    assert _linked_to(matcher, "customs", "a") == []


def test_records_that_a_model_linked_state_no_identifiers(matcher):
    """A chain of answers, each resting on the last, would depend on which came first."""
    matcher.state("population", "1", permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, phone=PHONE, **AN)
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == [("1", "model")]
    matcher.state("customs", "b", full_name=AN["full_name"], phone=PHONE)
    matcher.reconcile()
    assert _linked_to(matcher, "customs", "b") == []


def test_a_number_that_comes_later_takes_the_models_place(matcher):
    matcher.state("population", "1", personal_id="001184000001", permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    matcher.reconcile()
    matcher.state("portal", "a", day=1, personal_id="001184000001", permanent_address=HOME, **AN)
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == [("1", "personal_id")]
    assert matcher.row("select probability from truth.link where source = 'portal'") == {"probability": None}
    assert matcher.rows("select * from truth.blocking_key") == []
    assert matcher.rows("select * from truth.blocked_record") == []


def test_oversized_keys_find_no_person_and_are_counted(matcher):
    matcher.execute(
        "insert into record.person (source, stream, source_key, full_name, birth_date, stated_at) "
        "select 'population', 'citizens', n::text, 'Đặng Thị Thùy An', '1984-05-07', '2026-01-01' "
        "from generate_series(1, 301) n"
    )
    matcher.execute("insert into intake.dirty select source, stream, source_key from record.person")
    matcher.state("portal", "a", **AN)
    report = matcher.reconcile()
    assert report.matching.oversized == 3
    assert _cases(matcher) == {}
    matcher.delete("population", "301")
    assert matcher.reconcile().matching.oversized == 0
    assert len(_cases(matcher)["portal", "a"]["candidates"]) == 10
    matcher.state("population", "301", day=1, **AN)
    assert matcher.reconcile().matching.oversized == 3
    assert _cases(matcher) == {}


def test_without_an_active_model_a_run_says_so(hub):
    hub.state("population", "1", permanent_address=HOME, **AN)
    hub.state("portal", "a", permanent_address=HOME, **AN)
    report = hub.reconcile()
    assert (report.matching.model, report.links["unlinked"]) == (None, 1)


def test_merged_people_are_one_person_to_a_model_however_many_are_scored(matcher, monkeypatch):
    for twin in ("1", "2"):
        matcher.state("population", twin, permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == []
    merge_people(
        matcher.settings,
        *(_key(matcher, twin) for twin in ("2", "1")),
        DecidedBy("clerk", "seen at the counter"),
        matcher.database,
    )
    matcher.reconcile()
    assert _linked_to(matcher, "portal", "a") == [("1", "model")]
    monkeypatch.setattr(matching, "are_many", lambda *_: True)
    mark_all(matcher.database)
    assert matcher.reconcile().matching.judged == 1
    assert _linked_to(matcher, "portal", "a") == [("1", "model")]


def _key(hub, number):
    found = hub.row("select truth.person_key('population', 'citizens', %s)::text as key", number)
    return UUID(found["key"])


def test_people_looked_up_one_by_one_are_those_who_are_found_in_bulk(matcher, monkeypatch):
    for number, birth in enumerate(("1984-05-07", "1984-05-07", "1984-07-05", "1960-03-09")):
        matcher.state("population", f"{number}", permanent_address=HOME, **AN | {"birth_date": birth})
    matcher.state("banking", "known", personal_id=None, phone=PHONE, **AN)
    became = {"unit": "00097", "edition": "2025-07-01"}
    matcher.state("portal", "a", permanent_address=became, **AN | {"birth_date": "1960-03-10"})
    matcher.state("portal", "b", permanent_address=HOME, **AN)
    matcher.state("portal", "c", permanent_address=HOME, **AN | {"birth_date": "1960-03-09"})
    matcher.state("tax", "d", phone=PHONE, **AN | {"full_name": "An Thùy Thị Đặng"})
    outcomes = []
    for at_once in (False, True):
        monkeypatch.setattr(matching, "are_many", lambda *_, answer=at_once: answer)
        matcher.forget(records=False)
        mark_all(matcher.database)
        assert matcher.reconcile().matching.judged == 5
        outcomes.append(
            (matcher.outcome(), matcher.rows("select * from truth.match_candidate order by 3, 4"))
        )
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0]["cases"] != []
    assert matcher.links() != {}
