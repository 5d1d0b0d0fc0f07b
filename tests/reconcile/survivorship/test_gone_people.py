"""The dead, those struck off the register, and those who were two: what their accounts elsewhere raise."""

from __future__ import annotations

from uuid import UUID

import pytest

from oncehub.errors import PersonNotLiving
from oncehub.reconcile.linking.merges import merge_people
from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.reconcile.survivorship.explain import explain
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.forms.prefill import FormRequest, require_living
from tests.api.asking import open_form

ID, OTHER_ID = "001184000001", "001184000002"
ANH = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "sex": "female", "life_status": "alive"}


@pytest.fixture(autouse=True)
def _registered(hub):
    hub.state("population", "CD1", personal_id=ID, **ANH)
    hub.state("banking", "B1", personal_id=ID, full_name=ANH["full_name"], life_status="alive")
    hub.reconcile()


def _number(key="B1"):
    return ("banking", key, "personal_id")


def _found(hub, number):
    with hub.database:
        agreement = load_agreements(hub.settings)["portal-residence"]
        form = FormRequest(load_procedures(hub.settings)["1.004222"], today(), agreement)
        return open_form(hub.settings, hub.database, form, {"person.personal_id": number})


def _closed(hub):
    found = hub.rows("select attribute, closed_because from truth.discrepancy where closed_at is not null")
    return [(row["attribute"], row["closed_because"]) for row in found]


def test_an_account_of_a_deceased_person_is_reported_until_its_bank_corrects_it(hub):
    died = ANH | {"life_status": "deceased", "death_date": "2026-01-05"}
    hub.state("population", "CD1", 9, personal_id=ID, **died)
    hub.reconcile()
    assert hub.open() == {("banking", "B1", "life_status"): "deceased"}
    with pytest.raises(PersonNotLiving):
        require_living(_found(hub, ID))
    hub.state("banking", "B1", 12, personal_id=ID, full_name=ANH["full_name"], life_status="deceased")
    hub.reconcile()
    assert (hub.open(), _closed(hub)) == ({}, [("life_status", "corrected")])


def test_an_account_under_a_cancelled_number_is_reported_though_it_leads_to_no_person(hub):
    person = hub.person("CD1")["person_key"]
    hub.delete("population", "CD1")
    hub.reconcile()
    assert (hub.links(), hub.open()) == ({}, {_number(): "invalid"})
    told = hub.row(
        "select person_key, source_value, golden_value from truth.discrepancy where closed_at is null"
    )
    assert told == {"person_key": person, "source_value": ID, "golden_value": None}
    assert [kind for kind, _ in hub.changes()] == ["created", "removed"]
    assert _found(hub, ID).person is None


def test_a_cancelled_number_that_comes_later_is_reported_too_and_again_by_a_full_run(hub):
    hub.delete("population", "CD1")
    hub.reconcile()
    hub.state("banking", "B2", 5, personal_id=ID, full_name=ANH["full_name"])
    hub.reconcile()
    opened = hub.rows("select discrepancy_id from truth.discrepancy where closed_at is null")
    assert hub.open() == {_number(): "invalid", _number("B2"): "invalid"}
    for source, key in (("population", "CD1"), ("banking", "B1"), ("banking", "B2")):
        hub.mark(source, key)
    hub.reconcile()
    assert hub.rows("select discrepancy_id from truth.discrepancy where closed_at is null") == opened


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda hub: hub.state("population", "CD1", 9, personal_id=ID, **ANH), "belief_changed"),
        (lambda hub: hub.state("population", "CD1", 9, personal_id=OTHER_ID, **ANH), "belief_changed"),
        (lambda hub: hub.state("banking", "B1", 9, personal_id=None), "corrected"),
        (lambda hub: hub.delete("banking", "B1"), "record_gone"),
    ],
)
def test_it_closes_when_the_person_is_back_or_the_bank_states_the_number_no_more(hub, change, because):
    hub.delete("population", "CD1")
    hub.reconcile()
    change(hub)
    hub.reconcile()
    assert hub.open() == {}
    assert ("personal_id", because) in _closed(hub)


def test_a_number_that_was_cancelled_before_it_was_ever_known_is_reported_too(hub):
    hub.state("portal", "TK1", personal_id=OTHER_ID, full_name=ANH["full_name"])
    hub.reconcile()
    hub.state("population", "CD2", 5, personal_id=OTHER_ID, **ANH)
    hub.delete("population", "CD2")
    hub.reconcile()
    assert hub.open() == {("portal", "TK1", "personal_id"): "invalid"}


def test_a_cancelled_number_that_another_now_bears_is_theirs(hub):
    hub.state("population", "CD2", personal_id=OTHER_ID, former=[ID], **ANH)
    hub.delete("population", "CD1")
    hub.reconcile()
    assert (hub.links(), hub.open()) == (
        {("banking", "B1"): "former_personal_id"},
        {_number(): "stale"},
    )


@pytest.fixture
def survivor(hub):
    """The key of somebody whom the register had twice, until a clerk said so."""
    hub.state("population", "CD2", 20, personal_id=OTHER_ID, **ANH | {"full_name": "Nguyễn Thị Anh"})
    hub.state("banking", "B2", 20, personal_id=OTHER_ID, full_name=ANH["full_name"])
    hub.reconcile()
    one, two = (UUID(hub.person(key)["person_key"]) for key in ("CD1", "CD2"))
    merge_people(hub.settings, two, one, DecidedBy("clerk", "seen at the counter"), hub.database)
    hub.reconcile()
    return one


def test_of_two_records_of_one_person_the_survivors_alone_has_a_say(hub, survivor):
    (name,) = explain(hub.settings, survivor, ["full_name"], database=hub.database).choices
    assert (name.value, name.origin.source_key) == (ANH["full_name"], "CD1")
    lost = {each.source_key: each.lost for each in name.candidates}
    assert lost == {"CD1": None, "CD2": "no_say", "B1": "no_say", "B2": "no_say"}
    assert [_found(hub, number).person.key for number in (ID, OTHER_ID)] == [str(survivor)] * 2


def test_the_number_of_a_removed_duplicate_is_reported_under_the_survivors_key(hub, survivor):
    hub.delete("population", "CD2")
    hub.reconcile()
    told = hub.row(
        "select person_key, kind from truth.discrepancy where source_key = 'B2' and closed_at is null"
    )
    assert told == {"person_key": str(survivor), "kind": "invalid"}
