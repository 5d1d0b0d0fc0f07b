"""Why a value is believed: the explanation names whom the run believed, and weighs as the rules say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.data.filling import fill
from oncehub.errors import ConfigError
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.reconcile.run import reconcile
from oncehub.reconcile.survivorship.explain import explain, explain_people
from stubs.world.world import World

ID = "001184000001"
ANH = {"personal_id": ID, "full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "sex": "female"}


@pytest.fixture
def anh(hub):
    """The hub's own Ánh: her key, once she is believed in."""
    hub.state("population", "CD1", 0, life_status="alive", **ANH)
    hub.reconcile()
    return UUID(hub.person("CD1")["person_key"])


def _contact(day, phone=None, **others):
    return {"day": day, "personal_id": ID, "full_name": "Nguyễn Thị Ánh", "phone": phone} | others


def _day(number):
    return datetime(2026, 1, 1, 3, tzinfo=UTC) + timedelta(days=number)


def _told(hub, person, attribute, at=None):
    (choice,) = explain(hub.settings, person, [attribute], at, hub.database).choices
    return choice


def _now(hub):
    return hub.row("select clock_timestamp() as now")["now"]


def _outcomes(choice):
    return {each.source_key: each.lost for each in choice.candidates}


def test_the_register_is_the_authority_and_others_have_no_say(hub, anh):
    hub.state("portal", "TK1", **_contact(9, full_name="NGUYEN THI ANH"))
    hub.state("banking", "B1", **_contact(9, full_name="Nguyễn Thị Ánh"))
    hub.state("customs", "HQ1", **_contact(9, full_name="Nguyễn Thị Ánhh"))
    hub.reconcile()
    name = _told(hub, anh, "full_name")
    assert (name.value, name.origin.source, name.won) == ("Nguyễn Thị Ánh", "population", "authority")
    assert _outcomes(name) == {"CD1": None, "TK1": "no_say", "B1": "no_say", "HQ1": "no_say"}
    likeness = {each.source_key: each.likeness for each in name.candidates}
    assert likeness == {"CD1": "same", "TK1": "form", "B1": "same", "HQ1": "different"}


def test_weights_are_trust_times_what_age_and_doubt_leave(hub, anh):
    hub.state("portal", "TK1", **_contact(20, "+84912000001"))
    hub.state("banking", "B1", **_contact(30, "+84912000002", birth_date="1983"))
    hub.state("tax", "T1", **_contact(10, "+84912000001"))
    hub.reconcile()
    at = _day(20) + timedelta(days=365.25)
    hub.execute("update record.person set received_at = %s", _day(40))
    hub.execute("update truth.person set believed_from = %s", _day(40))
    phone = _told(hub, anh, "phone", at)
    assert (phone.won, _outcomes(phone)) == ("weight", {"TK1": None, "T1": "weight", "B1": "weight"})
    portal, tax, banking = phone.candidates
    assert (portal.age_days, portal.doubts, banking.doubts) == (365.25, (), ("personal_id",))
    assert (portal.weight.trust, portal.weight.faded, portal.weight.doubted) == (0.9, 0.5, 1)
    assert (banking.weight.trust, banking.weight.doubted) == (0.8, 0.5)
    weights = [each.weight for each in phone.candidates]
    for weight in weights:
        assert weight.value == pytest.approx(weight.trust * weight.faded * weight.doubted)
    assert [weight.value for weight in weights] == pytest.approx([0.45, 0.2943, 0.2039], abs=1e-4)
    assert tax.likeness == "same"


def test_a_record_linked_by_a_number_that_may_be_anothers_is_doubted_for_its_link(hub, anh):
    hub.state("population", "CD1", 0, national_id_9="011222333", **ANH)
    hub.state("portal", "TK1", **_contact(9, "+84912000001", personal_id=None, national_id_9="011222333"))
    hub.reconcile()
    phone = _told(hub, anh, "phone")
    (only,) = phone.candidates
    assert (phone.won, phone.origin.doubtful, only.doubts) == ("only_word", True, ("link",))
    assert only.linked_by == "national_id_9"


@pytest.mark.parametrize(
    ("winner", "loser", "lost"),
    [
        (("banking", "B1", 20), ("banking", "B2", 20), "lower_key"),
        (("portal", "TK1", 20), ("portal", "TK2", 19), "weight"),
    ],
)
def test_ties_are_broken_as_the_run_breaks_them(hub, anh, winner, loser, lost):
    for number, (source, key, day) in enumerate((winner, loser)):
        hub.state(source, key, **_contact(day, f"+8491200000{number}"))
    hub.reconcile()
    phone = _told(hub, anh, "phone")
    assert (phone.won, _outcomes(phone)) == (lost, {winner[1]: None, loser[1]: lost})


def test_of_an_authoritys_own_records_the_later_is_believed(hub, anh):
    hub.state("tax", "T1", **_contact(20, tax_code="0312345678"))
    hub.state("tax", "T2", **_contact(19, tax_code="0312345686"))
    hub.reconcile()
    code = _told(hub, anh, "tax_code")
    assert (code.value, code.won, _outcomes(code)) == (
        "0312345678",
        "authority",
        {"T1": None, "T2": "later"},
    )


def test_who_was_believed_and_is_gone_is_still_named(hub, anh):
    hub.state("population", "CD2", 0, personal_id="001190000002", full_name="Lê Hoàng Yến")
    days = {"TK1": 50, "TK2": 40, "TK3": 30, "TK4": 20}
    for key, day in days.items():
        hub.state("portal", key, **_contact(day, f"+849120000{day}"))
    hub.reconcile()
    hub.delete("portal", "TK1")
    hub.reconcile()
    hub.state("portal", "TK2", **_contact(41))
    hub.reconcile()
    hub.state("portal", "TK3", **_contact(42, "+84912000099", personal_id="001190000002"))
    hub.rule("portal", "TK3", "same", "CD2")
    hub.reconcile()
    phone = _told(hub, anh, "phone")
    assert phone.value == "+84912000020"
    assert _outcomes(phone) == {"TK4": None, "TK1": "deleted", "TK2": "silent", "TK3": "elsewhere"}
    assert phone.won == "only_word"


def test_records_landed_after_the_last_run_are_reported_as_not_considered(hub, anh):
    hub.state("tax", "T1", **_contact(20, "+84912000001"))
    hub.state("portal", "TK1", **_contact(20, "+84912000002"))
    hub.reconcile()
    hub.state("tax", "T1", **_contact(300, "+84912000003"))
    explanation = explain(hub.settings, anh, ["phone"], database=hub.database)
    assert explanation.unsettled
    assert _outcomes(explanation.choices[0]) == {"TK1": None, "T1": "not_weighed"}
    hub.reconcile()
    explanation = explain(hub.settings, anh, ["phone"], database=hub.database)
    assert not explanation.unsettled
    assert explanation.choices[0].value == "+84912000003"


def test_an_earlier_moment_shows_the_golden_record_of_then(hub, anh):
    hub.state("portal", "TK1", **_contact(20, "+84912000001"))
    hub.reconcile()
    then = _now(hub)
    hub.state("banking", "B1", **_contact(200, "+84912000002"))
    hub.reconcile()
    earlier, now = _told(hub, anh, "phone", then), _told(hub, anh, "phone")
    assert (earlier.value, earlier.won, _outcomes(earlier)) == ("+84912000001", "only_word", {"TK1": None})
    assert (now.value, _outcomes(now)) == ("+84912000002", {"B1": None, "TK1": "weight"})
    assert now.since > then > earlier.since


def test_where_the_believed_record_was_stated_anew_since_its_weight_is_not_kept(hub, anh):
    hub.state("portal", "TK1", **_contact(20, "+84912000001"))
    hub.state("tax", "T1", **_contact(10, "+84912000003"))
    hub.reconcile()
    then = _now(hub)
    hub.state("portal", "TK1", **_contact(21, "+84912000002"), received_at=_now(hub))
    hub.reconcile()
    earlier = _told(hub, anh, "phone", then)
    assert (earlier.value, earlier.won) == ("+84912000001", "not_kept")
    assert _outcomes(earlier) == {"TK1": None, "T1": "not_weighed"}
    tax = _told(hub, anh, "phone").candidates[1]
    assert (tax.source_key, tax.lost) == ("T1", "weight")


def test_unknown_people_and_attributes_are_not_explained(hub, anh):
    with pytest.raises(ConfigError, match="no attribute shoe_size"):
        explain(hub.settings, anh, ["shoe_size"], database=hub.database)
    for person, at in ((UUID(int=0), None), (anh, _day(-9000))):
        with pytest.raises(ConfigError, match="the person of that key had no golden record"):
            explain(hub.settings, person, at=at, database=hub.database)


_SAYING = st.fixed_dictionaries(
    {
        "day": st.sampled_from([0, 1, 60, 62, 65, 400]),
        "phone": st.sampled_from([None, "+84912000001", "+84912000002"]),
        "email": st.sampled_from([None, "a@example.vn"]),
        "birth_date": st.sampled_from(["1984-05-07", "1985"]),
    }
)


@settings(max_examples=settings.default.max_examples // 2)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["portal", "banking", "tax", "customs"]), st.integers(1, 2)), _SAYING
    )
)
def test_whatever_is_stated_the_explanation_names_whom_the_run_believed(hub, sayings):
    hub.forget()
    hub.state("population", "CD1", 0, **ANH)
    for (source, number), saying in sayings.items():
        hub.state(source, f"{source}{number}", **_contact(**saying))
    hub.reconcile()
    _holds_for_everybody(hub.settings, hub.database)


def test_for_all_people_in_the_world_the_explanation_names_the_source_that_the_run_chose(new_hub):
    world = new_hub("explained")
    fill(world.settings, World.generate(600, seed=5))
    reconcile(world.settings)
    assert _holds_for_everybody(world.settings, world.database) > 200


def _holds_for_everybody(configuration: Any, database: Any) -> int:
    """Hold every explanation against `truth.person`; return how many choices had a loser."""
    with database, database.cursor() as cursor:
        cursor.execute(
            "select person_key, to_jsonb(p), "
            "(select jsonb_object_agg(a, truth.origin(provenance, a)) from unnest(%s::text[]) a) "
            "from truth.person p",
            (list(load_rulebook(configuration).attributes),),
        )
        people = {UUID(key): (believed, origins) for key, believed, origins in cursor.fetchall()}
    with database:
        explained = explain_people(database, load_rulebook(configuration), people)
    assert explained.keys() == people.keys()
    contested = 0
    for person, (believed, origins) in people.items():
        choices = {choice.attribute: choice for choice in explained[person].choices}
        for attribute in load_rulebook(configuration).attributes:
            if believed[attribute] is None:
                assert attribute not in choices or choices[attribute].origin is None
                continue
            choice = choices[attribute]
            (winner,) = (each for each in choice.candidates if each.lost is None)
            assert choice.candidates[0] == winner
            assert winner.likeness == "same"
            assert (winner.source, winner.source_key) == (
                origins[attribute]["source"],
                origins[attribute]["source_key"],
            )
            assert not any(each.lost == "not_weighed" for each in choice.candidates)
            weights = [each.weight.value for each in choice.candidates if each.weight]
            assert weights == sorted(weights, reverse=True)
            contested += any(each.lost == "weight" for each in choice.candidates)
    return contested
