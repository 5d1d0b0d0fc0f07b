"""Every kind of number leads to whom it belongs to, and still does when it is re-issued."""

from __future__ import annotations

from datetime import date

import pytest

ID, LATER_ID, CODE, PASSPORT = "001184000001", "001184000002", "0312345678", "C1234567"
ANH = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "sex": "female"}
BINH = {"full_name": "Trần Văn Bình", "birth_date": "1990-11-20", "sex": "male"}


@pytest.fixture(autouse=True)
def _registered(hub):
    hub.state("population", "CD1", personal_id=ID, national_id_9="011222333", **ANH)


def _state(hub, source, key, day=0, full_name=ANH["full_name"], **numbers):
    hub.state(source, key, day, full_name=full_name, **numbers)


def _reissue(hub):
    hub.state("population", "CD1", 9, personal_id=LATER_ID, former=[ID], **ANH)


@pytest.mark.parametrize(
    ("numbers", "now", "reissued"),
    [
        ({"personal_id": ID}, "personal_id", "former_personal_id"),
        ({"tax_code": ID}, "personal_id_as_tax_code", "personal_id_as_tax_code"),
        ({"tax_code": CODE}, "tax_code", "tax_code"),
        ({"tax_code": f"{CODE}-001"}, "tax_code", "tax_code"),
        ({"passport": PASSPORT}, "passport", "passport"),
    ],
)
def test_a_number_leads_to_its_person_before_and_after_the_personal_number_is_re_issued(
    hub, numbers, now, reissued
):
    _state(hub, "tax", "T1", personal_id=ID, tax_code=CODE)
    _state(hub, "banking", "B1", personal_id=ID, passport=PASSPORT)
    _state(hub, "customs", "HQ1", **numbers)
    hub.reconcile()
    assert hub.links()["customs", "HQ1"] == now
    _reissue(hub)
    hub.reconcile()
    assert hub.links()["customs", "HQ1"] == reissued
    _state(
        hub,
        "customs",
        "HQ1",
        10,
        **{name: LATER_ID if value == ID else value for name, value in numbers.items()},
    )
    hub.reconcile()
    assert hub.links()["customs", "HQ1"] == now
    person = hub.person("CD1")["person_key"]
    assert {row["person_key"] for row in hub.rows("select person_key from truth.link")} == {person}


def test_the_days_on_which_a_former_number_was_in_force_are_kept_with_it(hub):
    _reissue(hub)
    hub.execute("update record.former_identifier set valid_from = '1984-05-20', valid_until = '2026-01-08'")
    hub.reconcile()
    borne = hub.rows(
        "select value, current, valid_from, valid_until from truth.identifier where scheme = 'personal_id' "
        "order by current"
    )
    assert [tuple(row.values()) for row in borne] == [
        (ID, False, date(1984, 5, 20), date(2026, 1, 8)),
        (LATER_ID, True, None, None),
    ]


def test_a_tax_code_that_is_a_personal_number_gives_it_to_no_person(hub):
    _state(hub, "tax", "T1", personal_id=ID, tax_code="001190000009")
    _state(hub, "banking", "B1", full_name=BINH["full_name"], tax_code="001190000009")
    hub.reconcile()
    assert hub.links() == {("tax", "T1"): "personal_id"}


def test_a_personal_number_stated_as_tax_code_is_refused_when_the_name_is_anothers(hub):
    _state(hub, "banking", "B1", full_name=BINH["full_name"], tax_code=ID)
    hub.reconcile()
    assert (hub.links(), hub.open()) == ({}, {("banking", "B1", "tax_code"): "wrong_person"})


def test_who_comes_later_draws_in_the_records_that_state_the_number_as_tax_code(hub):
    _state(hub, "banking", "B1", full_name=BINH["full_name"], tax_code="001090000002")
    hub.reconcile()
    assert hub.links() == {}
    hub.state("population", "CD2", personal_id="001090000002", **BINH)
    hub.reconcile()
    assert hub.links() == {("banking", "B1"): "personal_id_as_tax_code"}


def test_doubt_about_a_personal_number_stated_as_tax_code_lowers_the_weight_of_its_record(hub):
    _state(hub, "tax", "T1", 20, personal_id=ID, phone="+84912000001")
    _state(hub, "banking", "B1", 20, tax_code=ID, birth_date="1985", phone="+84912000002")
    hub.reconcile()
    assert hub.person("CD1")["phone"] == "+84912000001"
    _state(hub, "banking", "B1", 20, tax_code=ID, birth_date="1984", phone="+84912000002")
    hub.reconcile()
    assert hub.person("CD1")["phone"] == "+84912000002"


class TestPassport:
    """A passport belongs to whom the account is linked to that was opened with it."""

    @pytest.fixture(autouse=True)
    def _opened(self, hub):
        _state(hub, "banking", "B1", personal_id=ID, passport=PASSPORT, phone="+84912000001")

    def test_leads_to_no_person_without_an_account_that_another_number_links(self, hub):
        _state(hub, "banking", "B1", passport=PASSPORT)
        _state(hub, "customs", "HQ1", passport=PASSPORT)
        hub.state("banking", "B1", 1, full_name=ANH["full_name"], personal_id=None, passport=PASSPORT)
        hub.reconcile()
        assert hub.links() == {}

    def test_that_two_people_opened_accounts_with_leads_to_neither(self, hub):
        hub.state("population", "CD2", personal_id="001090000002", **BINH)
        _state(
            hub, "banking", "B2", full_name=BINH["full_name"], personal_id="001090000002", passport=PASSPORT
        )
        _state(hub, "customs", "HQ1", passport=PASSPORT)
        hub.reconcile()
        assert ("customs", "HQ1") not in hub.links()
        hub.delete("banking", "B2")
        hub.reconcile()
        assert hub.links()["customs", "HQ1"] == "passport"

    def test_that_was_renewed_leads_on_by_its_new_number(self, hub):
        _state(hub, "customs", "HQ1", passport=PASSPORT)
        _state(hub, "banking", "B1", 5, personal_id=ID, passport="C7654321")
        _state(hub, "customs", "HQ2", passport="C7654321")
        hub.reconcile()
        assert (hub.links()["customs", "HQ2"], hub.person("CD1")["passport"]) == ("passport", "C7654321")
        assert ("customs", "HQ1") not in hub.links()

    def test_casts_doubt_on_what_the_record_states_that_it_links(self, hub):
        _state(hub, "customs", "HQ1", 200, passport=PASSPORT, phone="+84912000002")
        hub.reconcile()
        assert hub.person("CD1")["phone"] == "+84912000001"
        _state(hub, "customs", "HQ1", 200, personal_id=ID, phone="+84912000002")
        _state(hub, "banking", "B1", -400, personal_id=ID, passport=PASSPORT, phone="+84912000001")
        hub.reconcile()
        assert hub.person("CD1")["phone"] == "+84912000002"
