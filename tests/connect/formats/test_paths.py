"""Paths: dotted ones and JSONPath find the same where both can say it, and JSONPath what dots cannot."""

from __future__ import annotations

import io
from typing import Any

import pytest

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.config.reading import Json, NextUrlPages
from oncehub.config.syntax.paths import path_through
from oncehub.connect.formats import Content, PageReader, record_slices
from oncehub.connect.formats.paths import all_at, as_one, at, marks
from oncehub.connect.formats.reported import reported
from oncehub.connect.http.responses import Response
from oncehub.errors import ContractBroken, RequestRefused

BUNDLE = {
    "link": [{"relation": "self", "url": "s"}, {"relation": "next", "url": "n"}],
    "@odata.count": 3,
    "name": [{"given": ["An", "Bình"]}, {"given": ["Chi"]}],
    "a": {"b": [1, {"c": None}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", [1, {"c": None}]),
        ("$.a.b", [1, {"c": None}]),
        ("$.a.b[0]", 1),
        ("$.a.b[-2]", 1),
        ("$.a.b[2]", None),
        ("$['@odata.count']", 3),
        ("@odata.count", None),
        ("$.link[?@.relation=='next'].url", "n"),
        ("$.link[?@.relation=='prev'].url", None),
    ],
)
def test_a_path_finds_the_first_value(path: str, found: Any) -> None:
    assert at(BUNDLE, path) == found


def test_several_texts_are_all_found_and_joined() -> None:
    assert all_at(BUNDLE, "$.name[*].given[*]") == ["An", "Bình", "Chi"]
    assert as_one(BUNDLE, "$.name[*].given[*]") == "An Bình Chi"
    assert as_one({"n": [1, 2]}, "$.n[*]") is None


@pytest.mark.parametrize("name", ["@odata.etag", "it's", "a b", "$type", "plain", 'x"y', "back\\slash"])
def test_a_field_of_any_name_has_a_path(name: str) -> None:
    assert at({name: 1}, path_through(name)) == 1


def page(body: bytes, **read: Any) -> Content:
    pages = NextUrlPages(kind="next_url", next="$.link[?@.relation=='next'].url")
    reader = PageReader(Json(format="json", path="/x", **read), pages, 10_000)
    return reader.page(Response(200, {}, body), "s.t: page 1")


@pytest.mark.parametrize(
    ("path", "records"), [("$.groups[*].people[*]", [1, 2, 3]), ("$.groups[*].name", ["a", None])]
)
def test_a_file_holds_all_that_its_path_finds(path: str, records: list[Any]) -> None:
    body = b'{"groups": [{"name": "a", "people": [1, 2]}, {"people": [3]}]}'
    form = Json(format="json", path="/x", records=path)
    slices = record_slices(form, io.BytesIO(body), "x", Limits(), vouched=True)
    assert [record for some in slices for record in some] == records == page(body, records=path).records


def test_an_item_that_lacks_its_record_is_not_lost() -> None:
    body = b'{"entry": [{"resource": {"id": 1}}, {}]}'
    assert page(body, records="$.entry[*].resource").records == [{"id": 1}, None]


def test_pages_are_counted_by_what_records_are_selected_from() -> None:
    selected = page(b'{"entry": [{"m": 1}, {"m": 2}]}', records="$.entry[?@.m==2]")
    assert (selected.records, selected.listed) == ([{"m": 2}], 2)


@pytest.mark.parametrize("records", ["$.entrys[*].resource", "$.entry[?@.m==2]", "$.nothing"])
def test_a_list_that_is_not_there_is_no_empty_one(records: str) -> None:
    with pytest.raises(ContractBroken, match="holds no list at"):
        page(b'{"other": []}', records=records)


def test_a_related_object_that_the_page_lacks_ends_the_read() -> None:
    include = {"home": {"among": "included", "by": {"id": "home"}}}
    body = b'{"data": [{"home": 1}, {"home": null}, {"home": 2}], "included": [{"id": 1}]}'
    with pytest.raises(ContractBroken, match="names an object for `home` that the page does not hold"):
        page(body, records="data", include=include)
    joined = page(body.replace(b'{"home": 2}', b'{"home": 1}'), records="data", include=include)
    assert joined.records[0]["home"] == {"id": 1}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Invalid client secret 'hunterSecret'", "Invalid client secret …"),
        ("no login hub, github knows HunterSecret+x", "no login …, github knows …+x"),
        ("got k%20%C3%A9", "got …"),
        ("Invalid token eyJhbGciOiJIUzIxx.abcDEF", "Invalid token …"),
        ("wsse:UnsupportedSecurityToken of 'Nguyen'", "wsse:UnsupportedSecurityToken of …"),
        ("no field 'ho_ten', `dan.hoTen` or 'hoTen'", "no field 'ho_ten', `dan.hoTen` or 'hoTen'"),
    ],
)
def test_what_a_source_reports_is_told_without_credentials_and_tokens(said: str, told: str) -> None:
    known = Connection("x", login="hub", password="hunterSecret").credentials
    spaced = Connection("x", password="k é").credentials
    assert reported({"message": said}, known + spaced) == told


def test_what_a_source_reports_is_told_without_values() -> None:
    said = {
        "code": 7,
        "message": "No person 001099012345 \"Nguyễn Văn A\", field 'hoTen', a@b.vn",
        "data": "x",
    }
    assert reported([said]) == "7; No person … …, field 'hoTen', …"
    with pytest.raises(RequestRefused, match="the source reports: away"):
        page(b'{"data": [], "errors": [{"message": "away"}]}', records="data", errors="errors")
    assert page(b'{"data": [], "errors": []}', records="data", errors="errors").records == []


def test_a_record_is_marked_where_any_value_at_its_path_is() -> None:
    records = [
        {"t": [{"c": "X"}, {"c": "DEL"}]},
        {"t": [{"c": "X"}]},
        {"t": []},
        {"t": [{"c": None}, {"c": 1}]},
    ]
    assert marks(records, "$.t[*].c", "DEL") == [True, False, False, False]
    assert marks(records, "$..c", None) == [True, True, False, True]
    assert marks(records, "$.t[*].c", equals=True) == [False] * 4
