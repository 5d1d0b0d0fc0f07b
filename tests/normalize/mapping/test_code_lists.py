"""Code lists whose meanings hold for a time: decoded as of a day, and never beyond their validity."""

from __future__ import annotations

import datetime
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.config.mapping import CodeList, Meaning
from oncehub.errors import ConfigError
from oncehub.normalize.mapping.code_lists import Codes

from ..configuration import ROOT, load, read_samples

STATUS = """
title: Trạng thái
source: A circular that gave a code another meaning
values:
  "00":
    - {means: active, until: 2025-06-30}
    - {means: closed, from: 2025-07-01}
  "01": {means: null, from: 2020-01-01}
  "03": struck_off
"""
DAYS = st.dates(datetime.date(2019, 1, 1), datetime.date(2022, 12, 31))


@st.composite
def validities(draw):
    """Meanings of one code, of which none holds on a day of another, in any order."""
    bounds = sorted(draw(st.lists(DAYS, min_size=2, max_size=6, unique=True)))
    periods = [
        {"from": since, "until": until - datetime.timedelta(days=1)} for since, until in pairwise(bounds)
    ]
    if draw(st.booleans()):
        del periods[0]["from"]
    if draw(st.booleans()):
        del periods[-1]["until"]
    kept = draw(st.lists(st.sampled_from(periods), min_size=1, unique_by=id))
    return tuple(Meaning(means=draw(st.sampled_from(["x", "y", None])), **period) for period in kept)


def read(codes, code, days):
    place = codes.valid_on(codes.known(pl.lit(code)), pl.col("day"))
    frame = pl.DataFrame({"day": pl.Series(days, dtype=pl.Date)})
    return frame.select(place.is_not_null().alias("valid"), codes.meaning(place).alias("means")).rows()


@given(st.dictionaries(st.sampled_from("abc"), validities(), min_size=1), st.lists(DAYS, min_size=1))
def test_a_code_means_what_is_valid_on_the_day_and_nothing_else(values, days):
    def meaning_on(code, day):
        valid = [each for each in values.get(code, ()) if each.days[0] <= day <= each.days[1]]
        return (True, valid[0].means) if valid else (False, None)

    for code in "abcd":
        assert read(Codes(values), code, days) == [meaning_on(code, day) for day in days]


def test_a_meaning_that_always_holds_needs_no_day_and_any_other_does():
    always, later = Meaning(means="x"), Meaning.model_validate({"means": "y", "from": "2020-01-01"})
    codes = Codes({"1": (always,), "2": (later,)})
    assert (read(codes, "1", [None]), read(codes, "2", [None])) == ([(True, "x")], [(False, None)])


@pytest.fixture
def dated(spoilt_root):
    (spoilt_root / "mappings/codes/taxpayer_status.yaml").write_text(STATUS, "utf-8")
    return spoilt_root


def tax_record(**changes):
    return {**read_samples("tax", "registrations")[0], **changes}


def statuses(root, **changes):
    """What the status becomes, or the reasons and the path that reject the record."""
    batch = load(root, "tax", "registrations").normalize([tax_record(**changes)])
    if batch.rejected:
        return [(each.stage, each.reason, each.path) for each in batch.rejected]
    return batch.frames["tax_registration"]["status"].to_list()


def rewrite(root, new):
    path = root / "mappings/sources/tax/registrations.yaml"
    text = path.read_text("utf-8")
    assert "codes: taxpayer_status" in text
    path.write_text(text.replace("codes: taxpayer_status", f"codes: {new}"), "utf-8")
    return path


def test_a_code_is_decoded_as_of_the_day_in_vietnam_on_which_the_record_was_stated(dated):
    assert statuses(dated, trangThai="00", ngayCapNhat="30/06/2025 23:59:59") == ["active"]
    assert statuses(dated, trangThai="00", ngayCapNhat="01/07/2025 00:00:00") == ["closed"]


def test_a_meaning_that_says_the_source_does_not_know_is_no_failure(spoilt_root):
    (spoilt_root / "mappings/codes/tax_life_status.yaml").write_text(
        'title: x\nsource: x\nvalues:\n  "00": {means: null, from: 2020-01-01}\n  "01": alive\n', "utf-8"
    )
    batch = load(spoilt_root, "tax", "registrations").normalize([tax_record(trangThai="00")])
    assert not batch.rejected
    assert batch.frames["person"]["life_status"].to_list() == [None]


def test_a_code_outside_its_validity_rejects_the_record_and_says_so(dated):
    rejection = (
        "mapping",
        "code list taxpayer_status says not valid then of field trangThai",
        "tax_registration.status",
    )
    assert statuses(dated, trangThai="01", ngayCapNhat="31/12/2019 23:59:59") == [rejection]


def test_a_code_that_is_in_no_list_is_distinguished_from_an_invalid_one(dated):
    rejection = (
        "mapping",
        "code list taxpayer_status could not read field trangThai",
        "tax_registration.status",
    )
    assert statuses(dated, trangThai="04") == [rejection]


def test_another_field_may_say_as_of_which_day(dated):
    rewrite(dated, "{list: taxpayer_status, as_of: ngayCap, form: dd/MM/yyyy}")
    late = {"ngayCapNhat": "01/08/2025 00:00:00", "trangThai": "00"}
    assert statuses(dated, ngayCap="30/06/2025", **late) == ["active"]
    assert statuses(dated, ngayCap="01/07/2025", **late) == ["closed"]


def test_that_field_may_hold_a_moment(dated):
    rewrite(dated, "{list: taxpayer_status, as_of: ngayCapNhat, form: '%d/%m/%Y %H:%M:%S'}")
    assert statuses(dated, trangThai="00", ngayCapNhat="30/06/2025 23:59:59") == ["active"]


@pytest.mark.parametrize(
    ("codes", "advice"),
    [
        ("{list: taxpayer_status, as_of: ngayCup}", "did you mean 'ngayCap'?"),
        ("{list: taxpayer_status, as_of: ngayCap, form: dd/MM/YYYY}", "'dd/MM/YYYY' is no form of a moment"),
        (
            "{list: sex_1_0, as_of: ngayCap}",
            "code list sex_1_0 has no validity, so as_of means nothing; write codes: sex_1_0",
        ),
        ("{list: taxpayer_status, day: ngayCap}", "is not known here"),
    ],
)
def test_a_wrong_day_of_validity_is_refused_at_its_line(dated, codes, advice):
    path = rewrite(dated, codes)
    with pytest.raises(ConfigError) as caught:
        load(dated, "tax", "registrations")
    assert advice in str(caught.value)
    line = int(str(caught.value).removeprefix(str(path)).split(":")[1])
    assert "codes: {list" in path.read_text("utf-8").splitlines()[line - 1]


@pytest.mark.parametrize(
    ("meanings", "advice"),
    [
        (
            "[{means: x, until: 2025-06-30}, {means: y, from: 2025-06-30}]",
            "two meanings are valid on 2025-06-30",
        ),
        ("[{means: y, from: 2025-06-30}, {means: x}]", "two meanings are valid on 2025-06-30"),
        ("[{means: x}, {means: y}]", "two meanings are valid on 0001-01-01"),
        ("{means: x, from: 2025-07-01, until: 2025-06-30}", "until lies before from"),
        ("{means: x, form: 2025-07-01}", "did you mean 'from'?"),
        ("{from: 2025-07-01}", "is missing; add it"),
        ("[]", "at least 1 item"),
    ],
)
def test_meanings_that_contradict_each_other_are_refused_at_their_line(tmp_path, meanings, advice):
    path = tmp_path / "odd.yaml"
    path.write_text(f'title: Odd\nsource: None\nvalues:\n  "0": x\n  "1": {meanings}\n', "utf-8")
    with pytest.raises(ConfigError) as caught:
        CodeList.load(path)
    assert str(caught.value).startswith(f"{path}:5:")
    assert advice in str(caught.value)


def test_the_lists_of_the_five_sources_are_decoded_at_once():
    for path in (ROOT / "mappings/codes").glob("*.yaml"):
        assert not Codes(dict(CodeList.load(path).values)).dated
