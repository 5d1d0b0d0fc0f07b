"""What is only a difference of form, what is out of date, and what is at odds."""

from __future__ import annotations

import pytest

ID = "001184000001"
FORMER, PRESENT = "2024-12-01", "2025-07-01"
HOME = {"unit": "00004", "edition": PRESENT, "detail": "12 Hàng Bài"}
ANH = {
    "personal_id": ID,
    "full_name": "Nguyễn Thị Hoà Ánh",
    "birth_date": "1984-05-07",
    "sex": "female",
    "permanent_address": HOME,
    "life_status": "alive",
}


def _register(hub, **changed):
    hub.state("population", "CD1", 10, **ANH | changed)


def _difference(hub, attribute, stated, day=0):
    """Return the kind of discrepancy that a portal record leaves; None when it agrees."""
    named = {"full_name": ANH["full_name"], attribute: stated}
    hub.state("portal", "TK1", day, personal_id=ID, **named)
    hub.reconcile()
    return hub.open().get(("portal", "TK1", attribute))


@pytest.mark.parametrize(
    "name",
    [
        "NGUYỄN THỊ HÒA ÁNH",
        "nguyen thi hoa anh",
        "  Nguyễn   Thị Hoà\tÁnh ",
        "Nguyễn Thị Hoà Ánh",
        "NguyễnThị HoàÁnh",
    ],
)
def test_a_name_agrees_in_any_case_accent_tone_placement_and_spacing(hub, name):
    _register(hub)
    assert _difference(hub, "full_name", name) is None


def test_a_mistyped_name_is_a_conflict(hub):
    _register(hub)
    assert _difference(hub, "full_name", "Nguyễn Thị Hoà Ách") == "conflict"


@pytest.mark.parametrize(("date", "kind"), [("1984-05-07", None), ("1984-05", "form"), ("1984", "form")])
def test_a_date_agrees_as_far_as_it_goes_and_less_than_the_whole_is_a_matter_of_form(hub, date, kind):
    _register(hub)
    assert _difference(hub, "birth_date", date) == kind


@pytest.mark.parametrize("date", ["1984-07-05", "1984-06", "1985"])
def test_another_date_is_a_conflict(hub, date):
    _register(hub)
    assert _difference(hub, "birth_date", date) == "conflict"


def test_a_full_date_agrees_with_a_register_that_knows_the_year(hub):
    _register(hub, birth_date="1984")
    assert _difference(hub, "birth_date", "1984-05-07") is None


def test_another_sex_is_a_conflict_and_none_is_no_difference(hub):
    _register(hub)
    assert _difference(hub, "sex", "male") == "conflict"
    assert _difference(hub, "sex", None) is None


def test_an_address_agrees_with_the_commune_it_became_part_of(hub):
    _register(hub)
    assert (
        _difference(hub, "permanent_address", {**HOME, "edition": FORMER, "detail": "12 HÀNG BÀI."}) is None
    )


def test_an_address_in_the_register_s_former_commune_agrees_with_the_present_one(hub):
    _register(hub, permanent_address={**HOME, "unit": "00001", "edition": FORMER})
    assert _difference(hub, "permanent_address", {**HOME, "unit": "00097"}) is None


def test_a_split_commune_agrees_with_each_of_its_successors_and_no_other(hub):
    split = hub.row(
        "select former_unit, array_agg(present_unit) as became from truth.unit_successor "
        "where split group by 1 order by 1 limit 1"
    )
    _register(hub, permanent_address={**HOME, "unit": split["former_unit"], "edition": FORMER})
    for unit in split["became"]:
        assert _difference(hub, "permanent_address", {**HOME, "unit": unit}) is None
    other = hub.row(
        "select min(present_unit) as unit from truth.unit_successor where not present_unit = any(%s)",
        split["became"],
    )
    assert _difference(hub, "permanent_address", {**HOME, "unit": other["unit"]}) == "stale"


@pytest.mark.parametrize("other", [{"unit": "00097"}, {"detail": "14 Hàng Bài"}])
@pytest.mark.parametrize(("day", "kind"), [(9, "stale"), (11, "conflict")])
def test_an_address_stated_before_a_move_is_stale_and_one_stated_after_it_a_conflict(hub, other, day, kind):
    _register(hub)
    assert _difference(hub, "permanent_address", HOME | other, day) == kind


def test_the_same_code_in_two_catalogues_is_not_the_same_commune(hub):
    _register(hub, permanent_address={**HOME, "unit": "00001", "edition": FORMER})
    assert _difference(hub, "permanent_address", {**HOME, "unit": "00001"}) == "stale"


@pytest.mark.parametrize(
    ("register", "stated", "kind"),
    [
        (("00004", "2025-07-01"), ("00004", "2026-03-01"), None),
        (("00004", "2026-03-01"), ("00008", "2025-07-01"), "stale"),
        (("00001", "2024-12-01"), ("00001", "2025-06-30"), None),
        (("00001", "2019-01-01"), ("00097", "2026-03-01"), None),
        (("00097", "2025-07-01"), ("00001", "2025-06-30"), None),
        (("00001", "2025-07-01"), ("00001", "2025-06-30"), "stale"),
    ],
)
def test_a_code_is_read_in_the_catalogue_that_was_in_force_on_its_day(hub, register, stated, kind):
    (unit, edition), (other, day) = register, stated
    _register(hub, permanent_address={**HOME, "unit": unit, "edition": edition})
    assert _difference(hub, "permanent_address", {**HOME, "unit": other, "edition": day}) == kind


@pytest.mark.parametrize("unit", ["00097", "00001"])
def test_an_address_that_names_no_catalogue_agrees_in_any(hub, unit):
    _register(hub, permanent_address={**HOME, "unit": "00097"})
    assert _difference(hub, "permanent_address", {**HOME, "unit": unit, "edition": None}) is None
    assert _difference(hub, "permanent_address", {**HOME, "edition": None}) == "stale"


def test_what_an_address_leaves_out_is_no_difference(hub):
    _register(hub)
    assert (
        _difference(hub, "permanent_address", {"unit": "00004", "edition": PRESENT, "detail": None}) is None
    )


def test_an_earlier_phone_is_stale(hub):
    _register(hub)
    hub.state("tax", "T1", 5, personal_id=ID, full_name=ANH["full_name"], phone="+84912000001")
    hub.state("banking", "B1", 6, personal_id=ID, full_name=ANH["full_name"], phone="+84912000002")
    hub.reconcile()
    assert hub.open() == {("tax", "T1", "phone"): "stale"}


@pytest.mark.parametrize("in_two_runs", [False, True])
def test_two_phones_stated_at_one_time_are_a_conflict_in_any_order(hub, in_two_runs):
    _register(hub)
    hub.state("tax", "T1", 5, personal_id=ID, full_name=ANH["full_name"], phone="+84912000001")
    if in_two_runs:
        hub.reconcile()
    hub.state("banking", "B1", 5, personal_id=ID, full_name=ANH["full_name"], phone="+84912000002")
    hub.reconcile()
    assert hub.open() == {("tax", "T1", "phone"): "conflict"}


@pytest.mark.parametrize(
    ("believed", "stated", "kind"),
    [
        ("deceased", "alive", "deceased"),
        ("deceased", "deceased", None),
        ("deceased", None, None),
        ("missing", "alive", None),
        ("alive", "deceased", None),
        ("alive", "alive", None),
    ],
)
def test_a_source_that_states_a_deceased_person_as_alive_is_notified(hub, believed, stated, kind):
    _register(hub, life_status=believed)
    assert _difference(hub, "life_status", stated) == kind


@pytest.mark.parametrize(
    ("attribute", "corrected"),
    [
        ("full_name", "Nguyễn Thị Hoài Ánh"),
        ("birth_date", "1984-05-09"),
        ("sex", "male"),
        ("permanent_address", {**HOME, "detail": "1 Lò Đúc"}),
    ],
)
def test_who_repeats_what_the_register_has_corrected_is_late_and_not_at_odds(hub, attribute, corrected):
    _register(hub)
    hub.state("portal", "TK1", 20, **ANH)
    hub.reconcile()
    assert hub.open() == {}
    _register(hub, **{attribute: corrected})
    hub.reconcile()
    assert hub.open() == {("portal", "TK1", attribute): "stale"}


def test_an_old_address_stays_stale_when_the_rest_of_the_record_is_stated_anew(hub):
    _register(hub)
    hub.state("portal", "TK1", 5, **ANH | {"permanent_address": {**HOME, "unit": "00001", "edition": FORMER}})
    hub.reconcile()
    again = {"permanent_address": {**HOME, "unit": "00097"}, "phone": "+84912000001"}
    hub.state("portal", "TK1", 15, **ANH | again)
    hub.reconcile()
    assert hub.open() == {("portal", "TK1", "permanent_address"): "stale"}
    hub.state("portal", "TK1", 16, **ANH | {"permanent_address": {**HOME, "detail": "1 Lò Đúc"}})
    hub.reconcile()
    assert hub.open() == {("portal", "TK1", "permanent_address"): "conflict"}


def test_a_conflict_stays_one_when_the_register_corrects_itself_to_a_third_value(hub):
    _register(hub)
    assert _difference(hub, "birth_date", "1984-07-05") == "conflict"
    _register(hub, birth_date="1984-07-09")
    hub.reconcile()
    assert hub.open() == {("portal", "TK1", "birth_date"): "conflict"}


def test_a_time_without_an_address_takes_none_back(hub):
    _register(hub, permanent_address=None)
    hub.reconcile()
    _register(hub)
    assert _difference(hub, "permanent_address", {**HOME, "detail": "1 Lò Đúc"}, day=20) == "conflict"


class TestAge:
    """A disagreement keeps its age until the source comes into line."""

    @pytest.fixture(autouse=True)
    def _at_odds(self, hub):
        _register(hub)
        assert _difference(hub, "birth_date", "1984-07-05") == "conflict"

    def test_it_stands_unchanged_while_nothing_changes(self, hub):
        before = hub.row("select * from truth.discrepancy")
        hub.state("banking", "B1", 3, personal_id=ID, full_name=ANH["full_name"])
        report = hub.reconcile()
        assert hub.row("select * from truth.discrepancy") == before
        assert (report.opened, report.closed, report.open_by_kind) == (0, 0, {"conflict": 1})

    def test_it_keeps_its_age_when_the_kind_changes(self, hub):
        before = hub.row("select * from truth.discrepancy")
        _register(hub, birth_date="1984-07-05")
        hub.reconcile()
        _register(hub)
        hub.reconcile()
        reopened = hub.row("select * from truth.discrepancy where closed_at is null")
        assert reopened["kind"] == "stale"
        assert reopened["opened_at"] > before["opened_at"]
        assert hub.row("select count(*) from truth.discrepancy where closed_at is not null") == {"count": 1}

    def test_it_closes_when_the_source_corrects_itself(self, hub):
        hub.state("portal", "TK1", 12, personal_id=ID, full_name=ANH["full_name"], birth_date="1984-05-07")
        report = hub.reconcile()
        assert (report.closed, report.open_by_kind) == (1, {})
        assert hub.row("select closed_at is not null as closed from truth.discrepancy") == {"closed": True}

    def test_it_closes_when_the_record_or_the_person_goes(self, hub):
        hub.delete("portal", "TK1")
        assert hub.reconcile().closed == 1
        assert _difference(hub, "birth_date", "1984-07-05") == "conflict"
        hub.delete("population", "CD1")
        hub.reconcile()
        assert hub.open() == {("portal", "TK1", "personal_id"): "invalid"}
