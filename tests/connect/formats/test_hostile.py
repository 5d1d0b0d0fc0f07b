"""The hostile source in every form it can take: read to the last record, or refused without harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oncehub.config.connection import connection_from_document
from oncehub.config.connector import Connector
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ContractBroken, SourceError, SourceUnavailable
from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant

Form = dict[str, Any]

FORMS: list[tuple[Form, Form]] = [
    ({"format": "json"}, {"records": "data.items"}),
    ({"format": "json", "body_is_list": True}, {}),
    ({"format": "jsonl"}, {}),
    ({"format": "csv", "bom": True}, {}),
    ({"format": "csv", "delimiter": ";", "quoting": "all"}, {"delimiter": ";"}),
    ({"format": "csv", "delimiter": "\t", "encoding": "cp1258"}, {"delimiter": "\t", "encoding": "cp1258"}),
    ({"format": "csv", "delimiter": "|", "encoding": "utf-16"}, {"delimiter": "|", "encoding": "utf-16"}),
    *(
        (
            {"format": "xml", "encoding": encoding},
            {
                "records": "d:danhSach/d:chuSuDung",
                "namespaces": {"d": "urn:vn:dat-dai:so-dia-chinh:1"},
                "lists": ["d:thuaDat"],
            },
        )
        for encoding in ("utf-8", "cp1258", "utf-16")
    ),
]
JSON, LINES, CSV, UTF_16, XML = (FORMS[index] for index in (0, 2, 3, 6, 7))
BARE = FORMS[1:7]
"""Forms that have no room for anything but records."""
PLACES: dict[str, Form] = {
    "pages": {"path": "/holders"},
    "files": {"path": "/files/{name}", "listing": {"path": "/files/manifest", "files": "files"}},
    "drop": {"folder": {"files": "holders-*"}},
}
LIMITS = {"requests": "1000/s", "attempts": 2, "page_bytes": 8_000_000, "file_bytes": 8_000_000}


def named(form: tuple[Form, Form]) -> str:
    return "-".join(str(value) for value in form[0].values()).replace("\t", "tab")


def as_read(record: dict[str, Any], form: Form) -> dict[str, Any]:
    """What a record of the truth looks like in a form that knows text only."""

    def text(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    if form["format"] in {"json", "jsonl"}:
        return record
    if form["format"] == "csv":
        return {
            name: "|".join(value) if isinstance(value, list) else "" if value is None else text(value)
            for name, value in record.items()
        }
    fields = {
        f"@{name}" if name in {"maSo", "thuTu"} else f"d:{name}": list(map(text, value))
        if isinstance(value, list)
        else text(value)
        for name, value in record.items()
        if value is not None
    }
    return {"d:thuaDat": []} | fields


class Reading:
    """A hostile source of one variant, read as its description says."""

    def __init__(self, source: HostileSource, connector: Connector) -> None:
        self.source = source
        self._connector = connector
        self._connection = connection_from_document(source.connection, "the test")

    def records(self) -> list[Any]:
        with Source(self._connector, self._connection, pause=lambda _seconds: None) as source:
            return [record for page in source.pages("items", Window(None, None)) for record in page.records]


@pytest.fixture
def reading(tmp_path: Path, connector_of: Callable[..., Connector]) -> Iterator[Callable[..., Reading]]:
    """Starts sources, without credentials and without pages, and gives them with their reader."""
    running: list[HostileSource] = []

    def start(
        form: tuple[Form, Form], transport: str = "pages", compression: str = "none", *plants: str
    ) -> Reading:
        served, reported = form
        facts = {"total": "none"} if form in BARE else {}
        settings = served | facts | {"transport": transport, "compression": compression}
        variant = Variant.model_validate(settings | {"auth": "none", "pages": "none"})
        running.append(HostileSource.start(tmp_path / "source", variant=variant, plants=plants, people=60))
        read = PLACES[transport] | reported | {"format": served["format"]}
        if compression == "file":
            read["compression"] = "gzip"
        stream = {"read": read, "pages": {"kind": "none"}}
        return Reading(running[-1], connector_of(stream, limits=LIMITS))

    yield start
    for source in running:
        source.stop()


Start = Callable[..., Reading]


@pytest.mark.parametrize("compression", ["none", "file", "transfer"])
@pytest.mark.parametrize("transport", ["pages", "files", "drop"])
@pytest.mark.parametrize("form", FORMS, ids=named)
def test_every_form_gives_the_whole_truth(
    form: tuple[Form, Form], transport: str, compression: str, reading: Start
) -> None:
    at = reading(form, transport, compression)
    found = at.records()
    truth = [as_read(record, form[0]) for record in at.source.records()]
    key = "@maSo" if form[0]["format"] == "xml" else "maSo"
    assert sorted(found, key=lambda record: record[key]) == truth


@pytest.mark.parametrize("form", [JSON, LINES, CSV, XML], ids=named)
@pytest.mark.parametrize("plant", ["maintenance_page", "truncated", "malformed"])
def test_a_page_that_is_none_is_asked_for_again(plant: str, form: tuple[Form, Form], reading: Start) -> None:
    at = reading(form, "pages", "none", plant)
    for _ in range(4):
        try:
            assert len(at.records()) == 60
        except SourceUnavailable:
            assert plant != "malformed"
    assert len(at.source.requests()) > 4


@pytest.mark.parametrize(
    ("plant", "form", "complaint"),
    [
        ("entity_bomb", XML, "declares a document type"),
        ("external_entity", XML, "declares a document type"),
        ("gzip_bomb", XML, r"unpacks to more than limits\.page_bytes"),
        ("gzip_bomb", JSON, r"unpacks to more than limits\.page_bytes"),
        ("wrong_encoding", CSV, "is not utf-8 text"),
        ("wrong_encoding", UTF_16, "is not utf-16 text"),
    ],
)
def test_a_page_that_attacks_or_deceives_is_refused(
    plant: str, form: tuple[Form, Form], complaint: str, reading: Start
) -> None:
    at = reading(form, "pages", "file" if plant == "gzip_bomb" else "none", plant)
    with pytest.raises(ContractBroken, match=complaint):
        at.records()
    assert at.source.strayed() == []


@pytest.mark.parametrize(
    ("plant", "transport", "kind", "complaint"),
    [
        ("wrong_checksum", "files", SourceUnavailable, "file 3: its SHA-256 is not the manifest's"),
        ("wrong_checksum", "drop", SourceUnavailable, "file 3: does not match the checksum beside it"),
        ("wrong_row_count", "files", ContractBroken, "file 3: is declared to hold 21 rows but holds 20"),
        ("gzip_bomb", "files", ContractBroken, r"file 1: is larger than limits\.file_bytes"),
    ],
)
def test_a_file_that_is_not_what_is_said_of_it_is_refused(
    plant: str, transport: str, kind: type[SourceError], complaint: str, reading: Start
) -> None:
    at = reading(CSV, transport, "file", plant)
    with pytest.raises(kind, match=complaint):
        at.records()


def test_a_file_still_being_written_is_left_for_later(reading: Start) -> None:
    at = reading(CSV, "drop", "none", "half_written_file")
    assert len(at.records()) == 40
    at.source.clear()
    at.source.write_drop()
    assert len(at.records()) == 60
