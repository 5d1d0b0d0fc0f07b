"""Files and answers are unpacked a piece at a time, and never to more than is allowed."""

from __future__ import annotations

import gzip
import io
import tracemalloc

import pytest

from oncehub.config.access import Limits
from oncehub.config.reading import Read
from oncehub.connect.formats import PageReader, record_slices
from oncehub.connect.formats.unpacking import unzipped
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.http.responses import Response
from oncehub.errors import ContractBroken

from ..rendering import LIMITS, ONE_PAGE, csv_read, json_read, jsonl_read, rendered, xml_read

ROW = {"maSo": "0123456789", "hoTen": "Nguyễn Thị Ánh", "diaChi": "Số 12 phố Huế, " * 15}
STREAMED = [csv_read(), jsonl_read(), xml_read(), jsonl_read(compression="gzip")]


def test_gzip_of_several_members_is_read_whole() -> None:
    packed = gzip.compress(b"ab") + gzip.compress(b"") + gzip.compress(b"cd")
    assert unzipped(packed, 4, "x") == b"abcd"
    with pytest.raises(ContractBroken, match=r"x: unpacks to more than limits\.page_bytes \(3\)"):
        unzipped(packed, 3, "x")


@pytest.mark.parametrize("spoiled", [-12, -6, -2])
def test_damage_is_found_by_the_sum_at_the_end(spoiled: int) -> None:
    packed = bytearray(gzip.compress(b"0123456789" * 9, mtime=0))
    packed[spoiled] ^= 1
    with pytest.raises(ContractBroken, match="is not gzip, or damaged"):
        unzipped(bytes(packed), 1000, "x")


def test_what_follows_a_member_must_be_one() -> None:
    with pytest.raises(ContractBroken, match="is not gzip, or damaged"):
        unzipped(gzip.compress(b"ab") + b"rubbish", 1000, "x")


def test_a_cut_answer_is_asked_for_again() -> None:
    reader = PageReader(json_read(compression="gzip"), ONE_PAGE, 100)
    with pytest.raises(TryAgain, match="its gzip is cut"):
        reader.page(Response(200, {}, gzip.compress(b"[]")[:-3]), "x")


def test_a_bomb_is_left_before_it_fills_the_memory() -> None:
    bomb = gzip.compress(b" " * 60_000_000, compresslevel=1)
    limits = Limits(file_bytes=2_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ContractBroken, match="unpacks to more than"):
            unzipped(bomb, 1_000_000, "x")
        with pytest.raises(ContractBroken, match=r"is larger than limits\.file_bytes \(2000000\)"):
            list(record_slices(jsonl_read(compression="gzip"), io.BytesIO(bomb), "x", limits, vouched=True))
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("read", STREAMED, ids=lambda read: f"{read.format}-{read.compression}")
def test_slices_hold_all_records_and_are_of_bounded_size(read: Read) -> None:
    content = rendered([ROW] * 12_001, read)
    sizes = [len(rows) for rows in record_slices(read, io.BytesIO(content), "x", LIMITS, vouched=True)]
    assert sizes == [5000, 5000, 2001]
    wide = rendered([{"a": "x" * 100_000, "b": str(number)} for number in range(180)], read)
    slices = list(record_slices(read, io.BytesIO(wide), "x", LIMITS, vouched=True))
    assert [row["b"] for rows in slices for row in rows] == [str(number) for number in range(180)]
    assert max(len(rows) for rows in slices) <= 90


@pytest.mark.parametrize("read", STREAMED, ids=lambda read: f"{read.format}-{read.compression}")
def test_memory_does_not_grow_with_the_file(read: Read) -> None:
    def most_memory(rows: int) -> int:
        file = io.BytesIO(rendered([ROW] * rows, read))
        tracemalloc.start()
        try:
            assert sum(len(some) for some in record_slices(read, file, "x", LIMITS, vouched=True)) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert most_memory(24_000) < 1.1 * most_memory(11_000)


def test_a_json_file_is_one_document_and_bounded_as_such() -> None:
    content = rendered([ROW] * 7_000, json_read())
    limits = Limits(page_bytes=len(content))
    sizes = [len(rows) for rows in record_slices(json_read(), io.BytesIO(content), "x", limits, vouched=True)]
    assert sizes == [5000, 2000]
    smaller = Limits(page_bytes=len(content) - 1)
    with pytest.raises(ContractBroken, match=r"x: is larger than limits\.page_bytes .*write jsonl"):
        list(record_slices(json_read(), io.BytesIO(content), "x", smaller, vouched=True))
    with pytest.raises(ContractBroken, match="x: holds no list at `ds`"):
        list(record_slices(json_read(records="ds"), io.BytesIO(b"[]"), "x", limits, vouched=True))
