"""JSON pages: where the records are, when none is an answer, and numbers kept to the last digit."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.config.reading import Read, SinglePage
from oncehub.connect.formats import Content, PageReader, Unreadable
from oncehub.connect.formats import json as json_format
from oncehub.connect.formats.json import parse_json
from oncehub.connect.formats.unreadable import as_written
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.responses import Response
from oncehub.errors import ContractBroken

from ..rendering import ONE_PAGE, json_read, jsonl_read

TOTAL = SinglePage.model_validate({"kind": "none", "total": "data.tong"})
HUGE = b"9" * 400
COUNT_IN_HEADER = SinglePage.model_validate({"kind": "none", "count": {"header": "X-Count"}})


def page(read: Read, body: bytes, pages: SinglePage = ONE_PAGE, **headers: str) -> Content:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PageReader(read, pages, 10_000).page(Response(200, named, body), "tax.items: page 1")


def test_records_stand_at_their_path_or_are_the_body() -> None:
    assert page(json_read(records="data.ds"), b'{"data": {"ds": [{"a": 1}, 2]}}').records == [{"a": 1}, 2]
    assert page(json_read(), b"[]").records == []


def test_a_byte_order_mark_is_no_part_of_the_page() -> None:
    assert page(json_read(), b'\xef\xbb\xbf[{"a": "b"}]').records == [{"a": "b"}]


@pytest.mark.parametrize("data", [{"ds": None}, {}, None])
def test_no_list_is_an_empty_one_only_where_the_page_declares_none(data: Any) -> None:
    read = json_read(records="data.ds")
    body = orjson.dumps({"data": data})
    with pytest.raises(ContractBroken, match=r"page 1: holds no list at `data\.ds`"):
        page(read, body, TOTAL)
    assert page(read, body, COUNT_IN_HEADER, X_Count="0").records == []
    with pytest.raises(ContractBroken, match="holds no list"):
        page(read, body, COUNT_IN_HEADER, X_Count="1")


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ({"data": {"items": [], "total": 0}}, r"holds no list at `ds`; there is one at `data\.items`$"),
        ({"rows": [], "errors": []}, r"holds no list at `ds`; there is one at `rows` and at `errors`$"),
        ([], r"holds no list at `ds`; the whole response is one, leave `records` out$"),
        ({"079301000123": [], "Bà Lan": [], "a": {"b": {"c": {"d": []}}}}, r"holds no list at `ds`$"),
    ],
)
def test_where_a_list_stands_instead_is_reported_by_plain_words_only(body: Any, reported: str) -> None:
    with pytest.raises(ContractBroken, match=reported):
        page(json_read(records="ds"), orjson.dumps(body))


def test_something_else_than_a_list_breaks_the_contract() -> None:
    with pytest.raises(ContractBroken, match="holds no list at its top"):
        page(json_read(), b'{"error": "secret"}')


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b'[{"a": 1}', b"\xff", b"[" * 5000, b"[" * 500 + b"]" * 499),
        *(b'[{"a": 1}, {"b": }]', b'[{"a": "\\u12"}]', b'[{"a": "b}]', b"[01]"),
    ],
)
def test_what_is_no_json_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(TryAgain, match="the response is not JSON"):
        page(json_read(), body)


@pytest.mark.parametrize("body", [b"<html>", b" <!DOCTYPE html>", b"<?xml version='1.0'?>\n<!doctype HTML"])
def test_a_page_for_people_is_asked_for_again_in_any_form(body: bytes) -> None:
    for read in (json_read(), jsonl_read()):
        with pytest.raises(TryAgain, match="the response is an HTML page"):
            page(read, body)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9223372036854775807", 9223372036854775807),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", "18446744073709551616"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("1.10", 1.1),
        ("0.30000000000000004", 0.30000000000000004),
        ("0.12345678901234567890", "0.12345678901234567890"),
        ("-12345678901234567890.5e3", "-12345678901234567890.5e3"),
        ("1234567890123456.0", 1234567890123456.0),
        ("1234567890123456e-9999999999999999999999", "1234567890123456e-9999999999999999999999"),
    ],
)
def test_a_number_is_kept_to_its_last_digit(text: str, number: Any) -> None:
    surroundings = {"%s": number, "[%s]": [number], '{"a":%s}': {"a": number}, '["b",\n%s ]': ["b", number]}
    for written, expected in surroundings.items():
        assert repr(parse_json((written % text).encode())) == repr(expected)


def test_long_digits_in_a_text_are_just_text() -> None:
    record = {"a": "12345678901234567890", "b": ": 12345678901234567890.5", "c": 7}
    assert parse_json(orjson.dumps(record)) == record


numbers = st.one_of(
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(st.recursive(numbers | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_whatever_python_writes_is_read_the_same_or_as_its_digits(value: Any) -> None:
    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: kept(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [kept(inner) for inner in value]
        return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**64 else value

    assert parse_json(json.dumps(value).encode()) == kept(value)


@pytest.fixture(params=[True, False])
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the process has room to write a page once more."""
    if not request.param:
        monkeypatch.setattr(json_format, "_FEW", 0)
        monkeypatch.setattr(json_format, "leaves_addresses", lambda _: False)
    return bool(request.param)


@pytest.mark.parametrize(
    ("record", "read"),
    [
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": "\xff"}', {"a": "\udcff"}),
        (b'{"a": "\x01"}', {"a": "\x01"}),
        (b'{"a": NaN}', {"a": Unreadable("is not a number", "NaN")}),
        (b'{"a": -1e999}', {"a": Unreadable("is a number beyond the range of numbers", "-1e999")}),
        (
            b'{"a": %s}' % (b"9" * 400),
            {"a": Unreadable("is a number beyond the range of numbers", "9" * 400)},
        ),
        (b'{"a": 1, "a": 2}', Unreadable("gives a name twice", '{"a":1,"a":2}')),
        (b'{"a": {"b" : 1, "b" : 1}}', {"a": Unreadable("gives a name twice", '{"b":1,"b":1}')}),
        (b'{"a": ":", "a" : "\\u003a"}', Unreadable("gives a name twice", '{"a":":","a":":"}')),
    ],
)
def test_what_is_wrong_with_one_value_stays_with_its_record(record: bytes, read: Any, room: bool) -> None:
    found = page(json_read(records="ds"), b'{"ds": [{"b": 1}, %s, {"c": 2}]}' % record).records
    assert found == [{"b": 1}, read, {"c": 2}]
    assert page(jsonl_read(), b'{"b": 1}\n%s\n{"c": 2}\n' % record).records == found
    # What is kept of it is rejected for the same reason when it is read again.
    assert parse_json(as_written(read)) == read


def test_what_nests_without_end_is_cut_where_no_writer_takes_it(room: bool) -> None:
    [record] = page(json_read(), b'[{"a": %s}]' % (b"[" * 4000 + b'"]"' + b"]" * 4000)).records
    with pytest.raises(orjson.JSONEncodeError):
        orjson.dumps(record)
    assert as_written(parse_json(as_written(record))) == as_written(record)


def test_what_is_wrong_beside_the_records_breaks_the_page() -> None:
    with pytest.raises(ContractBroken, match="page 1: on the way to `ds`, it gives a name twice"):
        page(json_read(records="ds"), b'{"ds": [{"a": 1}], "ds": []}')
    with pytest.raises(ContractBroken, match=r"what stands at `data\.tong` is a number beyond"):
        page(json_read(records="ds"), b'{"ds": [], "data": {"tong": 1e400}}').declared(TOTAL)


def test_values_of_a_page_are_found_in_its_body_and_headers() -> None:
    content = page(json_read(records="ds"), b'{"ds": [], "trang": {"sau": "x", "so": "12"}}', X_Total="7")
    assert content.value("trang.sau") == "x"
    assert content.value("trang.sau.nua") is None
    assert content.count("trang.so") == 12
    assert content.count("khong.co") is None
    total = SinglePage.model_validate({"kind": "none", "total": {"header": "X-Total"}}).total
    assert total is not None
    assert content.value(total) == "7"
    assert content.count(total) == 7
    with pytest.raises(ContractBroken, match=r"page 1: holds no count at `trang\.sau`"):
        content.count("trang.sau")


def test_a_reader_of_the_connectors_own_gives_the_content_to_look_in() -> None:
    def backwards(body: bytes, headers: Any) -> Any:
        return {"ds": orjson.loads(body[::-1]), "dau": headers["X-Dau"]}

    reader = PageReader(json_read(records="ds"), ONE_PAGE, 100, plugin=backwards)
    content = reader.page(Response(200, {"X-Dau": "v"}, b"]21["), "x")
    assert content.records == [12]
    assert content.value("dau") == "v"


def test_a_line_is_a_record_and_a_blank_one_none() -> None:
    assert page(jsonl_read(), b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"a": 18446744073709551616}').records == [
        {"a": 1},
        {"a": "18446744073709551616"},
    ]
    assert page(jsonl_read(), b"").records == []


def test_a_line_that_is_no_json_is_named_by_its_number() -> None:
    with pytest.raises(TryAgain, match="line 2 is not JSON"):
        page(jsonl_read(), b'{"a": 1}\n{"a": \n{"a": 2}\n')


def test_a_line_has_a_bound() -> None:
    with pytest.raises(ContractBroken, match=r"line 2 is longer than limits\.page_bytes \(10000\)"):
        page(jsonl_read(), b'{"a": 1}\n"' + b"x" * 10_000 + b'"\n')
