"""Files dropped into a folder are read once complete, never half, and never from elsewhere."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest

from oncehub.config.access import Limits
from oncehub.connect.files import file_sets
from oncehub.connect.files.folder import QUIET_SECONDS, folder_pages
from oncehub.connect.files.stores import LocalFolder
from oncehub.connect.page import Page
from oncehub.connect.resume_token import ResumeToken
from oncehub.errors import ContractBroken, SourceUnavailable

from ..rendering import csv_read

SECRET = "0912345678"


class Drop:
    """A folder as a source fills it; `read` reads all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.limits = Limits()

    def put(self, name: str, content: str, *, sidecar: str | None = None) -> Path:
        path = self.folder / name
        path.write_text(content, "utf-8", newline="")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        (self.folder / f"{name}.sha256").write_text((sidecar or "{sum}").format(sum=digest), "utf-8")
        return path

    def put_bare(self, name: str, content: str, *, age: float) -> Path:
        path = self.folder / name
        path.write_text(content, "utf-8", newline="")
        os.utime(path, (time.time() - age,) * 2)
        return path

    def read(self, resume: ResumeToken | None = None, *, whole: bool = False, **folder: Any) -> list[Page]:
        read = csv_read(path=None, folder={"files": "*.csv"} | folder)
        position = resume.page if resume else None
        return list(
            folder_pages(LocalFolder(self.folder), "land.items", read, self.limits, position, whole=whole)
        )

    def rows(self, **settings: Any) -> list[Any]:
        return [row["a"] for page in self.read(**settings) for row in page.records]


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path)


def test_files_are_read_in_the_order_of_their_names(drop: Drop) -> None:
    for name, row in (("2026-10.csv", "3"), ("2026-09.csv", "1"), ("2026-09b.csv", "2")):
        drop.put(name, f"a\n{row}\n")
    drop.put("other.txt", "a\nno\n")
    pages = drop.read()
    assert [page.records for page in pages] == [[{"a": "1"}], [{"a": "2"}], [{"a": "3"}]]
    assert [page.number for page in pages] == [1, 2, 3]
    assert pages[-1].next is None


def test_a_pattern_that_fits_all_takes_neither_checksums_nor_hidden_files_nor_folders(drop: Drop) -> None:
    drop.put("a", "a\n1\n")
    drop.put(".a.Xy12", "a\nno\n")
    (drop.folder / "old").mkdir()
    assert drop.rows(files="*") == ["1"]


def test_an_empty_folder_is_one_empty_page(drop: Drop) -> None:
    assert drop.read(whole=True) == [Page([], None, 1, 0)]


def test_a_folder_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    drop = Drop(tmp_path / "mount")
    with pytest.raises(SourceUnavailable, match=r"land\.items: its folder cannot be listed: No such file"):
        drop.read()


@pytest.mark.parametrize("sidecar", ["{sum}", "{sum}\n", "{sum}  a.csv\n", "{sum} *out/a.csv\r\n"])
def test_a_checksum_lies_beside_alone_or_with_the_name(sidecar: str, drop: Drop) -> None:
    drop.put("a.csv", "a\n1\n", sidecar=sidecar)
    assert drop.rows() == ["1"]


@pytest.mark.parametrize("sidecar", ["{sum}0", "md5", "{sum}  b.csv", "0 {sum}", "{sum}\n{sum}\n"])
def test_a_checksum_of_another_form_or_file_breaks_the_contract(sidecar: str, drop: Drop) -> None:
    drop.put("a.csv", "a\n1\n", sidecar=sidecar)
    with pytest.raises(ContractBroken, match=r"land\.items: file 1: beside it must lie its SHA-256"):
        drop.read()


@pytest.mark.parametrize("sidecar", [None, "", " \n"])
def test_without_its_checksum_a_file_waits(sidecar: str | None, drop: Drop) -> None:
    drop.put("a.csv", "a\n1\n")
    drop.put("b.csv", "a\n2\n")
    beside = drop.folder / "a.csv.sha256"
    beside.unlink()
    if sidecar is not None:
        beside.write_text(sidecar)
    assert drop.rows() == ["2"]


def test_where_absence_deletes_a_file_that_waits_stops_the_read(drop: Drop) -> None:
    drop.put("a.csv", "a\n1\n")
    drop.put("b.csv", "a\n2\n")
    (drop.folder / "b.csv.sha256").unlink()
    with pytest.raises(SourceUnavailable, match="file 2 is not complete yet: it has no checksum beside it"):
        drop.read(whole=True)


def test_a_half_written_file_is_never_read(drop: Drop) -> None:
    path = drop.put("a.csv", f"a\n{SECRET}\n" * 20)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SourceUnavailable, match="file 1: does not match the checksum beside it") as caught:
        drop.read()
    assert SECRET not in str(caught.value)


def test_what_matches_its_checksum_but_not_its_form_breaks_the_contract(drop: Drop) -> None:
    drop.put("a.csv", f'a\n"{SECRET}')
    with pytest.raises(ContractBroken, match="file 1: line 2 is not CSV as agreed") as caught:
        drop.read()
    assert SECRET not in str(caught.value)


def test_a_file_without_checksum_counts_once_it_has_rested(drop: Drop) -> None:
    drop.put_bare("a.csv", "a\n1\n", age=QUIET_SECONDS + 1)
    drop.put_bare("b.csv", "a\n2\n", age=QUIET_SECONDS - 20)
    drop.put_bare("c.csv", "a\n3\n", age=-3600)
    assert drop.rows(checksum="none") == ["1"]
    with pytest.raises(SourceUnavailable, match="file 2 is not complete yet: it changed within"):
        drop.read(checksum="none", whole=True)


def test_a_rested_file_that_is_cut_may_still_grow(drop: Drop) -> None:
    drop.put_bare("a.csv", "a\n1\n2", age=3600)
    with pytest.raises(SourceUnavailable, match=r"its last line has no end, .*; it may not be complete yet"):
        drop.read(checksum="none")


@pytest.mark.parametrize("rename", [False, True], ids=["written over", "replaced"])
def test_a_file_that_changes_after_it_was_listed_is_not_read(rename: bool, drop: Drop) -> None:
    drop.put_bare("a.csv", "a\n1\n", age=3600)
    path = drop.put_bare("b.csv", "a\n2\n", age=3600)
    read = csv_read(path=None, folder={"files": "*.csv", "checksum": "none"})
    pages = folder_pages(LocalFolder(drop.folder), "land.items", read, drop.limits, None, whole=True)
    assert next(pages).records == [{"a": "1"}]
    if rename:
        drop.put_bare("new", "a\n3\n", age=3600).rename(path)
    else:
        path.write_text("a\n33\n")
    with pytest.raises(SourceUnavailable, match="file 2: changed while it was read"):
        next(pages)


@pytest.mark.parametrize("checksum", ["sidecar", "none"])
def test_a_file_that_changes_while_it_is_copied_is_not_read(
    checksum: str, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop.put("a.csv", "a\n" + "1\n" * 1_000_000)
    os.utime(path, (0, 0))

    class Copy(SpooledTemporaryFile[bytes]):
        def write(self, data: Any) -> int:
            with path.open("r+") as file:
                file.seek(1_500_000)
                file.write("2")
            return super().write(data)

    monkeypatch.setattr(file_sets, "SpooledTemporaryFile", Copy)
    with pytest.raises(SourceUnavailable, match=r"file 1: (changed while it was read|does not match)"):
        drop.read(checksum=checksum)


def test_a_file_that_goes_after_it_was_listed_is_reported(drop: Drop) -> None:
    drop.put("a.csv", "a\n1\n")
    path = drop.put("b.csv", "a\n2\n")
    read = csv_read(path=None, folder={"files": "*.csv"})
    pages = folder_pages(LocalFolder(drop.folder), "land.items", read, drop.limits, None, whole=False)
    next(pages)
    path.unlink()
    with pytest.raises(SourceUnavailable, match="file 2: cannot be read: No such file"):
        next(pages)


def test_what_is_read_is_not_touched_by_what_happens_to_the_file(drop: Drop) -> None:
    path = drop.put("a.csv", "a\n" + "1\n" * 12_000)
    read = csv_read(path=None, folder={"files": "*.csv"})
    pages = folder_pages(LocalFolder(drop.folder), "land.items", read, drop.limits, None, whole=False)
    first = next(pages)
    path.write_text("a\n" + "2\n" * 12_000)
    rest = [row["a"] for page in pages for row in page.records]
    assert [row["a"] for row in first.records] + rest == ["1"] * 12_000


def test_a_link_that_leads_out_of_the_folder_is_refused(drop: Drop, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text(f"a\n{SECRET}\n")
    inner = tmp_path / "drop"
    inner.mkdir()
    Drop(inner).put("b.csv", "a\n1\n")
    (inner / "a.csv").symlink_to(outside)
    os.utime(outside, (0, 0))
    for checksum in ("sidecar", "none"):
        (inner / "a.csv.sha256").write_text(hashlib.sha256(outside.read_bytes()).hexdigest())
        with pytest.raises(ContractBroken, match="file 1: is a link that leads out of its folder"):
            Drop(inner).read(checksum=checksum)


def test_a_link_within_the_folder_is_followed(drop: Drop) -> None:
    drop.put("2026.data", "a\n1\n")
    for suffix in ("", ".sha256"):
        (drop.folder / f"latest.csv{suffix}").symlink_to(f"2026.data{suffix}")
    assert drop.rows() == ["1"]


def test_links_in_a_circle_are_reported(drop: Drop) -> None:
    (drop.folder / "a.csv").symlink_to("b.csv")
    (drop.folder / "b.csv").symlink_to("a.csv")
    with pytest.raises(SourceUnavailable, match="file 1: cannot be read: Too many levels"):
        drop.read(checksum="none")


def test_a_pipe_is_no_file(drop: Drop) -> None:
    os.mkfifo(drop.folder / "a.csv")
    os.utime(drop.folder / "a.csv", (0, 0))
    with pytest.raises(ContractBroken, match="file 1: is no regular file"):
        drop.read(checksum="none")


def test_a_file_has_a_bound(drop: Drop) -> None:
    drop.limits = Limits(file_bytes=1024)
    drop.put("a.csv", "a\n" + "1\n" * 600)
    with pytest.raises(ContractBroken, match=r"file 1: is larger than limits\.file_bytes \(1024\)"):
        drop.read()


@pytest.mark.parametrize("checksum", ["sidecar", "none"])
def test_reading_goes_on_within_a_file_unless_other_files_lie_there(checksum: str, drop: Drop) -> None:
    rows = "".join(f"{row}\n" for row in range(11_000))
    path = drop.put("a.csv", "a\n" + rows)
    drop.put("b.csv", "a\n11000\n")
    for file in drop.folder.iterdir():
        os.utime(file, (0, 0))
    pages = drop.read(checksum=checksum)
    assert [len(page.records) for page in pages] == [5000, 5000, 1000, 1]
    for done in range(1, len(pages)):
        assert drop.read(pages[done - 1].next, checksum=checksum) == pages[done:]
    path.write_text("a\nnew\n")
    path.with_name("a.csv.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    os.utime(path, (1, 1))
    anew = drop.read(pages[0].next, checksum=checksum)
    assert [page.number for page in anew] == [1, 2]
    assert anew[0].records == [{"a": "new"}]


def test_a_state_says_nothing_of_names(drop: Drop) -> None:
    drop.put(f"{SECRET}.csv", "a\n1\n")
    drop.put("b.csv", "a\n1\n")
    assert SECRET not in str(drop.read()[0].next)
