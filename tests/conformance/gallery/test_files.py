"""Files of the gallery, read whole each time: what lands is exact, and interrupted reads go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oncehub.config.connection import Connection
from oncehub.conformance.hub import Hub
from oncehub.connect.formats import file_reader
from oncehub.intake.sync import audit_source

from ...connect.serving import Served
from .files import Drop, Listing
from .people import People
from .test_gallery import COUNT, Killed, Standard, as_root


@pytest.fixture
def files(
    tmp_path: Path,
    hubs_over: Callable[[Path], list[Hub]],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Standard]:
    monkeypatch.setattr(file_reader, "SLICE_RECORDS", 5)
    people = People(COUNT)
    hub, _ = hubs_over(as_root(request.param, tmp_path / "root"))
    hub.empty()
    if request.param == "xlsx":
        (tmp_path / "drop").mkdir()
        drop = Drop(tmp_path / "drop", people)
        drop.write()
        yield Standard(request.param, people, Connection(f"file://{drop.folder}"), hub, drop.write)
    else:
        server = Served(Listing(people))
        yield Standard(request.param, people, Connection(server.host), hub, lambda: None)
        server.stop()


every = pytest.mark.parametrize("files", ["xlsx", "parquet"], indirect=True)


@every
def test_first_sync_changes_deletion_and_resumption_are_exact(files: Standard) -> None:
    with pytest.raises(Killed):
        files.sync(after_pages=2)
    assert 0 < len(files.facts()) < COUNT
    assert files.sync().read == COUNT
    assert files.facts() == files.people.facts()
    files.people.add(2)
    files.people.rename(3, "Trần")
    files.people.remove(7)
    with pytest.raises(Killed):
        # The files are others when the read goes on: it begins anew.
        files.sync(after_pages=3, days=1)
    files.extra()
    again = files.sync(days=1)
    assert files.facts() == files.people.facts()
    assert again.deleted == 1


@every
def test_the_suite_finds_no_fault(files: Standard, hubs_over: Callable[[Path], list[Hub]]) -> None:
    said = files.tried(hubs_over(files.hub.settings.root))
    assert said["passed"].keys() >= {"reads", "agreement", "twice", "deletes", "resumes", "killed", "quiet"}
    if files.connector.source == "xlsx":
        assert said["not shown"]["totals"] == "files of a folder declare no total"


@pytest.mark.parametrize("files", ["xlsx"], indirect=True)
def test_a_file_that_was_left_out_without_a_word_is_found_by_an_audit(
    files: Standard, tmp_path: Path
) -> None:
    for path in (tmp_path / "drop").glob("danh-sach-2.zip*"):
        path.unlink()
    assert files.sync().read == 12
    files.extra()
    [found] = audit_source(files.hub.settings, files.connector, files.connection)
    assert (found.listed, found.landed, found.missing, found.superfluous) == (COUNT, 12, COUNT - 12, 0)
    assert {len(key) for key in found.keys["missing"]} == {12}
    files.sync(days=1)
    [whole] = audit_source(files.hub.settings, files.connector, files.connection)
    assert whole.complete
