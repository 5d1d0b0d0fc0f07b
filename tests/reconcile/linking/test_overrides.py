"""What a clerk has said of a record and a person stands above every machine's word, for good."""

from __future__ import annotations

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncehub.reconcile.run import mark_all

ANH = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "personal_id": "001184000001"}
BINH = {"full_name": "Trần Văn Bình", "birth_date": "1990-11-20", "personal_id": "001090000002"}


@pytest.fixture
def linked(hub):
    """Two people of the register; an account under the first one's number, linked."""
    hub.state("population", "CD1", **ANH)
    hub.state("population", "CD2", **BINH)
    hub.state("banking", "B1", phone="+84912345678", **ANH)
    hub.reconcile()
    return hub


def _linked_to(hub, key):
    for name in ("CD1", "CD2"):
        if hub.rows(
            "select from truth.link where source_key = %s "
            "and person_key = truth.person_key('population', 'citizens', %s)",
            *(key, name),
        ):
            return name
    return None


def test_a_record_ruled_different_loses_its_link_at_once(linked):
    linked.rule("banking", "B1", "different", "CD1")
    assert linked.links() == {}


def test_a_broken_link_stays_broken_and_its_values_are_believed_no_more(linked):
    linked.rule("banking", "B1", "different", "CD1")
    for _ in range(2):
        linked.reconcile()
        assert (linked.links(), linked.person("CD1")["phone"]) == ({}, None)
        mark_all(linked.database)
    linked.state("banking", "B1", 5, phone="+84912345678", **ANH)
    assert linked.reconcile().links == {"register": 2, "unlinked": 1}


def test_the_source_of_a_removed_link_is_notified_of_the_number_without_another_case(linked):
    linked.rule("banking", "B1", "different", "CD1")
    linked.reconcile()
    assert linked.open() == {("banking", "B1", "personal_id"): "wrong_person"}
    assert linked.rows("select * from truth.case_file") == []


def test_after_an_override_the_next_identifier_is_tried(linked):
    linked.state("population", "CD2", 1, national_id_9="044555666", **BINH)
    linked.state("banking", "B1", 1, national_id_9="044555666", **{**BINH, "personal_id": "001184000001"})
    linked.rule("banking", "B1", "different", "CD1")
    linked.reconcile()
    assert linked.links() == {("banking", "B1"): "national_id_9"}


def test_a_record_ruled_the_same_is_linked_whatever_its_number_and_name(linked):
    linked.rule("banking", "B1", "same", "CD2")
    assert linked.links() == {}
    linked.reconcile()
    assert (linked.links(), _linked_to(linked, "B1")) == ({("banking", "B1"): "override"}, "CD2")
    assert (linked.person("CD1")["phone"], linked.person("CD2")["phone"]) == (None, "+84912345678")
    assert linked.open() == {
        ("banking", "B1", "personal_id"): "invalid",
        ("banking", "B1", "full_name"): "conflict",
        ("banking", "B1", "birth_date"): "conflict",
    }


def test_a_later_override_supersedes_and_the_earlier_is_kept(linked):
    for verdict, person in (("different", "CD1"), ("same", "CD2"), ("same", "CD1")):
        linked.rule("banking", "B1", verdict, person)
        linked.reconcile()
    assert _linked_to(linked, "B1") == "CD1"
    assert linked.row("select count(*) from truth.link_override") == {"count": 3}
    assert linked.row("select verdict from truth.active_link_override") == {"verdict": "same"}


def test_an_override_waits_for_a_person_that_the_register_has_not_sent_yet(hub):
    hub.state("population", "CD1", **ANH)
    hub.state("banking", "B1", **ANH)
    hub.rule("banking", "B1", "same", "CD2")
    hub.reconcile()
    assert hub.links() == {}
    hub.state("population", "CD2", **BINH)
    hub.reconcile()
    assert _linked_to(hub, "B1") == "CD2"


def test_a_tax_code_goes_where_a_clerk_says_its_record_belongs(linked):
    linked.state("tax", "T1", tax_code="0312345678", **ANH)
    linked.state("customs", "HQ1", tax_code="0312345678", full_name="Nguyễn Thị Ánh")
    linked.reconcile()
    assert _linked_to(linked, "HQ1") == "CD1"
    linked.rule("tax", "T1", "same", "CD2")
    linked.rule("customs", "HQ1", "same", "CD2")
    linked.reconcile()
    assert (_linked_to(linked, "T1"), _linked_to(linked, "HQ1")) == ("CD2", "CD2")
    assert linked.rows("select person_key from truth.identifier where scheme = 'tax_code'") == linked.rows(
        "select person_key from truth.link where source = 'tax'"
    )


def test_a_tax_code_leads_to_no_person_when_an_override_gives_its_record_to_another(linked):
    linked.state("tax", "T1", tax_code="0312345678", **ANH)
    linked.state("customs", "HQ1", tax_code="0312345678", full_name="Nguyễn Thị Ánh")
    linked.reconcile()
    linked.rule("tax", "T1", "different", "CD1")
    linked.reconcile()
    assert linked.links() == {("banking", "B1"): "personal_id"}
    assert linked.rows("select * from truth.identifier where scheme = 'tax_code'") == []


@pytest.mark.parametrize("verdict", ["same", "different"])
def test_the_database_refuses_a_link_that_contradicts_an_override(linked, verdict):
    linked.rule("banking", "B1", verdict, "CD1")
    barred = "CD2" if verdict == "same" else "CD1"
    linked.execute("delete from truth.link where source = 'banking'")
    with pytest.raises(psycopg2.errors.RaiseException, match="contradicts"):
        linked.execute(
            "insert into truth.link (source, stream, source_key, person_key, method) values "
            "('banking', 'accounts', 'B1', truth.person_key('population', 'citizens', %s), 'model')",
            barred,
        )


def test_the_database_refuses_to_move_a_link_against_an_override(linked):
    linked.rule("banking", "B1", "different", "CD2")
    with pytest.raises(psycopg2.errors.RaiseException, match="contradicts"):
        linked.execute(
            "update truth.link set person_key = truth.person_key('population', 'citizens', 'CD2') "
            "where source = 'banking'"
        )


def test_a_record_of_the_register_takes_no_override(linked):
    with pytest.raises(psycopg2.errors.RaiseException, match="founds its person"):
        linked.rule("population", "CD1", "same", "CD2")


@pytest.mark.parametrize("change", ["update {} set reason = 'x'", "delete from {}", "truncate {} cascade"])
@pytest.mark.parametrize("table", ["truth.link_override", "truth.decision"])
def test_overrides_and_decisions_can_only_be_added(linked, table, change):
    with pytest.raises(psycopg2.errors.RaiseException, match="insert only"):
        linked.execute(change.format(table))


_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("rule"),
            st.sampled_from([("banking", "B1"), ("tax", "T1"), ("customs", "HQ1")]),
            st.sampled_from(["same", "different"]),
            st.sampled_from(["CD1", "CD2"]),
        ),
        st.tuples(
            st.just("state"),
            st.sampled_from([("banking", "B1"), ("tax", "T1"), ("customs", "HQ1"), ("population", "CD1")]),
            st.sampled_from(["001184000001", "001090000002", None]),
            st.sampled_from(["Nguyễn Thị Ánh", "Trần Văn Bình"]),
        ),
        st.tuples(
            st.just("delete"), st.sampled_from([("population", "CD2"), ("tax", "T1")]), st.none(), st.none()
        ),
        st.just(("run", None, None, None)),
    ),
    min_size=4,
    max_size=14,
)


def _take(hub, day, step):
    kind, record, what, whom = step
    match kind:
        case "rule":
            hub.rule(*record, what, whom)
        case "state":
            code = {"tax_code": "0312345678"} if record[0] in {"tax", "customs"} else {}
            hub.state(*record, day, personal_id=what, full_name=whom, **code)
        case "delete":
            hub.delete(*record)


@settings(max_examples=settings.default.max_examples // 2)
@given(_STEPS)
def test_whenever_clerks_rule_the_truth_is_that_of_one_run_at_the_end(hub, steps):
    outcomes = []
    for by_and_by in (True, False):
        hub.forget()
        hub.state("population", "CD1", **ANH)
        hub.state("population", "CD2", **BINH)
        for day, step in enumerate(steps, start=1):
            _take(hub, day, step)
            if by_and_by and step[0] == "run":
                hub.reconcile()
        hub.reconcile()
        outcomes.append(hub.outcome())
        mark_all(hub.database)
        hub.reconcile()
        assert hub.outcome() == outcomes[-1]
    for outcome in outcomes:
        for discrepancy in outcome["discrepancies"]:
            discrepancy.pop("kind")
    assert outcomes[0] == outcomes[1]
