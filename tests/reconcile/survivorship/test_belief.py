"""What is believed of a person, on whose word, and what was believed before."""

from __future__ import annotations

import pytest

ID = "001184000001"
ANH = {"personal_id": ID, "full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "sex": "female"}


@pytest.fixture(autouse=True)
def _registered(hub):
    hub.state("population", "CD1", 0, life_status="alive", **ANH)


def _contact(day, phone=None, email=None):
    return {"day": day, "personal_id": ID, "full_name": "Nguyễn Thị Ánh", "phone": phone, "email": email}


def test_the_register_says_who_somebody_is_and_says_it_in_the_provenance(hub):
    hub.state("portal", "TK1", 9, personal_id=ID, full_name="nguyen thi anh", sex="male")
    hub.reconcile()
    person = hub.person("CD1")
    assert {name: person[name] for name in ANH} == ANH
    assert person["provenance"]["*"] == {
        "source": "population",
        "stream": "citizens",
        "source_key": "CD1",
        "as_of": "2026-01-01T03:00:00+00:00",
        "rule": "authority",
    }
    assert "phone" not in person["provenance"]


def test_of_two_sources_the_more_trusted_value_survives_in_whatever_order_it_comes(hub):
    # 0.8 of 70 days later outweighs 0.9: 62 days make up for the difference in trust.
    hub.state("banking", "B1", **_contact(90, "+84912000002"))
    hub.reconcile()
    hub.state("portal", "TK1", **_contact(20, "+84912000001"))
    hub.reconcile()
    person = hub.person("CD1")
    assert person["phone"] == "+84912000002"
    assert person["provenance"]["phone"] | {"as_of": ""} == {
        "source": "banking",
        "stream": "accounts",
        "source_key": "B1",
        "as_of": "",
        "rule": "trust",
    }


def test_a_little_later_is_not_enough_against_more_trust(hub):
    hub.state("portal", "TK1", **_contact(20, "+84912000001"))
    hub.state("banking", "B1", **_contact(75, "+84912000002"))
    hub.reconcile()
    assert hub.person("CD1")["phone"] == "+84912000001"


def test_of_two_records_of_one_source_the_later_is_believed(hub):
    hub.state("banking", "B1", **_contact(21, "+84912000002"))
    hub.state("banking", "B2", **_contact(20, "+84912000001"))
    hub.reconcile()
    assert hub.person("CD1")["phone"] == "+84912000002"


@pytest.mark.parametrize("doubt", [{"sex": "male"}, {"birth_date": "1985-05-07"}])
def test_a_record_whose_number_does_not_fit_it_weighs_half(hub, doubt):
    hub.state("portal", "TK1", **_contact(20, "+84912000001") | doubt)
    hub.state("tax", "T1", **_contact(20, "+84912000002"))
    hub.reconcile()
    person = hub.person("CD1")
    assert (person["phone"], "doubtful" in person["provenance"]["phone"]) == ("+84912000002", False)


def test_a_record_linked_by_a_nine_digit_number_weighs_half_and_says_so_where_it_is_believed(hub):
    hub.state("population", "CD1", 0, national_id_9="011222333", **ANH)
    hub.state(
        "portal", "TK1", **_contact(20, "+84912000001") | {"personal_id": None, "national_id_9": "011222333"}
    )
    hub.reconcile()
    assert hub.person("CD1")["provenance"]["phone"]["doubtful"] is True
    hub.state("tax", "T1", **_contact(20, "+84912000002"))
    hub.reconcile()
    assert hub.person("CD1")["phone"] == "+84912000002"


def test_a_tie_goes_to_the_source_named_first_and_there_to_the_first_key(hub):
    for key, phone in (("TK2", "+84912000002"), ("TK1", "+84912000001")):
        hub.state("portal", key, **_contact(30, phone))
    hub.reconcile()
    assert hub.person("CD1")["phone"] == "+84912000001"


def test_a_later_statement_without_a_phone_takes_nothing_back(hub):
    hub.state("portal", "TK1", **_contact(20, "+84912000001", "anh@example.vn"))
    hub.state("banking", "B1", **_contact(30))
    hub.reconcile()
    assert (hub.person("CD1")["phone"], hub.person("CD1")["email"]) == ("+84912000001", "anh@example.vn")


def test_a_deleted_record_asserts_no_value(hub):
    hub.state("portal", "TK1", **_contact(20, "+84912000001"))
    hub.state("banking", "B1", **_contact(10, "+84912000002"))
    hub.reconcile()
    hub.delete("portal", "TK1")
    hub.reconcile()
    assert hub.person("CD1")["phone"] == "+84912000002"


def test_the_tax_code_is_what_the_tax_record_states(hub):
    hub.state("tax", "T1", 3, personal_id=ID, full_name="NGUYỄN THỊ ÁNH", tax_code="0312345678")
    hub.state("customs", "HQ1", 9, personal_id=ID, full_name="Nguyễn Thị Ánh", tax_code="0399999999")
    hub.reconcile()
    assert hub.person("CD1")["tax_code"] == "0312345678"


def test_an_earlier_golden_value_is_kept_with_the_time_it_was_valid(hub):
    hub.reconcile()
    first = hub.person("CD1")
    hub.state("population", "CD1", 5, **{**ANH, "full_name": "Nguyễn Thị Anh"})
    hub.reconcile()
    version = hub.row("select * from truth.person_version")
    assert version["believed"]["full_name"] == "Nguyễn Thị Ánh"
    assert version["provenance"] == first["provenance"]
    assert version["believed_from"] == first["believed_from"]
    assert version["believed_until"] == hub.person("CD1")["believed_from"]


def test_the_outbox_lists_what_was_added_changed_and_removed(hub):
    hub.reconcile()
    hub.state("portal", "TK1", **_contact(20, "+84912000001", "anh@example.vn"))
    hub.reconcile()
    hub.delete("population", "CD1")
    hub.reconcile()
    known = ["birth_date", "full_name", "life_status", "personal_id", "sex"]
    told = [(kind, sorted(attributes)) for kind, attributes in hub.changes()]
    assert told == [
        ("created", known),
        ("changed", ["email", "phone"]),
        ("removed", sorted([*known, "email", "phone"])),
    ]


def test_a_younger_statement_of_the_same_is_noted_but_changes_nothing(hub):
    hub.state("portal", "TK1", **_contact(20, "+84912000001"))
    hub.reconcile()
    hub.state("portal", "TK1", **_contact(25, "+84912000001"))
    report = hub.reconcile()
    person = hub.person("CD1")
    assert person["provenance"]["phone"]["as_of"] == "2026-01-26T03:00:00+00:00"
    assert report.people_changed == 0
    assert hub.rows("select * from truth.person_version") == []
    assert len(hub.changes()) == 1


def test_the_same_value_from_another_source_is_a_version_but_no_change(hub):
    hub.state("portal", "TK1", **_contact(20, "+84912000001"))
    hub.reconcile()
    hub.state("banking", "B1", **_contact(125, "+84912000001"))
    report = hub.reconcile()
    assert hub.person("CD1")["provenance"]["phone"]["source"] == "banking"
    assert (report.people_changed, len(hub.changes())) == (0, 1)
    assert hub.row("select provenance -> 'phone' ->> 'source' as source from truth.person_version") == {
        "source": "portal"
    }


def test_a_record_that_moves_to_another_person_takes_its_values_along(hub):
    other = {"personal_id": "001190000002", "full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07"}
    hub.state("population", "CD2", 0, **other)
    hub.state("portal", "TK1", **_contact(20, "+84912000001"))
    hub.reconcile()
    hub.state("portal", "TK1", **_contact(21, "+84912000001") | {"personal_id": "001190000002"})
    hub.reconcile()
    assert (hub.person("CD1")["phone"], hub.person("CD2")["phone"]) == (None, "+84912000001")


def test_a_person_who_comes_back_is_the_same_person(hub):
    hub.reconcile()
    key = hub.person("CD1")["person_key"]
    hub.delete("population", "CD1")
    hub.reconcile()
    hub.state("population", "CD1", 9, **ANH)
    hub.reconcile()
    assert hub.person("CD1")["person_key"] == key
    assert [kind for kind, _ in hub.changes()] == ["created", "removed", "created"]


@pytest.mark.parametrize(
    ("personal_id", "birth_date", "sex", "doubtful"),
    [
        ("001184000001", "1984-05-07", "female", False),
        ("001084000001", "1984", "male", False),
        ("001304000001", "2004-02", "female", False),
        ("001902000001", "2302", "female", False),
        ("001184000001", None, None, False),
        (None, "1984", "female", False),
        ("001184000001", "1984", "male", True),
        ("001184000001", "1983", None, True),
        ("001184000001", "2084", None, True),
        ("001204000001", "2004", "female", True),
    ],
)
def test_a_personal_number_is_in_doubt_when_it_does_not_fit_birth_year_or_sex(
    hub, personal_id, birth_date, sex, doubtful
):
    query = "select truth.doubtful_personal_id(%s, %s, %s) as doubtful"
    assert hub.row(query, personal_id, birth_date, sex) == {"doubtful": doubtful}
