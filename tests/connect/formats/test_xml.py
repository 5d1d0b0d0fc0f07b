"""XML: which element becomes which field, and documents that attack their reader."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest

from oncehub.config.reading import SinglePage
from oncehub.connect.formats import Content, PageReader, record_slices
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.responses import Response
from oncehub.errors import ContractBroken
from stubs.servers.protocol.windows1258 import VIETNAMESE_LETTERS, encode_windows_1258

from ..rendering import LIMITS, ONE_PAGE, xml_read

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def page(body: str | bytes, pages: SinglePage = ONE_PAGE, **settings: Any) -> Content:
    read = xml_read(**settings)
    body = body.encode() if isinstance(body, str) else body
    return PageReader(read, pages, 1_000_000).page(Response(200, {}, body), "land.items: page 1")


def record(inside: str, **settings: Any) -> Any:
    (found,) = page(f"<kq {XSI}><ds><r>{inside}</r></ds></kq>", **settings).records
    return found


@pytest.mark.parametrize(
    ("inside", "fields"),
    [
        ("<a>1</a>", {"a": "1"}),
        ("<a> 1 </a>", {"a": " 1 "}),
        ("<a></a><b/><c> \n\t </c>", {"a": None, "b": None, "c": None}),
        ("<a>\u00a0</a>", {"a": "\u00a0"}),
        ("<a><b>1</b> <c>2</c></a>", {"a": {"b": "1", "c": "2"}}),
        ("<a>1</a><b/><a>2</a><a/>", {"a": ["1", "2", None], "b": None}),
        ('<a so="1" ngay="2"/>', {"a": {"@so": "1", "@ngay": "2"}}),
        ('<a so="1">x</a>', {"a": {"@so": "1", "#text": "x"}}),
        ("<a>x<b>1</b>y</a>", {"a": {"b": "1", "#text": "xy"}}),
        ("<a><![CDATA[<b>&]]>x</a>", {"a": "<b>&x"}),
        ("<a>&lt;&#x1ED7;<!-- no -->&amp;</a>", {"a": "<ỗ&"}),
        ('<a xsi:nil="true"/>', {"a": None}),
        ('<a xsi:nil="1" so="1"><b/></a>', {"a": None}),
        ('<a xsi:nil="false">x</a>', {"a": "x"}),
        ("x", "x"),
        ("", None),
    ],
)
def test_an_element_is_a_field(inside: str, fields: Any) -> None:
    assert record(inside) == fields


@pytest.mark.parametrize(
    ("inside", "fields"),
    [
        ("", {"a": []}),
        ("<a>1</a>", {"a": ["1"]}),
        ("<a/>", {"a": [None]}),
        ("<a>1</a><a>2</a>", {"a": ["1", "2"]}),
    ],
)
def test_a_field_said_to_be_a_list_always_is_one(inside: str, fields: Any) -> None:
    assert record(inside, lists=["a"]) == fields


def test_lists_stand_within_lists_and_empty_elements() -> None:
    inside = "<ho><tv><ten>A</ten></tv></ho><x><tv/></x>"
    assert record(inside, lists=["ho.tv", "ho.tv.ten"]) == {
        "ho": {"tv": [{"ten": ["A"]}]},
        "x": {"tv": None},
    }
    assert record("<ho/>", lists=["ho.tv"]) == {"ho": {"tv": []}}
    assert record("<b/>", lists=["ho.tv"]) == {"b": None}


def test_names_are_local_unless_their_namespace_has_a_prefix() -> None:
    body = (
        """<p:kq xmlns:p="urn:mot" xmlns="urn:hai"><p:ds><r p:so="1"><p:a>1</p:a><a>2</a></r></p:ds></p:kq>"""
    )
    assert page(body).records == [{"@so": "1", "a": ["1", "2"]}]
    namespaces = {"m": "urn:mot"}
    found = page(body, records="m:ds/r", namespaces=namespaces).records
    assert found == [{"@m:so": "1", "m:a": "1", "a": "2"}]


def test_records_are_those_at_their_path_and_no_others() -> None:
    body = "<kq><r>no</r><ds><x><r>no</r></x><r>1</r><x/><r><r>in</r></r></ds><ds><r>3</r></ds></kq>"
    assert page(body).records == ["1", {"r": "in"}, "3"]
    assert page("<ds><r>1</r><x/><r>2</r></ds>", records="r").records == ["1", "2"]


def test_values_of_a_page_lead_from_the_children_of_its_root() -> None:
    content = page('<kq tong="5"><tt><sau>x</sau><so>7</so></tt><ds trang="2"><r/></ds></kq>')
    assert content.value("tt.sau") == "x"
    assert content.count("tt.so") == 7
    assert content.count("@tong") == 5
    assert content.value("ds.@trang") == "2"
    assert content.value("ds.r") is None


def test_where_several_elements_stand_instead_is_reported() -> None:
    with pytest.raises(ContractBroken, match=r"holds no element at `ds`; there is one at `trang/muc`$"):
        page("<kq><trang><muc/><muc/></trang></kq>")


def test_without_the_element_that_holds_records_a_page_is_no_answer() -> None:
    total = SinglePage.model_validate({"kind": "none", "total": "tong"})
    assert page("<kq><ds/></kq>").records == []
    with pytest.raises(ContractBroken, match="page 1: holds no element at `ds`"):
        page("<kq><loi>bi mat</loi></kq>")
    assert page("<kq><tong>0</tong></kq>", total).records == []
    with pytest.raises(ContractBroken, match="page 1: holds no element at `ds`"):
        page("<kq><tong>1</tong></kq>", total)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_declared_encoding_is_honoured(encoding: str) -> None:
    body = f'<?xml version="1.0" encoding="{encoding}"?><kq><ds><r>\u00e2\u00ca</r></ds></kq>'
    assert page(body.encode(encoding)).records == ["\u00e2\u00ca"]


def test_windows_1258_comes_back_composed() -> None:
    text = f'<?xml version="1.0" encoding="windows-1258"?><kq><ds><r a="ỗ">{VIETNAMESE_LETTERS}</r></ds></kq>'
    assert page(encode_windows_1258(text)).records == [{"@a": "ỗ", "#text": VIETNAMESE_LETTERS}]


def test_a_byte_order_mark_is_no_part_of_the_document() -> None:
    assert page(b"\xef\xbb\xbf<kq><ds><r>1</r></ds></kq>").records == ["1"]


BILLION = (
    '<!DOCTYPE kq [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    "<kq><ds><r>&c;</r></ds></kq>"
)
QUADRATIC = f'<!DOCTYPE kq [<!ENTITY a "{"x" * 10_000}">]><kq><ds><r>{"&a;" * 1000}</r></ds></kq>'
EXTERNAL = '<!DOCTYPE kq [<!ENTITY a SYSTEM "file:///etc/hostname">]><kq><ds><r>&a;</r></ds></kq>'
PARAMETER = '<!DOCTYPE kq [<!ENTITY % a SYSTEM "file:///etc/hostname"> %a;]><kq><ds><r/></ds></kq>'
SUBSET = '<!DOCTYPE kq SYSTEM "file:///etc/hostname"><kq><ds><r/></ds></kq>'
DEFAULTS = '<!DOCTYPE kq [<!ATTLIST r a CDATA "planted">]><kq><ds><r/></ds></kq>'


@pytest.mark.parametrize("body", [BILLION, QUADRATIC, EXTERNAL, PARAMETER, SUBSET, DEFAULTS])
def test_a_document_type_is_refused_before_anything_of_it_is_read(body: str) -> None:
    with pytest.raises(ContractBroken, match=r"page 1: declares a document type \(DOCTYPE\)"):
        page(body)
    with pytest.raises(ContractBroken, match="declares a document type"):
        list(record_slices(xml_read(), io.BytesIO(body.encode()), "x", LIMITS, vouched=True))


def test_nesting_has_a_bound() -> None:
    with pytest.raises(orjson.JSONEncodeError):
        orjson.dumps([record("<a>" * 50_000 + "x" + "</a>" * 50_000)])
    with pytest.raises(ContractBroken, match="nests deeper than 100 elements"):
        page("<kq>" + "<a>" * 100_000)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b"\xff\xc3", "\udcff\udcc3"),
        (b"\x01&#1;&#x1F;&#0;", "\udc01\udc01\udc1f\udc00"),
        (b"&#xD800;&#99999999999;&#65;&amp;&#xE1;", "\udc00\udc26A&á"),
        (b"<![CDATA[\x00]]>", "\udc00"),
    ],
)
def test_what_xml_does_not_allow_stays_with_its_record(text: bytes, read: str) -> None:
    body = b"<kq><ds><r a='1'>x</r><r a='%s'>%s</r><r>%s</r></ds></kq>"
    records = [{"@a": "1", "#text": "x"}, {"@a": "z", "#text": read}, "x" * 65_500]
    marked = body % (b"z", text, b"x" * 65_500)
    assert page(marked).records == records
    [found] = record_slices(xml_read(), io.BytesIO(marked), "x", LIMITS, vouched=True)
    assert found == records
    with pytest.raises(TryAgain, match="is not well-formed XML from line 1 on"):
        page(b"<kq>%s<ds/></kq>" % text)


@pytest.mark.parametrize("encoding", ["gb18030", "bi-mat"])
def test_an_encoding_that_cannot_be_read_breaks_the_contract(encoding: str) -> None:
    with pytest.raises(ContractBroken, match="page 1: declares an encoding that cannot be read"):
        page(f'<?xml version="1.0" encoding="{encoding}"?><kq/>')


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("", 1),
        ("<kq", 1),
        ("<kq>\n<ds>", 2),
        ("<kq><ds><![CDATA[x", 1),
        ("<kq><ds/></k", 1),
        (b"<kq>\xc3", 1),
        ('<?xml version="1.0"?>', 1),
        ("<kq><ds><r></ds></kq>", 1),
        ("<kq>\n<ds>&a;</ds></kq>", 2),
        ("<kq><ds/></kq><kq/>", 1),
        ("{}", 1),
        ("<p:kq><ds/></p:kq>", 1),
        ("<kq><ds>\x01</ds></kq>", 1),
    ],
)
def test_what_is_cut_or_no_xml_is_asked_for_again(body: str | bytes, line: int) -> None:
    with pytest.raises(TryAgain, match=f"is not well-formed XML from line {line} on"):
        page(body)


@pytest.mark.parametrize(
    "inside",
    [
        "<r>" + "x" * 1_200_000 + "</r>",
        "<r a='" + "x" * 1_200_000 + "'/>",
        "<r>" + "<a>x</a>" * 150_000 + "</r>",
        "<x>y</x>" * 150_000 + "<r/>",
    ],
    ids=["text", "attribute", "elements", "no record"],
)
def test_one_record_of_a_file_has_a_bound(inside: str) -> None:
    file = io.BytesIO(f"<kq><ds>{inside}</ds></kq>".encode())
    with pytest.raises(ContractBroken, match=r"a record is larger than limits\.page_bytes"):
        list(record_slices(xml_read(), file, "x", LIMITS, vouched=True))


def test_a_file_lacking_the_element_that_holds_records_breaks_the_contract() -> None:
    with pytest.raises(ContractBroken, match="x: holds no element at `ds`"):
        list(record_slices(xml_read(), io.BytesIO(b"<kq><loi/></kq>"), "x", LIMITS, vouched=True))
