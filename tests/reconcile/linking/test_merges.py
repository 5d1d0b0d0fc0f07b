"""Two people of the register who are one, and one to whom records of several were drawn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from uuid import UUID, uuid4

import psycopg2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oncehub.errors import DecisionRefused
from oncehub.reconcile.linking.merges import merge_decisions_of, merge_people, split_person, unmerge_person
from oncehub.reconcile.linking.overrides import DecidedBy, RecordKey, override_link
from oncehub.reconcile.run import mark_all
from oncehub.store.connection import connect

ANH = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "personal_id": "001184000001"}
AGAIN = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "personal_id": "001184000009"}
BINH = {"full_name": "Trần Văn Bình", "birth_date": "1990-11-20", "personal_id": "001090000002"}
WORD = DecidedBy("clerk", "seen at the counter")


@pytest.fixture
def twice(hub):
    """Somebody whom the register has twice (CD1, CD2), and records under the second number."""
    hub.state("population", "CD1", **ANH)
    hub.state("population", "CD2", **AGAIN)
    hub.state("population", "CD3", **BINH)
    hub.state("banking", "B1", 1, phone="+84912345678", **AGAIN)
    hub.state("tax", "T1", 1, tax_code="0312345678", **AGAIN)
    hub.state("customs", "HQ1", 1, tax_code="0312345678", full_name="Nguyễn Thị Ánh")
    hub.reconcile()
    return hub


def _key(hub, name):
    found = hub.row("select truth.person_key('population', 'citizens', %s)::text as person_key", name)
    return UUID(found["person_key"])


def _join(hub, name, into):
    merge_people(hub.settings, _key(hub, name), _key(hub, into), WORD, hub.database)


def _apart(hub, name):
    unmerge_person(hub.settings, _key(hub, name), DecidedBy("other clerk", "two after all"), hub.database)


def _owners(hub):
    """The person of the register whom each record is linked to."""
    names = {str(_key(hub, name)): name for name in ("CD1", "CD2", "CD3")}
    rows = hub.rows(
        "select source_key, person_key::text from truth.link where source_key <> all (%s)",
        list(names.values()),
    )
    return {row["source_key"]: names[row["person_key"]] for row in rows}


def _people(hub):
    return hub.row("select count(*) from truth.person")["count"]


def test_of_two_people_who_are_one_the_survivor_has_all_records_and_numbers(twice):
    _join(twice, "CD2", "CD1")
    twice.reconcile()
    assert _owners(twice) == {"B1": "CD1", "T1": "CD1", "HQ1": "CD1"}
    assert (_people(twice), twice.person("CD1")["phone"]) == (2, "+84912345678")
    assert twice.person("CD1")["personal_id"] == ANH["personal_id"]
    bearers = twice.rows(
        "select person_key::text from truth.identifier where value = any(%s)",
        [ANH["personal_id"], AGAIN["personal_id"], "0312345678"],
    )
    assert {row["person_key"] for row in bearers} == {str(_key(twice, "CD1"))}
    assert len(bearers) == 3
    assert twice.row("select truth.survivor(%s)::text as led", str(_key(twice, "CD2")))["led"] == str(
        _key(twice, "CD1")
    )


def test_the_merge_is_reported_as_a_removal_and_a_change(twice):
    told = len(twice.changes())
    _join(twice, "CD2", "CD1")
    twice.reconcile()
    kinds = twice.rows("select kind, person_key::text from share.change order by change_id offset %s", told)
    assert {(row["kind"], row["person_key"]) for row in kinds} == {
        ("changed", str(_key(twice, "CD1"))),
        ("removed", str(_key(twice, "CD2"))),
    }


def test_a_join_is_one_outcome_by_and_by_and_in_a_full_run(twice):
    _join(twice, "CD2", "CD1")
    twice.reconcile()
    first = twice.outcome()
    twice.state("population", "CD1", 3, **ANH)
    twice.state("banking", "B1", 3, phone="+84912345678", **AGAIN)
    twice.reconcile()
    twice.state("population", "CD2", 4, **AGAIN)
    twice.reconcile()
    by_and_by = twice.outcome()
    mark_all(twice.database)
    twice.reconcile()
    assert twice.outcome() == by_and_by
    assert by_and_by["identifiers"] == first["identifiers"]
    assert _owners(twice) == {"B1": "CD1", "T1": "CD1", "HQ1": "CD1"}


def test_two_unmerged_people_are_as_if_they_had_never_been_merged(twice):
    before = twice.outcome()
    _join(twice, "CD2", "CD1")
    twice.reconcile()
    _apart(twice, "CD2")
    twice.reconcile()
    after = twice.outcome()
    assert {
        name: after[name] for name in ("people", "identifiers", "links", "unlinked", "discrepancies")
    } == {name: before[name] for name in ("people", "identifiers", "links", "unlinked", "discrepancies")}
    told = merge_decisions_of(twice.settings, _key(twice, "CD2"), twice.database)
    assert [(each.verdict, each.decided_by, each.active) for each in told] == [
        ("two", "other clerk", False),
        ("one", "clerk", False),
    ]


def test_a_decision_taken_back_before_the_next_run_changes_nothing(twice):
    before = twice.outcome()
    _join(twice, "CD2", "CD1")
    _apart(twice, "CD2")
    twice.reconcile()
    assert twice.outcome() == before


def test_the_survivor_lives_on_when_the_register_deletes_the_record_it_began_with(twice):
    _join(twice, "CD2", "CD1")
    twice.reconcile()
    twice.delete("population", "CD1")
    twice.reconcile()
    assert (_people(twice), twice.person("CD1")["personal_id"]) == (2, AGAIN["personal_id"])
    assert _owners(twice)["B1"] == "CD1"
    by_and_by = twice.outcome()
    mark_all(twice.database)
    twice.reconcile()
    assert twice.outcome() == by_and_by


def test_joins_follow_one_another_and_come_apart_one_by_one(twice):
    _join(twice, "CD2", "CD3")
    twice.reconcile()
    _join(twice, "CD3", "CD1")
    twice.reconcile()
    assert (_people(twice), set(_owners(twice).values())) == (1, {"CD1"})
    _apart(twice, "CD3")
    twice.reconcile()
    assert (_people(twice), set(_owners(twice).values())) == (2, {"CD3"})
    _apart(twice, "CD2")
    twice.reconcile()
    assert (_people(twice), set(_owners(twice).values())) == (3, {"CD2"})


def test_what_was_ruled_of_a_person_holds_of_the_survivor_and_of_the_person_again(twice):
    account = RecordKey("banking", "accounts", "B1")
    override_link(twice.settings, account, _key(twice, "CD3"), WORD, twice.database)
    twice.reconcile()
    _join(twice, "CD3", "CD1")
    twice.reconcile()
    assert _owners(twice)["B1"] == "CD1"
    _apart(twice, "CD3")
    assert "B1" not in _owners(twice)
    twice.reconcile()
    assert _owners(twice)["B1"] == "CD3"


def test_a_merge_removes_links_that_it_sets_against_an_override(twice):
    twice.rule("banking", "B1", "different", "CD1")
    _join(twice, "CD1", "CD2")
    assert "B1" not in _owners(twice)
    twice.reconcile()
    assert _owners(twice) == {"T1": "CD2", "HQ1": "CD2"}


@pytest.mark.parametrize(
    ("name", "into", "refusal"),
    [
        ("CD1", "CD1", "one person already"),
        ("CD1", "CD9", "does not have both"),
        ("CD2", "CD3", "merged into somebody"),
    ],
)
def test_people_who_cannot_be_merged_are_named(twice, name, into, refusal):
    _join(twice, "CD3", "CD1")
    with pytest.raises(DecisionRefused, match=refusal):
        _join(twice, name, into)


def test_a_person_who_is_not_merged_cannot_be_unmerged(twice):
    with pytest.raises(DecisionRefused, match="nothing to undo"):
        _apart(twice, "CD2")


def test_of_clerks_who_join_the_same_two_at_once_one_does(twice):
    def attempt(pair):
        with closing(connect(twice.settings.database_url)) as own:
            try:
                merge_people(twice.settings, *pair, WORD, own)
            except DecisionRefused:
                return 0
            return 1

    one, other = _key(twice, "CD1"), _key(twice, "CD2")
    with ThreadPoolExecutor(4) as clerks:
        assert sum(clerks.map(attempt, [(one, other), (other, one)] * 2)) == 1


def test_the_database_refuses_a_link_to_a_merged_person(twice):
    _join(twice, "CD2", "CD1")
    with pytest.raises(psycopg2.errors.RaiseException, match="merged into another"):
        twice.execute(
            "insert into truth.link (source, stream, source_key, person_key, method) values "
            "('banking', 'accounts', 'B1', truth.person_key('population', 'citizens', 'CD2'), 'personal_id')"
        )


@pytest.mark.parametrize("change", ["update {} set reason = 'x'", "delete from {}", "truncate {} cascade"])
def test_merge_decisions_can_only_be_added(twice, change):
    with pytest.raises(psycopg2.errors.RaiseException, match="insert only"):
        twice.execute(change.format("truth.merge_decision"))


def test_records_drawn_to_one_person_are_split_off_together(twice):
    records = [RecordKey("banking", "accounts", "B1"), RecordKey("tax", "registrations", "T1")]
    split_person(
        twice.settings, _key(twice, "CD2"), records, WORD, to=_key(twice, "CD3"), database=twice.database
    )
    twice.reconcile()
    assert _owners(twice) == {"B1": "CD3", "T1": "CD3"}
    assert (twice.person("CD2")["phone"], twice.person("CD3")["phone"]) == (None, "+84912345678")
    split_person(twice.settings, _key(twice, "CD3"), records, WORD, database=twice.database)
    twice.reconcile()
    assert _owners(twice) == {"B1": "CD2", "T1": "CD2", "HQ1": "CD2"}


def test_a_split_is_made_as_a_whole_or_not_at_all(twice):
    records = [RecordKey("tax", "registrations", "T1"), RecordKey("banking", "accounts", "no such key")]
    with pytest.raises(DecisionRefused, match=r"record 2, of banking\.accounts") as told:
        split_person(twice.settings, _key(twice, "CD2"), records, WORD, database=twice.database)
    assert "no such key" not in str(told.value)
    assert twice.rows("select * from truth.link_override") == []
    with pytest.raises(DecisionRefused, match="founds its person"):
        split_person(
            twice.settings,
            _key(twice, "CD2"),
            [RecordKey("population", "citizens", "CD2")],
            WORD,
            database=twice.database,
        )
    with pytest.raises(DecisionRefused, match="has no person"):
        split_person(
            twice.settings, _key(twice, "CD2"), records[:1], WORD, to=uuid4(), database=twice.database
        )


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.permutations(["CD1", "CD2", "CD3"])),
        st.tuples(st.just("apart"), st.sampled_from(["CD1", "CD2", "CD3"])),
        st.tuples(
            st.just("rule"),
            st.tuples(
                st.sampled_from([("banking", "B1"), ("tax", "T1")]),
                st.sampled_from(["same", "different"]),
                st.sampled_from(["CD1", "CD2", "CD3"]),
            ),
        ),
        st.tuples(st.just("state"), st.sampled_from([("CD1", ANH), ("CD2", AGAIN), ("CD3", BINH)])),
        st.tuples(st.just("delete"), st.sampled_from(["CD1", "CD2"])),
        st.tuples(st.just("run"), st.none()),
    ),
    min_size=3,
    max_size=7,
)


def _take(hub, day, kind, what):
    match kind:
        case "join" | "apart":
            with suppress(DecisionRefused):
                _join(hub, *what[:2]) if kind == "join" else _apart(hub, what)
        case "rule":
            (source, key), verdict, person = what
            hub.rule(source, key, verdict, person)
        case "state":
            hub.state("population", what[0], day, **what[1])
        case "delete":
            hub.delete("population", what)
        case "run":
            hub.reconcile()


@settings(max_examples=settings.default.max_examples // 4)
@given(_STEPS)
@example(
    steps=[
        ("join", ["CD2", "CD1"]),
        ("join", ["CD3", "CD1"]),
        ("apart", "CD2"),
        ("run", None),
        ("apart", "CD3"),
    ]
)
def test_whatever_clerks_join_and_part_full_runs_find_what_runs_by_and_by_have_found(hub, steps):
    hub.forget()
    for name, stated in (("CD1", ANH), ("CD2", AGAIN), ("CD3", BINH)):
        hub.state("population", name, **stated)
    hub.state("banking", "B1", 1, phone="+84912345678", **AGAIN)
    hub.state("tax", "T1", 1, tax_code="0312345678", **AGAIN)
    hub.state("customs", "HQ1", 1, tax_code="0312345678", full_name="Nguyễn Thị Ánh")
    hub.reconcile()
    for day, (kind, what) in enumerate(steps, start=2):
        _take(hub, day, kind, what)
        contradicted = hub.rows(
            "select k.source_key from truth.link k "
            "join truth.active_link_override r using (source, stream, source_key) "
            "where (r.verdict = 'same') <> (r.person_key = k.person_key)"
        )
        assert contradicted == []
    hub.reconcile()
    by_and_by = hub.outcome()
    mark_all(hub.database)
    hub.reconcile()
    assert hub.outcome() == by_and_by
