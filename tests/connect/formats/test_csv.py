"""CSV in its dialects and encodings, and what of it is refused."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest

from oncehub.config.reading import SinglePage
from oncehub.connect.formats import PageReader, record_slices
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.responses import Response
from oncehub.errors import ContractBroken
from stubs.servers.protocol.windows1258 import VIETNAMESE_LETTERS, encode_windows_1258

from ..rendering import LIMITS, ONE_PAGE, csv_read


def records(body: bytes, **settings: Any) -> list[Any]:
    reader = PageReader(csv_read(**settings), ONE_PAGE, 200_000)
    return reader.page(Response(200, {}, body), "customs.items: page 1").records


@pytest.mark.parametrize("encoding", ["cp1258", "windows-1258"])
def test_every_vietnamese_letter_comes_back_composed(encoding: str) -> None:
    body = encode_windows_1258(f"ten,{VIETNAMESE_LETTERS}\n{VIETNAMESE_LETTERS},\n")
    assert records(body, encoding=encoding) == [{"ten": VIETNAMESE_LETTERS, VIETNAMESE_LETTERS: ""}]


def test_other_encodings_keep_what_they_say() -> None:
    decomposed = "Nguye\u0302\u0303n"
    assert records(f"a\n{decomposed}\n".encode()) == [{"a": decomposed}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(encoding: str) -> None:
    bare = encoding.removesuffix("-sig")
    mark = "" if bare == "utf-16" else "\ufeff"
    assert records(f"{mark}a,b\nỗ,2\n".encode(bare), encoding=encoding) == [{"a": "ỗ", "b": "2"}]


def test_a_row_of_another_width_is_kept_for_the_contract_to_refuse() -> None:
    assert records(b"a,b\n1,2\n3\n4,5,6\n\n") == [{"a": "1", "b": "2"}, ["3"], ["4", "5", "6"]]


def test_bytes_that_are_no_text_stay_with_their_row_unless_most_rows_hold_some() -> None:
    assert records(b"a,b\n4,\xff\n5,6\n") == [{"a": "4", "b": "\udcff"}, {"a": "5", "b": "6"}]
    with pytest.raises(ContractBroken, match="is not utf-8 text; check `encoding`"):
        records(b"a,b\n" + b"4,\xff\n" * 11 + b"5,6\n" * 10)


def test_a_value_may_hold_line_breaks_and_nul() -> None:
    assert records(b'a,b\r\n"1\r\n2",3\x00\r\n') == [{"a": "1\r\n2", "b": "3\x00"}]


def test_without_quotes_a_quote_is_a_letter() -> None:
    assert records(b'a|b\n"x|y"\n', delimiter="|", quote=None) == [{"a": '"x', "b": 'y"'}]


def test_the_last_line_needs_an_end_unless_gzip_or_a_checksum_vouch_for_it() -> None:
    body = b"a,b\n1,23"
    with pytest.raises(TryAgain, match="its last line has no end"):
        records(body)
    assert records(gzip.compress(body), compression="gzip") == [{"a": "1", "b": "23"}]
    assert records(body, last_line="open") == [{"a": "1", "b": "23"}]
    for vouched in (True, False):
        slices = record_slices(csv_read(), io.BytesIO(body), "x", LIMITS, vouched=vouched)
        if vouched:
            assert list(slices) == [[{"a": "1", "b": "23"}]]
        else:
            with pytest.raises(TryAgain, match="its last line has no end"):
                list(slices)


@pytest.mark.parametrize(
    ("body", "settings", "reason"),
    [
        (b'a,b\n1,"2\n3,4\n', {}, "line 3 is not CSV as agreed"),
        (b'a,b\n1,"2"3\n4,5\n', {}, "line 2 is not CSV as agreed"),
        ("a\nỗ\n".encode()[:-2], {}, "ends within a letter"),
        ("a\nỗ\n".encode("utf-16")[:-1], {"encoding": "utf-16"}, "ends within a letter"),
    ],
)
def test_what_is_cut_or_broken_is_asked_for_again(body: bytes, settings: Any, reason: str) -> None:
    with pytest.raises(TryAgain, match=reason):
        records(body, **settings)


@pytest.mark.parametrize(
    ("body", "settings", "complaint"),
    [
        (b"", {}, "needs a header line whose names differ"),
        (b"\n\n", {}, "needs a header line"),
        (b"a,a\n1,2\n", {}, "needs a header line whose names differ"),
        (b"a,b\xff\n1,2\n", {}, "is not utf-8 text"),
        (b"a,b\n1,2\n", {"encoding": "utf-16"}, "is not utf-16 text"),
        (b'a,b\n1,"' + b"x\n" * 110_000 + b'"\n', {}, "a row of .* lines is longer than limits.page_bytes"),
        (b"a,b\n1," + b"x" * 210_000 + b"\n", {}, "line 2 is longer than limits.page_bytes"),
    ],
)
def test_what_is_whole_but_not_as_agreed_breaks_the_contract(
    body: bytes, settings: Any, complaint: str
) -> None:
    with pytest.raises(ContractBroken, match=f"customs.items: page 1:? .*{complaint}") as caught:
        records(body, **settings)
    assert "xxx" not in str(caught.value)


def test_nothing_at_all_is_an_empty_page_where_it_is_declared_so() -> None:
    pages = SinglePage.model_validate({"kind": "none", "total": {"header": "X-Total"}})
    reader = PageReader(csv_read(), pages, 100)
    assert reader.page(Response(200, {"X-Total": "0"}, b""), "x").records == []
    with pytest.raises(ContractBroken, match="needs a header line"):
        reader.page(Response(200, {"X-Total": "3"}, b""), "x")
