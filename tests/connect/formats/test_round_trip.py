"""What is written in any form is read back the same; what is cut is never taken for whole."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.config.reading import Read
from oncehub.connect.formats import PageReader, record_slices
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.responses import Response
from oncehub.errors import ContractBroken

from ..rendering import LIMITS, ONE_PAGE, Row, csv_read, json_read, jsonl_read, rendered, xml_read

DIALECTS: list[dict[str, Any]] = [
    {},
    {"delimiter": ";", "encoding": "utf-8-sig"},
    {"delimiter": "\t", "encoding": "utf-16"},
    {"delimiter": "|", "quote": "'", "encoding": "utf-16-le"},
    {"quote": '"', "escape": "\\"},
    {"quote": None, "escape": "\\"},
    {"encoding": "cp1258"},
]
PLAIN: list[Read] = [
    *(csv_read(**dialect) for dialect in DIALECTS),
    jsonl_read(),
    json_read(),
    json_read(records="duLieu"),
    xml_read(),
]
FORMS = [*PLAIN, *(read.model_copy(update={"compression": "gzip"}) for read in PLAIN)]
TELLS_ITS_END = [read for read in FORMS if read.format in {"json", "xml"} or read.compression == "gzip"]

# Beside any letter the ones that forms give a meaning, and none that a form cannot hold.
LETTERS = st.one_of(st.sampled_from(list("\"',;|\t\\<>&] ễỢ")), st.integers(0x20, 0xD7FF).map(chr))
VIETNAMESE = st.sampled_from(list("aZ09,;\"' ỗạƯđĐýỳỵ"))


def shown(read: Read) -> str:
    stated = read.model_dump(exclude_defaults=True, exclude={"path"})
    return "-".join(str(value) for value in stated.values())


def texts(read: Read) -> st.SearchStrategy[str]:
    letters = VIETNAMESE if getattr(read, "encoding", "") == "cp1258" else LETTERS
    if getattr(read, "quote", '"') is not None:
        letters = st.one_of(letters, st.sampled_from(["\n", "\r\n", "\r"]))
    return st.lists(letters, max_size=8).map("".join)


def rows(read: Read, least: int = 0) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.fixed_dictionaries({"a": texts(read), "b": texts(read)}), min_size=least, max_size=6)


def as_read(row: Row, read: Read) -> dict[str, Any]:
    """XML alone cannot tell blank text from none."""
    if read.format != "xml":
        return dict(row)
    return {name: value if value.strip(" \t\r\n") else None for name, value in row.items()}


def taken(read: Read, content: bytes, *, vouched: bool) -> tuple[list[Any], Exception | None]:
    """All records until the end or an error."""
    records: list[Any] = []
    try:
        for some in record_slices(read, io.BytesIO(content), "x", LIMITS, vouched=vouched):
            records += some
    except (TryAgain, ContractBroken) as error:
        return records, error
    return records, None


@pytest.mark.parametrize("read", FORMS, ids=shown)
@given(data=st.data())
def test_a_file_is_read_back_as_it_was_written(read: Read, data: st.DataObject) -> None:
    written = data.draw(rows(read))
    expected = [as_read(row, read) for row in written]
    assert taken(read, rendered(written, read), vouched=False) == (expected, None)


@pytest.mark.parametrize("read", FORMS, ids=shown)
@given(data=st.data())
def test_a_page_is_read_back_as_it_was_written(read: Read, data: st.DataObject) -> None:
    written = data.draw(rows(read))
    answer = Response(200, {}, rendered(written, read))
    content = PageReader(read, ONE_PAGE, LIMITS.page_bytes).page(answer, "x")
    assert content.records == [as_read(row, read) for row in written]


@pytest.mark.parametrize("read", FORMS, ids=shown)
@given(data=st.data())
def test_of_a_cut_file_nothing_is_read_that_was_not_there(read: Read, data: st.DataObject) -> None:
    written = data.draw(rows(read, least=1))
    content = rendered(written, read)
    length = data.draw(st.integers(0, len(content) - 1))
    records, _ = taken(read, content[:length], vouched=False)
    assert records == [as_read(row, read) for row in written][: len(records)]


@pytest.mark.parametrize("read", TELLS_ITS_END, ids=shown)
@given(data=st.data())
def test_a_form_that_shows_its_end_is_never_taken_for_whole_when_cut(read: Read, data: st.DataObject) -> None:
    content = rendered(data.draw(rows(read)), read)
    length = data.draw(st.integers(0, len(content) - 1))
    _, error = taken(read, content[:length], vouched=False)
    assert isinstance(error, TryAgain)
    answer = Response(200, {}, content[:length])
    with pytest.raises(TryAgain):
        PageReader(read, ONE_PAGE, LIMITS.page_bytes).page(answer, "x")


@pytest.mark.parametrize("read", PLAIN, ids=shown)
@given(noise=st.binary(max_size=200))
def test_noise_is_refused_or_read_but_ends_in_no_other_way(read: Read, noise: bytes) -> None:
    taken(read, noise, vouched=True)
    gzipped = read.model_copy(update={"compression": "gzip"})
    _, error = taken(gzipped, noise, vouched=True)
    assert error is not None
