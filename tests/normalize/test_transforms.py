from __future__ import annotations

import datetime
import re
import string
import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.vn import mst

from oncehub.normalize.transforms import TRANSFORMS, Transforms

from .configuration import ROOT

MAPPINGS = ROOT / "mappings"
KNOWN = Transforms(MAPPINGS)
EXAMPLES = [example for entry in KNOWN.catalogue() for example in entry.examples]


def apply(written, *values):
    _, change, _ = KNOWN.named(written)
    return (
        pl.DataFrame({"value": pl.Series(values, dtype=pl.String)})
        .select(change(pl.col("value")))
        .to_series()
    )


def as_text(value):
    match value:
        case datetime.datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case datetime.date():
            return value.isoformat()
        case _:
            return value


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_each_example_holds(example):
    assert as_text(apply(example.written, example.value)[0]) == example.result


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_says_whether_no_value_is_a_failure(example):
    _, _, null_is_meant = KNOWN.named(example.written)
    assert not (example.fails and null_is_meant)
    assert example.fails or null_is_meant or example.result is not None


@pytest.mark.parametrize("entry", KNOWN.catalogue(), ids=lambda entry: entry.name)
def test_every_transform_says_what_it_does_and_shows_an_example(entry):
    assert entry.summary.endswith((".", ";"))
    assert entry.examples


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_no_value_stays_no_value(name):
    written = {name: "dd/MM/yyyy"} if "date" in name and name != "datetime" else name
    assert apply(written, None).to_list() == [None]


@settings(deadline=None)
@given(st.from_regex(r"[0-9]{10}", fullmatch=True).filter(lambda code: code[2:9] != "0000000"))
def test_ten_digit_tax_codes_hold_exactly_when_the_standard_library_of_numbers_says_so(code):
    assert (apply("tax_code", code)[0] == code) == mst.is_valid(code)


@settings(deadline=None)
@given(st.from_regex(r"[0-9]{9}", fullmatch=True).filter(lambda stem: stem[2:] != "0000000"))
def test_a_stem_has_one_check_digit_or_none(stem):
    check_digit = mst.calc_check_digit(stem)
    expected = [] if check_digit == "10" else [stem + check_digit]
    assert [
        code for code in apply("tax_code", *(stem + digit for digit in string.digits)) if code
    ] == expected


@settings(deadline=None)
@given(st.dates(datetime.date(1800, 1, 1), datetime.date(2199, 12, 31)))
def test_a_date_reads_the_same_in_every_form(day):
    forms = ["dd/MM/yyyy", "d-M-yyyy", "yyyy-MM-dd", "yyyyMMdd", "d/M/yyyy"]
    y, m, d = f"{day.year:04}", day.month, day.day
    values = [f"{d:02}/{m:02}/{y}", f"{d}-{m}-{y}", f"{y}-{m:02}-{d:02}", f"{y}{m:02}{d:02}", f"{d}/{m}/{y}"]
    for form, value in zip(forms, values, strict=True):
        assert apply({"partial_date": form}, value)[0] == day.isoformat()
        assert apply({"partial_date": forms}, value)[0] == day.isoformat()


@pytest.mark.parametrize("impossible", ["31/02/1990", "29/02/2023", "00/01/2000", "01/13/2000", "07/05/0084"])
def test_a_day_no_calendar_has_is_not_read(impossible):
    assert apply({"partial_date": ["dd/MM/yyyy", "d/M/yyyy", "MM/yyyy", "yyyy"]}, impossible)[0] is None


@pytest.mark.parametrize("odd", ["0912345678\n", "٠٩١٢٣٤٥٦٧٨", "12345", "+1 202 555 0100"])
def test_what_is_no_vietnamese_number_is_not_read(odd):
    expected = "+84912345678" if odd.strip() != odd else None
    assert apply("phone_vn", odd)[0] == expected


@settings(deadline=None)
@given(st.from_regex(r"[35789][0-9]{8}", fullmatch=True))
def test_all_forms_of_a_mobile_number_are_one(number):
    spaced = f"{number[:3]} {number[3:6]} {number[6:]}"
    forms = [
        f"0{number}",
        f"84{number}",
        f"+84{number}",
        f"+84 {spaced}",
        f"+84-{number}",
        f"0{spaced}",
        f"+84(0){number}",
    ]
    assert set(apply("phone_vn", *forms)) == {f"+84{number}"}


@settings(deadline=None)
@given(st.text())
def test_nfc_agrees_with_the_unicode_database(text):
    expected = unicodedata.normalize("NFC", text).replace("\u00d0", "Đ").replace("\u00f0", "đ")
    assert apply("nfc", text)[0] == expected


def test_vietnamese_letters_in_any_order_of_marks_are_composed():
    letters = [chr(code) for code in (*range(0x20, 0x300), *range(0x1EA0, 0x1EFA))]
    expected = [unicodedata.normalize("NFC", letter).translate({0xD0: "Đ", 0xF0: "đ"}) for letter in letters]
    assert apply("nfc", *letters).to_list() == expected
    assert apply("nfc", *(unicodedata.normalize("NFD", letter) for letter in letters)).to_list() == expected


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("personal_ids", "did you mean 'personal_id'?"),
        ("xyz", "choose of"),
        ({"partial_date": "DD/MM/YYYY"}, "no form of a date"),
        ({"date": "yyyy"}, "use partial_date"),
        ({"upper": "x"}, "takes no arguments"),
        ({"upper": [], "lower": []}, "one transform an item"),
    ],
)
def test_a_transform_that_cannot_be_is_refused_with_advice(written, advice):
    with pytest.raises(ValueError, match=re.escape(advice)):
        KNOWN.named(written)
