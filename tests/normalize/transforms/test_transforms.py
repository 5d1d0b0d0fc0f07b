from __future__ import annotations

import datetime
import re
import string
import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.vn import mst

from oncehub.normalize.transforms.registry import Transforms

from ..configuration import ROOT

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


@pytest.mark.parametrize("written", [entry.examples[0].written for entry in KNOWN.catalogue()], ids=str)
def test_no_value_stays_no_value(written):
    assert apply(written, None).to_list() == [None]


@given(st.from_regex(r"[0-9]{10}(-?[0-9]{3})?", fullmatch=True))
def test_tax_codes_hold_exactly_when_the_library_of_standard_numbers_says_so(code):
    assert (apply("tax_code", code)[0] is not None) == mst.is_valid(code)


@given(st.from_regex(r"[0-9]{2}(0{6}[01]|0100233)[0-9](-?00[01])?", fullmatch=True))
def test_tax_codes_at_the_edge_hold_exactly_when_the_library_says_so(code):
    assert (apply("tax_code", code)[0] is not None) == mst.is_valid(code)


@given(
    st.from_regex(r"[0-9]{9}", fullmatch=True),
)
def test_a_stem_has_one_check_digit_or_none(stem):
    check_digit = mst.calc_check_digit(stem)
    issued = check_digit != "10" and stem[2:] != "0000000"
    expected = [stem + check_digit] if issued else []
    assert [
        code for code in apply("tax_code", *(stem + digit for digit in string.digits)) if code
    ] == expected


@given(st.dates(datetime.date(1800, 1, 1), datetime.date(2199, 12, 31)))
def test_a_date_reads_the_same_in_every_form(day):
    forms = ["dd/MM/yyyy", "d-M-yyyy", "yyyy-MM-dd", "yyyyMMdd", "d/M/yyyy"]
    y, m, d = f"{day.year:04}", day.month, day.day
    values = [f"{d:02}/{m:02}/{y}", f"{d}-{m}-{y}", f"{y}-{m:02}-{d:02}", f"{y}{m:02}{d:02}", f"{d}/{m}/{y}"]
    for form, value in zip(forms, values, strict=True):
        assert apply({"partial_date": form}, value)[0] == day.isoformat()
        assert apply({"partial_date": forms}, value)[0] == day.isoformat()


@given(st.timedeltas(datetime.timedelta(days=-62000), datetime.timedelta(days=84000)))
def test_a_moment_counted_from_1970_is_the_moment(elapsed):
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + elapsed
    seconds = elapsed // datetime.timedelta(seconds=1)
    milliseconds = elapsed // datetime.timedelta(milliseconds=1)
    _, read_seconds, _ = KNOWN.named({"datetime": "unix"})
    _, read_milliseconds, _ = KNOWN.named({"datetime": "unix_ms"})
    for kind in (pl.Int64, pl.String):
        frame = pl.DataFrame({"s": [seconds], "ms": [milliseconds]}).cast(kind)
        row = frame.select(read_seconds(pl.col("s")), read_milliseconds(pl.col("ms"))).row(0)
        assert row == (
            moment.replace(microsecond=0),
            moment.replace(microsecond=moment.microsecond // 1000 * 1000),
        )


def test_fractions_of_a_second_are_kept():
    _, read, _ = KNOWN.named({"datetime": "unix"})
    expected = datetime.datetime(2026, 5, 1, 1, 12, 33, 123456, tzinfo=datetime.UTC)
    assert apply({"datetime": "unix"}, "1777597953.123456").to_list() == [expected]
    assert pl.DataFrame({"s": [1777597953.123456]}).select(read(pl.col("s"))).item() == expected


@pytest.mark.parametrize(
    "odd", ["", "1e9", "nan", "inf", "0x10", "1777597953500000000", "99999999999999", "-", "1 0"]
)
def test_what_counts_no_plausible_seconds_is_not_read(odd):
    assert apply({"datetime": "unix"}, odd).to_list() == [None]


@pytest.mark.parametrize("form", ["dd/MM/yyyy", "d/M/yyyy"])
def test_the_month_first_is_not_mixed_with_the_day_first(form):
    with pytest.raises(ValueError, match="as different days; keep one order"):
        KNOWN.named({"partial_date": [form, "M/d/yyyy"]})
    assert apply({"partial_date": ["M/d/yyyy", "yyyy-MM-dd", "yyyy"]}, "2/28/2015")[0] == "2015-02-28"


@pytest.mark.parametrize("impossible", ["31/02/1990", "29/02/2023", "00/01/2000", "01/13/2000", "07/05/0084"])
def test_a_day_no_calendar_has_is_not_read(impossible):
    assert apply({"partial_date": ["dd/MM/yyyy", "d/M/yyyy", "MM/yyyy", "yyyy"]}, impossible)[0] is None


@pytest.mark.parametrize(
    "odd", ["0912345678\n", "٠٩١٢٣٤٥٦٧٨", "12345", "+1 202 555 0100", "912345678", "00912345678"]
)
def test_what_is_no_vietnamese_number_is_not_read(odd):
    expected = "+84912345678" if odd.strip() != odd else None
    assert apply("phone_vn", odd)[0] == expected


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
        ({"datetime": ["a", "b", "c"]}, "takes form = 'iso8601', zone = 'UTC'"),
        ({"partial_date": 2024}, "forms is a text; write it in quotes"),
        ({"partial_date": []}, "needs a form of a date"),
        ({"partial_date": "dd/MM/yy"}, "does not tell the century"),
        ({"datetime": "%d/%m/%y %H:%M"}, "does not tell the century"),
        ({"upper": [], "nfc": []}, "one transform an item"),
    ],
)
def test_a_transform_that_cannot_be_is_refused_with_advice(written, advice):
    with pytest.raises(ValueError, match=re.escape(advice)):
        KNOWN.named(written)
