"""Every kind of discrepancy, how grave it is at which age, and why it closed."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from oncehub.reconcile.run import mark_all, reconcile

ID, FORMER_ID = "001184000001", "001184000009"
CARD = "011222331"
ANH = {
    "full_name": "Nguyễn Thị Hoà Ánh",
    "birth_date": "1984-05-07",
    "sex": "female",
    "permanent_address": {"unit": "00004", "edition": "2025-07-01", "detail": "12 Hàng Bài"},
}


@pytest.fixture
def registered(hub):
    hub.state("population", "CD1", 10, personal_id=ID, national_id_9=CARD, former=[FORMER_ID], **ANH)
    return hub


@pytest.fixture
def told(registered):
    """What a record of the portal is told."""

    def state(day=0, **stated):
        registered.state("portal", "TK1", day, **{"full_name": ANH["full_name"], **stated})
        registered.reconcile()
        return {attribute: kind for (_, _, attribute), kind in registered.open().items()}

    return state


@pytest.fixture
def by_other_rules(hub, tmp_path):
    """Reconcile everything anew with a piece of comparison.yaml replaced."""

    def run(old, new):
        root = tmp_path / "other"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(hub.settings.mappings / "rules", root / "mappings" / "rules")
        for name in ("schemas", "connectors"):
            (root / name).symlink_to(hub.settings.root / name)
        path = root / "mappings" / "rules" / "comparison.yaml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")
        mark_all(hub.database)
        return reconcile(replace(hub.settings, root=root), hub.database)

    return run


class TestNumbers:
    def test_a_record_found_by_another_number_lacks_its_personal_number(self, told):
        assert told(national_id_9=CARD) == {"personal_id": "missing"}

    def test_a_number_borne_before_is_stale(self, told):
        assert told(personal_id=FORMER_ID) == {"personal_id": "stale"}

    def test_an_unassigned_number_that_may_be_the_person_s_conflicts(self, told):
        assert told(national_id_9=CARD, personal_id="001184000555") == {"personal_id": "conflict"}

    @pytest.mark.parametrize("number", ["001084000001", "001384000001", "001185000001"])
    def test_a_number_of_another_sex_century_or_year_is_invalid(self, told, number):
        assert told(national_id_9=CARD, personal_id=number) == {"personal_id": "invalid"}

    def test_a_number_that_the_register_itself_states_is_not_doubted(self, hub):
        hub.state("population", "CD1", 10, personal_id="001084000001", **ANH)
        hub.state("portal", "TK1", personal_id="001084000001", full_name=ANH["full_name"])
        hub.reconcile()
        assert hub.open() == {}


@pytest.mark.parametrize("born", ["2084-05-07", "1884-05-07"])
def test_a_birth_after_the_statement_or_before_living_memory_is_invalid(told, born):
    assert told(personal_id=ID, birth_date=born) == {"birth_date": "invalid"}


class TestForm:
    def test_of_a_name_is_disclosed_where_the_rule_says_so(self, registered, told, by_other_rules):
        assert told(personal_id=ID, full_name="NGUYEN THI HOA ANH") == {}
        by_other_rules("full_name:         {compare: name}", "full_name: {compare: name, form: true}")
        assert registered.open() == {("portal", "TK1", "full_name"): "form"}
        mark_all(registered.database)
        registered.reconcile()
        assert registered.open() == {}
        assert _closed(registered) == ["rules_changed"]

    def test_of_an_address_is_the_code_of_a_former_commune(self, registered, told, by_other_rules):
        former = registered.row(
            "select min(former_unit) as unit from truth.unit_successor "
            "where present_unit = '00004' and former_unit <> '00004'"
        )
        stated = ANH["permanent_address"] | {"detail": "12 HÀNG BÀI"}
        assert told(personal_id=ID, permanent_address=stated) == {}
        by_other_rules("{compare: address, ", "{compare: address, form: true, ")
        assert registered.open() == {}
        assert told(6, personal_id=ID, permanent_address=stated | former | {"edition": "2024-12-01"}) == {}
        by_other_rules("{compare: address, ", "{compare: address, form: true, ")
        assert registered.open() == {("portal", "TK1", "permanent_address"): "form"}


class TestDuplicates:
    def test_of_two_records_that_should_be_one_the_later_key_is_reported(self, registered):
        for key, day in (("TK2", 0), ("TK1", 5)):
            registered.state("portal", key, day, personal_id=ID, full_name=ANH["full_name"])
        registered.reconcile()
        assert registered.open() == {("portal", "TK2", "personal_id"): "duplicate"}
        found = registered.row("select source_value, golden_value from truth.discrepancy")
        assert found == {"source_value": "TK2", "golden_value": "TK1"}

    def test_it_stays_with_its_record_whichever_is_stated_anew(self, registered):
        for key in ("TK1", "TK2"):
            registered.state("portal", key, personal_id=ID, full_name=ANH["full_name"])
        registered.reconcile()
        before = registered.row("select discrepancy_id, opened_at from truth.discrepancy")
        registered.state("portal", "TK1", 8, personal_id=ID, full_name=ANH["full_name"])
        registered.reconcile()
        assert registered.row("select discrepancy_id, opened_at from truth.discrepancy") == before

    @pytest.mark.parametrize("gone", ["TK1", "TK2"])
    def test_it_is_corrected_when_either_record_is_deleted(self, registered, gone):
        for key in ("TK1", "TK2"):
            registered.state("portal", key, personal_id=ID, full_name=ANH["full_name"])
        registered.reconcile()
        registered.delete("portal", gone)
        registered.reconcile()
        assert registered.open() == {}
        assert _closed(registered) == ["corrected" if gone == "TK1" else "record_gone"]

    def test_a_branch_of_a_tax_code_and_a_second_bank_account_are_none(self, registered):
        numbered = {"personal_id": ID, "full_name": ANH["full_name"]}
        registered.state("tax", "T1", tax_code="0312345671", **numbered)
        registered.state("tax", "T2", tax_code="0312345671-001", **numbered)
        registered.state("banking", "B1", **numbered)
        registered.state("banking", "B2", **numbered)
        registered.reconcile()
        assert registered.open() == {}
        registered.state("tax", "T3", tax_code="8412345679", **numbered)
        registered.reconcile()
        assert registered.open() == {("tax", "T3", "tax_code"): "duplicate"}


class TestClosing:
    @pytest.fixture(autouse=True)
    def _at_odds(self, registered, told):
        self.hub, self.told = registered, told
        assert told(personal_id=ID, sex="male") == {"sex": "conflict"}

    def test_the_source_corrects_itself(self):
        assert self.told(5, personal_id=ID, sex="female") == {}
        assert _closed(self.hub) == ["corrected"]

    def test_the_source_withdraws_its_value(self):
        assert self.told(5, personal_id=ID, sex=None) == {}
        assert _closed(self.hub) == ["corrected"]

    def test_something_else_is_believed(self):
        self.hub.state("population", "CD1", 20, personal_id=ID, **ANH | {"sex": "male"})
        self.hub.reconcile()
        assert _closed(self.hub) == ["belief_changed"]

    def test_the_record_is_deleted(self):
        self.hub.delete("portal", "TK1")
        self.hub.reconcile()
        assert _closed(self.hub) == ["record_gone"]

    def test_the_record_leads_to_somebody_else(self):
        self.hub.state("population", "CD2", 0, personal_id="001184000002", **ANH | {"sex": "male"})
        self.told(5, personal_id="001184000002", sex="male")
        assert _closed(self.hub) == ["unlinked"]

    def test_a_clerk_rules_that_the_record_is_not_the_person_s(self):
        _rule(self.hub, "different")
        assert _closed(self.hub) == ["override"]

    def test_the_person_is_deleted(self):
        self.hub.delete("population", "CD1")
        self.hub.reconcile()
        assert _closed(self.hub) == ["person_gone"]

    def test_the_time_it_took_is_kept(self):
        self.hub.execute("update truth.discrepancy set opened_at = opened_at - interval '40 days'")
        self.told(5, personal_id=ID, sex="female")
        took = self.hub.row("select resolution_time, closed_because from truth.closed_discrepancy")
        assert (took["resolution_time"].days, took["closed_because"]) == (40, "corrected")


class TestSomebodyElsesNumber:
    @pytest.fixture(autouse=True)
    def _refused(self, registered, told):
        self.hub, self.told = registered, told
        assert told(personal_id=ID, full_name="Trần Văn Bình") == {"personal_id": "wrong_person"}

    def test_closes_as_corrected_when_the_record_is_stated_anew(self):
        assert self.told(5, personal_id=ID) == {}
        assert _closed(self.hub) == ["corrected"]

    def test_closes_for_another_belief_when_the_owner_is_renamed(self):
        renamed = ANH | {"full_name": "Trần Văn Bình"}
        self.hub.state("population", "CD1", 20, personal_id=ID, **renamed)
        self.hub.reconcile()
        assert _closed(self.hub) == ["belief_changed"]

    def test_closes_when_a_clerk_rules_that_it_is_the_person_after_all(self):
        _rule(self.hub, "same")
        assert _closed(self.hub) == ["override"]

    def test_stands_until_the_source_corrects_it_when_a_clerk_confirms_it(self):
        _rule(self.hub, "different")
        assert _closed(self.hub) == []
        assert self.told(5, personal_id=None, national_id_9=None) == {}
        assert _closed(self.hub) == ["corrected"]

    def test_closes_with_the_record_and_leads_to_no_person_when_the_owner_goes(self):
        self.hub.delete("portal", "TK1")
        self.hub.reconcile()
        self.told(5, personal_id=ID, full_name="Trần Văn Bình")
        self.hub.delete("population", "CD1")
        self.hub.reconcile()
        assert _closed(self.hub) == ["record_gone"]
        assert self.hub.open() == {("portal", "TK1", "personal_id"): "invalid"}


def test_a_doubt_about_a_number_keeps_its_age_when_it_turns_out_to_be_somebody_else_s(registered, told):
    assert told(personal_id=FORMER_ID) == {"personal_id": "stale"}
    before = registered.row("select discrepancy_id, opened_at from truth.discrepancy")
    assert told(5, personal_id=FORMER_ID, full_name="Trần Văn Bình") == {"personal_id": "wrong_person"}
    assert registered.row("select discrepancy_id, opened_at from truth.discrepancy") == before


@pytest.mark.parametrize(
    ("stated", "days", "severity"),
    [
        ({"sex": "male"}, 0, "medium"),
        ({"sex": "male"}, 91, "high"),
        ({"birth_date": "1984"}, 300, "low"),
        ({"birth_date": "1984"}, 400, "medium"),
        ({"full_name": "Trần Văn Bình"}, 0, "high"),
    ],
)
def test_severity_rises_with_age_by_the_rules_and_without_a_run(registered, told, stated, days, severity):
    told(personal_id=ID, **stated)
    registered.execute("update truth.discrepancy set opened_at = opened_at - make_interval(days => %s)", days)
    assert registered.row("select severity from truth.open_discrepancy") == {"severity": severity}


def test_a_rule_for_an_attribute_goes_before_that_of_its_kind_and_changed_rules_reach_what_is_open(
    registered, by_other_rules
):
    for source, number in (("tax", "+84912000001"), ("banking", "+84912000002")):
        registered.state(source, "X1", 5, personal_id=ID, full_name=ANH["full_name"], phone=number)
    registered.reconcile()
    assert registered.row("select kind, severity from truth.open_discrepancy") == {
        "kind": "conflict", "severity": "low",
    }  # fmt: skip
    by_other_rules("attribute: phone, opens: low, medium_after: 180d", "attribute: phone, opens: high")
    assert registered.row("select severity from truth.open_discrepancy") == {"severity": "high"}
    registered.reconcile()
    assert registered.row("select severity from truth.open_discrepancy") == {"severity": "low"}


def _rule(hub, verdict):
    hub.execute(
        "insert into truth.link_override "
        "(source, stream, source_key, person_key, verdict, reason, decided_by) "
        "select 'portal', 'accounts', 'TK1', person_key, %s, 'seen the card', 'clerk' from truth.person",
        verdict,
    )
    hub.mark("portal", "TK1")
    hub.reconcile()


def _closed(hub):
    found = hub.rows("select closed_because from truth.closed_discrepancy order by 1")
    return [row["closed_because"] for row in found]
