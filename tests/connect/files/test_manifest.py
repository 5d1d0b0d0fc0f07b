"""Files are read only when they are what the manifest says, a slice a page."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from oncehub.config.connector import Connector
from oncehub.connect.page import Page
from oncehub.connect.resume_token import ResumeToken
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError, ContractBroken, SourceUnavailable
from stubs.servers.protocol.windows1258 import encode_windows_1258

from ..conftest import Stored, stored
from ..serving import Answering, Asked, Reply, Served, as_json

ALL = Window(None, None)
READ = {
    "format": "csv",
    "listing": {"path": "/manifest.json", "files": "files"},
    "path": "/files/{name}",
    "encoding": "cp1258",
    "delimiter": ";",
    "compression": "gzip",
}

SUM = hashlib.sha256(b"").hexdigest()

Serve = Callable[[Answering], Served]
Make = Callable[..., Connector]
Open = Callable[..., Source]


class Export:
    """A night's files by name; `spoiled` gives other bytes than the manifest tells, call by call."""

    def __init__(self, **texts: str) -> None:
        self.files = {
            f"{name}.csv.gz": gzip.compress(encode_windows_1258(text)) for name, text in texts.items()
        }
        self.rows = {f"{name}.csv.gz": text.count("\r\n") - 1 for name, text in texts.items()}
        self.spoiled: dict[str, list[bytes]] = {}

    def manifest(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "rows": self.rows[name]}
            for name, content in self.files.items()
        ]

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/manifest.json":
            return as_json({"files": self.manifest()})
        name = asked.path.removeprefix("/files/")
        spoiled = self.spoiled.get(name)
        return Reply(body=spoiled.pop(0) if spoiled else self.files[name])


def text(*rows: str) -> str:
    return "".join(f"{row}\r\n" for row in ("MA;TEN", *rows))


def pages_of(source: Source, resume: ResumeToken | Stored | None = None) -> list[Page]:
    return list(source.pages("items", ALL, resume))


@pytest.fixture
def export() -> Export:
    return Export(a=text('1;"Nguyễn; ""Thị"" Ánh"', "2;"), b=text("3;Đặng Thuỳ Ưởng"), c=text("4;Ỗ"))


@pytest.fixture
def connector(connector_of: Make) -> Connector:
    return connector_of({"read": READ})


def test_each_file_is_a_page_of_strings(
    export: Export, serve: Serve, connector: Connector, open_served: Open
) -> None:
    pages = pages_of(open_served(connector, serve(export).host))
    assert [page.records for page in pages] == [
        [{"MA": "1", "TEN": 'Nguyễn; "Thị" Ánh'}, {"MA": "2", "TEN": ""}],
        [{"MA": "3", "TEN": "Đặng Thuỳ Ưởng"}],
        [{"MA": "4", "TEN": "Ỗ"}],
    ]
    assert [(page.number, page.total) for page in pages] == [(1, 4), (2, 4), (3, 4)]
    assert pages[-1].next is None


def test_reading_goes_on_from_any_file(
    export: Export, serve: Serve, connector: Connector, open_served: Open
) -> None:
    served = serve(export)
    pages = pages_of(open_served(connector, served.host))
    for index in range(2):
        state = stored(pages[index].next)
        assert pages_of(open_served(connector, served.host), state) == pages[index + 1 :]


def test_reading_goes_on_within_a_file(
    export: Export, serve: Serve, connector: Connector, open_served: Open
) -> None:
    lines = text(*(f"{row};x" for row in range(11_000)))
    export.files["b.csv.gz"], export.rows["b.csv.gz"] = gzip.compress(lines.encode()), 11_000
    served = serve(export)
    pages = pages_of(open_served(connector, served.host))
    assert [len(page.records) for page in pages] == [2, 5000, 5000, 1000, 1]
    assert {page.total for page in pages} == {11_003}
    for done in range(1, len(pages)):
        state = stored(pages[done - 1].next)
        assert pages_of(open_served(connector, served.host), state) == pages[done:]


def test_every_request_carries_the_query_and_headers_of_the_connector(
    export: Export, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    read = READ | {"query": {"ky": "2026 9"}, "headers": {"X-Don-Vi": "01"}}
    served = serve(export)
    pages_of(open_served(connector_of({"read": read}), served.host))
    assert len(served.asked) == 4
    assert {(asked.query["ky"], asked.headers["X-Don-Vi"]) for asked in served.asked} == {("2026 9", "01")}


def test_a_resume_after_the_manifest_changed_starts_the_snapshot_anew(
    export: Export, serve: Serve, connector: Connector, open_served: Open
) -> None:
    served = serve(export)
    state = pages_of(open_served(connector, served.host))[0].next
    export.files["c.csv.gz"] = gzip.compress(encode_windows_1258(text("5;Ỡ")))
    pages = pages_of(open_served(connector, served.host), state)
    assert [page.number for page in pages] == [1, 2, 3]
    assert pages[2].records == [{"MA": "5", "TEN": "Ỡ"}]


def test_a_snapshot_without_files_is_one_empty_page(
    serve: Serve, connector: Connector, open_served: Open
) -> None:
    assert pages_of(open_served(connector, serve(Export()).host)) == [Page([], None, 1, 0)]


def test_half_a_file_is_asked_for_again(
    export: Export, serve: Serve, connector: Connector, open_served: Open
) -> None:
    export.spoiled["b.csv.gz"] = [export.files["b.csv.gz"][:20]]
    served = serve(export)
    assert len(pages_of(open_served(connector, served.host))) == 3
    assert [asked.path for asked in served.asked].count("/files/b.csv.gz") == 2


def test_a_file_that_is_never_the_manifests_is_not_read(
    export: Export, serve: Serve, connector: Connector, open_served: Open
) -> None:
    export.spoiled["b.csv.gz"] = [export.files["a.csv.gz"]] * 9
    pages = open_served(connector, serve(export).host).pages("items", ALL)
    assert next(pages).number == 1
    with pytest.raises(SourceUnavailable, match=r"tax\.items: file 2: its SHA-256 is not.*tried 3 times"):
        next(pages)


BROKEN = {
    "rows": (gzip.compress(b"MA;TEN\r\n1;x\r\n"), "is declared to hold 2 rows but holds 1"),
    "no gzip": (b"MA;TEN\r\n1;x\r\n2;y\r\n", "is not gzip, or damaged"),
    "cut gzip": (gzip.compress(b"MA;TEN\r\n1;x\r\n2;y\r\n")[:-9], "its gzip is cut"),
    "no text": (gzip.compress(b"MA;T\x8aN\r\n1;x\r\n2;y\r\n"), "is not cp1258 text"),
    "no header": (gzip.compress(b""), "needs a header line"),
    "header twice": (gzip.compress(b"MA;MA\r\n1;x\r\n2;y\r\n"), "needs a header line whose names differ"),
    "open quote": (gzip.compress(b'MA;TEN\r\n1;"x\r\n2;y\r\n'), "line 3 is not CSV as agreed"),
    "too large": (gzip.compress(b"MA;TEN\r\n" + b"1;x\r\n" * 99_999), r"is larger than limits\.file_bytes"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_file_that_matches_its_sum_but_not_its_form_breaks_the_contract(
    fault: str, export: Export, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    content, complaint = BROKEN[fault]
    export.files["a.csv.gz"] = content
    served = serve(export)
    source = open_served(connector_of({"read": READ}, limits={"file_bytes": 100_000}), served.host)
    with pytest.raises(ContractBroken, match=f"tax.items: file 1: .*{complaint}"):
        pages_of(source)
    assert [asked.path for asked in served.asked] == ["/manifest.json", "/files/a.csv.gz"]


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        ({}, "holds no list at `files`"),
        ({"files": [{"name": "a"}]}, "an entry lacks a proper `name`, `sha256` and `rows`"),
        ({"files": [{"name": "a", "sha256": SUM, "rows": "2"}]}, "an entry lacks"),
        ({"files": [{"name": "a", "sha256": SUM, "rows": -2}]}, "an entry lacks"),
        ({"files": [{"name": "a", "sha256": "0" * 63 + "ễ"}]}, "an entry lacks"),
        ({"files": [{"name": "..", "sha256": SUM}]}, "an entry lacks"),
        ({"files": ["a"]}, "an entry lacks"),
        ({"files": [{"name": "a", "sha256": SUM}] * 2}, "lists a file twice"),
    ],
)
def test_a_manifest_of_another_form_breaks_the_contract(
    manifest: Any, complaint: str, serve: Serve, connector: Connector, open_served: Open
) -> None:
    served = serve(lambda _asked: as_json(manifest))
    with pytest.raises(ContractBroken, match=f"tax.items: manifest: {complaint}"):
        pages_of(open_served(connector, served.host))


def test_a_file_name_cannot_lead_elsewhere(
    export: Export, serve: Serve, connector: Connector, open_served: Open
) -> None:
    export.files = {"../secret?x=1": b""}
    export.rows = {"../secret?x=1": 0}
    served = serve(export)
    with pytest.raises((ContractBroken, SourceUnavailable)):
        pages_of(open_served(connector, served.host))
    assert {asked.path for asked in served.asked[1:]} == {"/files/..%2Fsecret%3Fx%3D1"}


@pytest.mark.parametrize("encoding", ["vietnamese", "hex"])
def test_an_encoding_that_is_none_is_reported_with_its_place(
    encoding: str, connector_of: Make, open_served: Open
) -> None:
    connector = connector_of({"read": READ | {"encoding": encoding}})
    with pytest.raises(ConfigError, match=r"connector\.yaml:\d+:\d+: no such encoding; write one such as"):
        open_served(connector, "http://127.0.0.1:1")
