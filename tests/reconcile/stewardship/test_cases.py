"""What rules leave to a clerk is asked once, keeps its age, and is decided for good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import UUID, uuid4

import psycopg2
import pytest

from oncehub.errors import CaseNotFound, DecisionRefused, RunBusy
from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.reconcile.run import mark_all
from oncehub.reconcile.stewardship.cases import decide, list_cases, open_case_file
from oncehub.store.connection import connect

ANH = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07"}
BINH = {"full_name": "Trần Văn Bình", "birth_date": "1990-11-20"}
CHI = {"full_name": "Lê Thị Chi", "birth_date": "1990-11-20"}
NINE = "011222333"


@pytest.fixture
def borrowed(hub):
    """An account under somebody else's number; gives the hub with that case open."""
    hub.state("population", "CD1", personal_id="001184000001", **ANH)
    hub.state("population", "CD2", personal_id="001090000002", **BINH)
    hub.state("portal", "TK1", personal_id="001184000001", phone="+84912345678", **BINH)
    hub.reconcile()
    return hub


@pytest.fixture
def contested(hub):
    """A nine-digit number that two people bear, and an account that states no other."""
    hub.state("population", "CD1", personal_id="001184000001", national_id_9=NINE, **ANH)
    hub.state("population", "CD2", personal_id="001090000002", national_id_9=NINE, **BINH)
    hub.state("population", "CD3", personal_id="001090000003", **CHI)
    hub.state("banking", "B1", national_id_9=NINE, full_name="A. Nguyen")
    hub.reconcile()
    return hub


def _key(hub, name):
    return UUID(hub.person(name)["person_key"])


def _open(hub):
    with hub.database:
        return list_cases(hub.database)


def _only(hub):
    (case,) = _open(hub)
    return case


def _decide(hub, said, by="clerk", **more):
    with hub.database:
        (case,) = list_cases(hub.database)
        return decide(hub.database, case.case_id, said, DecidedBy(by, "seen"), **more)


def _file(hub, case):
    with hub.database:
        return open_case_file(hub.database, case.case_id, load_rulebook(hub.settings).attributes)


def _linked(hub):
    rows = hub.rows(
        "select k.source_key, p.source_key as person from truth.link k join record.person p "
        "on p.source = 'population' and truth.person_key(p.source, p.stream, p.source_key) = k.person_key "
        "where k.source <> 'population'"
    )
    return {row["source_key"]: row["person"] for row in rows}


def test_an_open_case_keeps_its_number_and_its_age(borrowed):
    case = _only(borrowed)
    assert (case.kind, case.source, case.four_eyes) == ("wrong_person", "portal", False)
    borrowed.state("portal", "TK1", 2, personal_id="001184000001", **BINH | {"birth_date": None})
    borrowed.reconcile()
    mark_all(borrowed.database)
    borrowed.reconcile()
    assert _only(borrowed) == case
    evidence = borrowed.row("select evidence ->> 'birth_date' as told from truth.case_file")
    assert evidence == {"told": "not stated"}


def test_a_case_is_settled_when_the_source_corrects_itself(borrowed):
    borrowed.state("portal", "TK1", 2, personal_id="001090000002", **BINH)
    borrowed.reconcile()
    assert _open(borrowed) == []
    with borrowed.database:
        (case,) = list_cases(borrowed.database, closed=True)
    assert case.closed_because == "settled"
    with pytest.raises(DecisionRefused, match="nothing is left to decide"), borrowed.database:
        decide(borrowed.database, case.case_id, "different", DecidedBy("clerk", "seen"))


def test_a_record_found_to_speak_of_another_is_linked_there_and_never_asked_about_again(borrowed):
    _decide(borrowed, "other", person_key=_key(borrowed, "CD2"))
    assert _open(borrowed) == []
    for _ in range(2):
        borrowed.reconcile()
        assert (_linked(borrowed), _open(borrowed)) == ({"TK1": "CD2"}, [])
        assert borrowed.person("CD2")["phone"] == "+84912345678"
        mark_all(borrowed.database)


def test_a_record_found_to_be_the_owners_after_all_is_linked(borrowed):
    decision = _decide(borrowed, "same")
    assert (decision.person_key, decision.takes_effect) == (str(_key(borrowed, "CD1")), True)
    borrowed.reconcile()
    assert _linked(borrowed) == {"TK1": "CD1"}
    ruling = borrowed.row("select decision_id, decided_by, reason from truth.link_override")
    assert ruling == {"decision_id": decision.decision_id, "decided_by": "clerk", "reason": "seen"}


def test_a_record_found_to_be_of_another_person_stays_unlinked_and_its_source_is_notified(borrowed):
    _decide(borrowed, "different")
    mark_all(borrowed.database)
    borrowed.reconcile()
    assert (_linked(borrowed), _open(borrowed)) == ({}, [])
    assert borrowed.open() == {("portal", "TK1", "personal_id"): "wrong_person"}


def test_a_contested_number_is_a_case_of_the_record_that_states_it(contested):
    case = _only(contested)
    assert (case.kind, case.four_eyes) == ("contested_identifier", True)
    assert set(_file(contested, case).people) == {str(_key(contested, "CD1")), str(_key(contested, "CD2"))}
    mark_all(contested.database)
    contested.reconcile()
    assert _only(contested) == case


def test_a_contested_number_is_none_any_more_when_one_bearer_loses_it(contested):
    contested.state("population", "CD2", 2, personal_id="001090000002", national_id_9=None, **BINH)
    contested.state("banking", "B1", 2, national_id_9=NINE, **ANH)
    contested.reconcile()
    assert (_open(contested), _linked(contested)) == ([], {"B1": "CD1"})


def test_a_record_that_another_number_links_is_not_asked_about(contested):
    contested.state("banking", "B1", 2, national_id_9=NINE, personal_id="001090000003", **CHI)
    contested.reconcile()
    assert (_open(contested), _linked(contested)) == ([], {"B1": "CD3"})


class TestFourEyes:
    """A decision has no effect until another clerk has confirmed it."""

    def test_one_clerk_changes_nothing(self, contested):
        decision = _decide(contested, "same", person_key=_key(contested, "CD1"))
        contested.reconcile()
        assert (decision.takes_effect, _linked(contested)) == (False, {})
        assert _only(contested).decision_id == decision.decision_id
        assert contested.rows("select * from truth.link_override") == []

    def test_another_clerk_confirms(self, contested):
        whom = _key(contested, "CD1")
        first = _decide(contested, "same", person_key=whom)
        second = _decide(contested, "same", "other clerk", person_key=whom, follows=first.decision_id)
        assert (second.takes_effect, _open(contested)) == (True, [])
        contested.reconcile()
        assert _linked(contested) == {"B1": "CD1"}

    @pytest.mark.parametrize("name", ["clerk", " Clerk "])
    def test_a_clerk_cannot_confirm_their_own_decision(self, contested, name):
        first = _decide(contested, "different")
        with pytest.raises(DecisionRefused, match="your own"):
            _decide(contested, "different", name, follows=first.decision_id)

    def test_who_says_otherwise_must_be_confirmed_too(self, contested):
        first = _decide(contested, "same", person_key=_key(contested, "CD1"))
        second = _decide(contested, "different", "other clerk", follows=first.decision_id)
        assert second.takes_effect is False
        third = _decide(contested, "different", follows=second.decision_id)
        contested.reconcile()
        assert (third.takes_effect, _linked(contested), _open(contested)) == (True, {}, [])
        assert contested.row("select count(*) from truth.link_override") == {"count": 2}

    def test_a_decision_that_does_not_know_the_last_one_is_refused(self, contested):
        first = _decide(contested, "different")
        for follows in (None, first.decision_id + 1):
            with pytest.raises(DecisionRefused, match=f"look at decision {first.decision_id}"):
                _decide(contested, "different", "other clerk", follows=follows)


@pytest.mark.parametrize(
    ("said", "whom", "refusal"),
    [
        ("same", "CD2", "same is for a person whom the case names"),
        ("other", "CD1", "same is for a person whom the case names"),
        ("other", None, "a person must be named"),
        ("different", "CD1", "a person must be named"),
        ("other", "nobody", "has no person"),
    ],
)
def test_what_does_not_fit_the_case_is_refused(borrowed, said, whom, refusal):
    person = uuid4() if whom == "nobody" else whom and _key(borrowed, whom)
    with pytest.raises(DecisionRefused, match=refusal):
        _decide(borrowed, said, person_key=person)
    assert len(_open(borrowed)) == 1


def test_of_several_people_one_must_be_named(contested):
    with pytest.raises(DecisionRefused, match="names 2 people"):
        _decide(contested, "same")


def test_an_unknown_case_is_reported(hub):
    with pytest.raises(CaseNotFound, match="no case 7"), hub.database:
        decide(hub.database, 7, "different", DecidedBy("clerk", "seen"))


def test_of_clerks_who_decide_at_once_one_does_and_the_others_are_refused(borrowed):
    case = _only(borrowed)
    whom = _key(borrowed, "CD2")

    def attempt(number):
        said = ("other", whom) if number % 2 else ("different", None)
        with closing(connect(borrowed.settings.database_url)) as own:
            try:
                with own:
                    decide(
                        own, case.case_id, said[0], DecidedBy(f"clerk {number}", "seen"), person_key=said[1]
                    )
            except DecisionRefused as refused:
                return str(refused)
            return "decided"

    with ThreadPoolExecutor(4) as clerks:
        told = sorted(clerks.map(attempt, range(4)))
    assert told[-1] == "decided"
    assert all("it was decided by clerk" in each for each in told[:-1])
    assert borrowed.row("select count(*) from truth.decision") == {"count": 1}


def test_a_clerk_waits_for_a_run_and_neither_for_the_other_in_a_circle(borrowed):
    case = _only(borrowed)
    with closing(connect(borrowed.settings.database_url)) as run, run, run.cursor() as linking:
        linking.execute("lock table truth.link_override, truth.merge_decision in share mode")
        with pytest.raises(RunBusy, match="decide again"), borrowed.database:
            decide(borrowed.database, case.case_id, "different", DecidedBy("clerk", "seen"))
        linking.execute("update truth.case_file set evidence = evidence")
    _decide(borrowed, "different")


def test_a_refusal_leaves_the_transaction_as_it_was(borrowed):
    with borrowed.database:
        with pytest.raises(DecisionRefused):
            decide(borrowed.database, _only_within(borrowed), "other", DecidedBy("clerk", "seen"))
        decide(borrowed.database, _only_within(borrowed), "different", DecidedBy("clerk", "seen"))
    assert _open(borrowed) == []


def _only_within(hub):
    (case,) = list_cases(hub.database)
    return case.case_id


def test_a_decided_case_takes_no_further_decision_from_any_writer(borrowed):
    _decide(borrowed, "different")
    with pytest.raises(psycopg2.errors.RaiseException, match="was decided by clerk"):
        borrowed.execute(
            "insert into truth.decision (case_id, verdict, reason, decided_by, follows) "
            "select case_id, 'different', 'again', 'clerk', decision_id from truth.decision"
        )


def test_the_evidence_stands_side_by_side(borrowed):
    file = _file(borrowed, _only(borrowed))
    assert (file.people, file.source_key) == ((str(_key(borrowed, "CD1")),), "TK1")
    rows = {row.attribute: row for row in file.compared}
    assert (rows["full_name"].source_value, rows["full_name"].golden_values[0].value) == (
        BINH["full_name"],
        ANH["full_name"],
    )
    number = rows["personal_id"].golden_values[0]
    assert (number.equals, number.source, number.as_of[:10]) == (True, "population", "2026-01-01")
    assert (rows["phone"].source_value, rows["phone"].golden_values[0].value) == ("+84912345678", None)
    assert file.evidence["method"] == "personal_id"


def test_only_what_may_be_shown_is(borrowed):
    with borrowed.database:
        file = open_case_file(borrowed.database, _only_within(borrowed), ["sex", "phone"])
    assert [row.attribute for row in file.compared] == ["phone"]


def test_cases_are_listed_page_by_page(contested):
    contested.state("portal", "TK1", personal_id="001184000001", **BINH)
    contested.state("portal", "TK2", personal_id="001184000001", **BINH)
    contested.reconcile()
    with contested.database:
        first = list_cases(contested.database, limit=2)
        rest = list_cases(contested.database, after=first[-1].case_id, limit=2)
        ours = list_cases(contested.database, sources=["portal"], kinds=["wrong_person"])
        others = list_cases(contested.database, sources=[])
    assert (len(first), len(rest), len(ours), others) == (2, 1, 2, [])
