"""Whom a record speaks of."""

from __future__ import annotations

import pytest

ANH = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "sex": "female"}
BINH = {"full_name": "Trần Văn Bình", "birth_date": "1990-11-20", "sex": "male"}


def test_a_personal_number_in_force_links(hub):
    hub.state("population", "CD1", personal_id="001184000001", **ANH)
    hub.state("banking", "B1", personal_id="001184000001", full_name="NGUYEN THI ANH")
    hub.reconcile()
    assert hub.links() == {("banking", "B1"): "personal_id"}


def test_a_former_number_leads_to_its_person(hub):
    hub.state("population", "CD1", personal_id="001184000001", former=["001184000009"], **ANH)
    hub.state("tax", "T1", personal_id="001184000009", full_name="NGUYỄN THỊ ÁNH")
    hub.reconcile()
    assert hub.links() == {("tax", "T1"): "former_personal_id"}


def test_a_number_in_force_counts_before_the_same_number_formerly_of_another(hub):
    hub.state("population", "CD1", personal_id="001184000001", former=["001184000009"], **ANH)
    hub.state("population", "CD2", personal_id="001184000009", **BINH)
    hub.state("tax", "T1", personal_id="001184000009", full_name="TRẦN VĂN BÌNH")
    hub.reconcile()
    assert hub.links() == {("tax", "T1"): "personal_id"}
    linked = hub.row("select person_key from truth.link where source = 'tax'")
    assert linked["person_key"] == hub.person("CD2")["person_key"]


def test_a_number_in_force_for_two_people_does_not_lead_to_who_bore_it_before(hub):
    hub.state("population", "CD1", personal_id="001184000001", full_name="Nguyễn Thị Ánh")
    hub.state("population", "CD2", personal_id="001184000001", full_name="Trần Văn Bình")
    hub.state("population", "CD3", personal_id="001184000003", former=["001184000001"], full_name="Lê Yến")
    hub.state("portal", "TK1", personal_id="001184000001", full_name="Nguyễn Thị Ánh", birth_date="1984")
    hub.reconcile()
    assert hub.links() == {}
    assert hub.open() == {}
    hub.delete("population", "CD2")
    hub.reconcile()
    assert hub.links() == {("portal", "TK1"): "personal_id"}


def test_a_nine_digit_number_links_what_states_no_personal_number(hub):
    hub.state("population", "CD1", personal_id="001184000001", national_id_9="011222333", **ANH)
    hub.state("customs", "HQ1", national_id_9="011222333", full_name="Nguyễn Thị Ánh")
    hub.reconcile()
    assert hub.links() == {("customs", "HQ1"): "national_id_9"}


def test_a_nine_digit_number_that_two_people_have_links_no_record_until_one_is_gone(hub):
    hub.state("population", "CD1", personal_id="001184000001", national_id_9="011222333", **ANH)
    hub.state("population", "CD2", personal_id="001090000002", national_id_9="011222333", **BINH)
    hub.state("customs", "HQ1", national_id_9="011222333", full_name="Nguyễn Thị Ánh")
    assert hub.reconcile().links == {"register": 2, "unlinked": 1}
    hub.delete("population", "CD2")
    hub.reconcile()
    assert hub.links() == {("customs", "HQ1"): "national_id_9"}


def test_a_tax_code_links_through_the_tax_record_that_bears_it(hub):
    hub.state("customs", "HQ1", tax_code="0312345678", full_name="Nguyễn Thị Ánh")
    hub.reconcile()
    assert hub.links() == {}
    hub.state("tax", "T1", personal_id="001184000001", tax_code="0312345678", full_name="NGUYỄN THỊ ÁNH")
    hub.reconcile()
    assert hub.links() == {}
    hub.state("population", "CD1", personal_id="001184000001", **ANH)
    hub.reconcile()
    assert hub.links() == {("tax", "T1"): "personal_id", ("customs", "HQ1"): "tax_code"}


def test_the_code_of_a_household_business_is_known_by_its_first_ten_digits(hub):
    hub.state("population", "CD1", personal_id="001184000001", **ANH)
    hub.state("tax", "T1", personal_id="001184000001", tax_code="0312345678-001", full_name="NGUYỄN THỊ ÁNH")
    hub.state("banking", "B1", tax_code="0312345678", full_name="NGUYEN THI ANH")
    hub.reconcile()
    assert hub.links()["banking", "B1"] == "tax_code"


def test_a_tax_record_that_is_deleted_takes_along_what_it_linked(hub):
    hub.state("population", "CD1", personal_id="001184000001", **ANH)
    hub.state("tax", "T1", personal_id="001184000001", tax_code="0312345678", full_name="NGUYỄN THỊ ÁNH")
    hub.state("banking", "B1", tax_code="0312345678", full_name="NGUYEN THI ANH")
    hub.reconcile()
    hub.delete("tax", "T1")
    assert hub.reconcile().links == {"register": 1, "unlinked": 1}


def test_one_of_two_tax_records_under_a_code_is_enough_to_keep_it(hub):
    hub.state("population", "CD1", personal_id="001184000001", **ANH)
    for key, code in {"T1": "0312345678", "T2": "0312345678-001"}.items():
        hub.state("tax", key, personal_id="001184000001", tax_code=code, full_name="NGUYỄN THỊ ÁNH")
    hub.state("banking", "B1", tax_code="0312345678", full_name="NGUYEN THI ANH")
    hub.reconcile()
    hub.delete("tax", "T1")
    hub.reconcile()
    assert hub.links() == {("tax", "T2"): "personal_id", ("banking", "B1"): "tax_code"}


def test_a_person_whose_register_record_goes_is_gone_and_the_records_are_unlinked(hub):
    hub.state("population", "CD1", personal_id="001184000001", **ANH)
    hub.state("portal", "TK1", personal_id="001184000001", phone="+84912345678", full_name="Nguyễn Thị Ánh")
    hub.reconcile()
    hub.delete("population", "CD1")
    report = hub.reconcile()
    assert (report.people_removed, report.links) == (1, {"unlinked": 1})
    assert hub.rows("select * from truth.person") == hub.rows("select * from truth.identifier") == []
    assert hub.row("select believed ->> 'phone' as phone from truth.person_version") == {
        "phone": "+84912345678"
    }


def test_a_re_issued_number_keeps_the_records_that_state_the_old_one(hub):
    hub.state("population", "CD1", personal_id="001184000001", **ANH)
    hub.state("tax", "T1", personal_id="001184000001", full_name="NGUYỄN THỊ ÁNH")
    hub.reconcile()
    hub.state("population", "CD1", 5, personal_id="001184000002", former=["001184000001"], **ANH)
    hub.reconcile()
    assert hub.links() == {("tax", "T1"): "former_personal_id"}


def test_a_record_without_a_number_is_kept_as_unlinked(hub):
    hub.state("population", "CD1", personal_id="001184000001", **ANH)
    hub.state("banking", "B1", full_name="NGUYEN THI ANH", birth_date="1984-05-07")
    assert hub.reconcile().links == {"register": 1, "unlinked": 1}


class TestSomebodyElsesNumber:
    """The number fits, the person does not."""

    @pytest.fixture(autouse=True)
    def _owner(self, hub):
        hub.state("population", "CD1", personal_id="001184000001", national_id_9="011222333", **ANH)

    def test_is_refused_reported_and_put_before_a_clerk(self, hub):
        hub.state("portal", "TK1", personal_id="001184000001", **BINH)
        hub.reconcile()
        assert hub.links() == {}
        assert hub.open() == {("portal", "TK1", "personal_id"): "wrong_person"}
        case = hub.row("select kind, person_key, source_key from truth.case_file where closed_at is null")
        assert case == {
            "kind": "wrong_person",
            "person_key": hub.person("CD1")["person_key"],
            "source_key": "TK1",
        }

    def test_is_refused_by_the_name_alone_where_no_birth_date_is_stated(self, hub):
        hub.state("customs", "HQ1", personal_id="001184000001", full_name="Trần Văn Bình")
        hub.reconcile()
        assert hub.open() == {("customs", "HQ1", "personal_id"): "wrong_person"}

    def test_is_refused_by_the_name_although_the_birth_date_agrees(self, hub):
        hub.state("portal", "TK1", personal_id="001184000001", full_name="Lê Hoàng Yến", birth_date="1984")
        hub.reconcile()
        assert hub.open() == {("portal", "TK1", "personal_id"): "wrong_person"}

    def test_is_not_suspected_after_a_slip_of_the_pen(self, hub):
        hub.state("portal", "TK1", personal_id="001184000001", full_name="Nguyễn Thị Anhh", birth_date="1984")
        hub.reconcile()
        assert hub.links() == {("portal", "TK1"): "personal_id"}

    def test_no_weaker_number_is_tried(self, hub):
        hub.state("population", "CD2", personal_id="001090000002", national_id_9="044555666", **BINH)
        hub.state("portal", "TK1", personal_id="001184000001", national_id_9="044555666", **BINH)
        hub.reconcile()
        assert hub.links() == {}

    def test_is_settled_when_the_source_states_the_right_one(self, hub):
        hub.state("portal", "TK1", personal_id="001184000001", **BINH)
        hub.reconcile()
        hub.state("population", "CD2", personal_id="001090000002", **BINH)
        hub.state("portal", "TK1", 3, personal_id="001090000002", **BINH)
        hub.reconcile()
        assert (hub.open(), hub.links()) == ({}, {("portal", "TK1"): "personal_id"})
        assert hub.rows("select * from truth.case_file where closed_at is null") == []

    def test_is_settled_when_the_register_corrects_the_name(self, hub):
        hub.state("portal", "TK1", personal_id="001184000001", **BINH)
        hub.reconcile()
        hub.state("population", "CD1", 3, personal_id="001184000001", **BINH)
        hub.reconcile()
        assert (hub.open(), hub.links()) == ({}, {("portal", "TK1"): "personal_id"})

    def test_stands_while_other_records_of_the_owner_change(self, hub):
        hub.state("portal", "TK1", personal_id="001184000001", **BINH)
        hub.reconcile()
        hub.state("banking", "B1", personal_id="001184000001", full_name="NGUYEN THI ANH")
        hub.reconcile()
        assert hub.open() == {("portal", "TK1", "personal_id"): "wrong_person"}

    def test_lends_its_tax_code_to_no_person(self, hub):
        hub.state("tax", "T1", personal_id="001184000001", tax_code="0312345678", **BINH)
        hub.state("banking", "B1", tax_code="0312345678", full_name="TRAN VAN BINH")
        hub.reconcile()
        assert hub.links() == {}

    def test_a_case_that_a_clerk_has_decided_is_left_as_it_is(self, hub):
        hub.state("portal", "TK1", personal_id="001184000001", **BINH)
        hub.reconcile()
        hub.execute(
            "insert into truth.decision (case_id, verdict, reason, decided_by) "
            "select case_id, 'different', 'seen', 'clerk' from truth.case_file"
        )
        before = hub.rows("select * from truth.case_file"), hub.rows("select * from truth.decision")
        hub.delete("portal", "TK1")
        hub.reconcile()
        assert (hub.rows("select * from truth.case_file"), hub.rows("select * from truth.decision")) == before


def test_who_goes_by_a_middle_name_that_the_register_has_corrected_is_not_somebody_else(hub):
    hub.state("population", "CD1", personal_id="001184000001", **{**ANH, "full_name": "Trần Minh Ánh"})
    hub.state("banking", "B1", personal_id="001184000001", full_name="TRAN MINH ANH")
    hub.reconcile()
    hub.state("population", "CD1", 20, personal_id="001184000001", **{**ANH, "full_name": "Trần Duy Ánh"})
    hub.reconcile()
    assert hub.links() == {("banking", "B1"): "personal_id"}
    assert hub.open() == {("banking", "B1", "full_name"): "stale"}


@pytest.mark.parametrize("runs", [True, False])
def test_a_former_name_of_the_register_is_the_person_s_whenever_runs_are(hub, runs):
    for day, given in enumerate(["Ánh", "Nguyệt", "Hồng"]):
        hub.state("population", "CD1", day, personal_id="001184000001", **ANH | {"full_name": f"Lê {given}"})
        if runs:
            hub.reconcile()
    hub.state("banking", "B1", personal_id="001184000001", full_name="LE ANH")
    hub.state("portal", "TK1", personal_id="001184000001", full_name="Lê Nguyệt")
    hub.state("tax", "T1", personal_id="001184000001", full_name="LÊ YẾN", birth_date="1984-05-07")
    hub.reconcile()
    assert hub.links() == {("banking", "B1"): "personal_id", ("portal", "TK1"): "personal_id"}
    assert hub.open()["tax", "T1", "personal_id"] == "wrong_person"


def test_another_name_that_the_register_states_is_the_person_s(hub):
    hub.state("population", "CD1", personal_id="001184000001", other_name="Lê Thị Bé", **ANH)
    hub.state("banking", "B1", personal_id="001184000001", full_name="LE THI BE")
    hub.reconcile()
    assert hub.links() == {("banking", "B1"): "personal_id"}
