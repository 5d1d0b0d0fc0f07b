"""However files are cut into slices, and wherever reading stopped, each record is read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.connect.files.file_sets import FileSet, ListedFile
from oncehub.connect.formats import file_reader
from oncehub.connect.page import Page
from oncehub.connect.resume_token import FilePosition, ResumeToken
from oncehub.errors import ContractBroken

from ..conftest import stored
from ..rendering import LIMITS, jsonl_read, rendered


def file_set(sizes: Sequence[int], *, declared: bool = True) -> FileSet:
    """Files of so many records, each `{"n": "<file>.<row>"}`."""
    contents = {
        str(index): rendered([{"n": f"{index}.{row}"} for row in range(size)], jsonl_read())
        for index, size in enumerate(sizes)
    }

    def copy(file: ListedFile, what: str, into: BinaryIO) -> None:
        into.write(contents[file.name])

    files = [ListedFile(str(index), "sum", size if declared else None) for index, size in enumerate(sizes)]
    return FileSet("x.items", jsonl_read(), LIMITS, files, copy, vouched=True)


def position_behind(page: Page) -> FilePosition | None:
    token = stored(page.next)
    return None if token is None else ResumeToken.load(token, "x", "items").page


@given(sizes=st.lists(st.integers(0, 9), max_size=5), size=st.integers(1, 4), data=st.data())
def test_reading_stopped_anywhere_goes_on_there(sizes: list[int], size: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_reader, "SLICE_RECORDS", size)
        read: list[str] = []
        numbers: list[int] = []
        position: FilePosition | None = None
        while True:
            # How many pages a process keeps before it is killed.
            kept = data.draw(st.integers(1, 4))
            for page, _ in zip(file_set(sizes).pages(position), range(kept), strict=False):
                read += [record["n"] for record in page.records]
                numbers.append(page.number)
                position = position_behind(page)
                assert page.total == sum(sizes)
            if position is None:
                break
    assert read == [f"{file}.{row}" for file, count in enumerate(sizes) for row in range(count)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_slices_of_another_size_than_before_neither_skip_nor_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reader, "SLICE_RECORDS", 4)
    position = position_behind(next(file_set([10]).pages(None)))
    monkeypatch.setattr(file_reader, "SLICE_RECORDS", 3)
    records = [record["n"] for page in file_set([10]).pages(position) for record in page.records]
    assert records == [f"0.{row}" for row in range(4, 10)]


def test_too_few_or_too_many_rows_are_reported_before_the_end_of_the_file_lands() -> None:
    whole = file_set([3])
    for declared in (2, 4):
        wrong = FileSet(
            whole.name, whole.read, LIMITS, [ListedFile("0", "sum", declared)], whole.copy, vouched=True
        )
        with pytest.raises(ContractBroken, match=f"file 1: is declared to hold {declared} rows but holds 3"):
            list(wrong.pages(None))


def test_the_total_is_known_only_where_all_files_state_theirs() -> None:
    assert {page.total for page in file_set([1, 2]).pages(None)} == {3}
    assert {page.total for page in file_set([1, 2], declared=False).pages(None)} == {None}
