"""The hostile source: read whole in every way it pages, and found out where it cheats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oncehub.config.connection import connection_from_document
from oncehub.config.connector import Connector
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ContractBroken, RequestRefused
from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant

ALL = Window(None, None)
PEOPLE = 90
SIZE = {"parameter": "limit", "value": 20}
PAGES: dict[str, dict[str, Any]] = {
    "none": {"kind": "none"},
    "number": {"kind": "number", "parameter": "page", "size": SIZE},
    "offset": {"kind": "offset", "parameter": "offset", "size": SIZE},
    "cursor": {"kind": "cursor", "parameter": "cursor", "next": "data.next", "size": SIZE},
    "next_url": {"kind": "next_url", "next": "data.next", "size": SIZE},
    "link": {"kind": "link", "size": SIZE},
}
DECLARED = {"total": "data.total", "count": "data.count", "more": "data.more"}
RateLimiter = Callable[[float], None]


def connector_for(variant: Variant, *declared: str, **stream: Any) -> Connector:
    """The engineer's description of a variant without credentials, which checks what it declares."""
    pages = PAGES[variant.pages] | {name: DECLARED[name] for name in declared}
    if variant.pages == "number":
        pages |= {"first": variant.first_page}
    if variant.total == "header":
        pages |= {"total": {"header": "X-Total-Count"}}
    holders = {
        "read": {"format": "json", "path": "/holders", "records": "data.items"},
        "pages": pages,
        "key": ["maSo"],
        "updated": {"field": "capNhat"},
    }
    return Connector.model_validate(
        {
            "source": "land",
            "title": "Land register",
            "schedule": "0 1 * * *",
            "auth": {"kind": "none"},
            "limits": {"requests": "500/s", "attempts": 2},
            "streams": {"holders": holders | stream},
        }
    )


@contextmanager
def hostile(tmp_path: Path, variant: Variant, *plants: str) -> Iterator[HostileSource]:
    with HostileSource.start(tmp_path, variant=variant, plants=plants, people=PEOPLE) as running:
        yield running


def keys(source: HostileSource, connector: Connector, window: Window = ALL) -> list[str]:
    with Source(connector, connection_from_document(source.connection, "land")) as reader:
        pages = list(reader.pages("holders", window))
    return [record["maSo"] for page in pages for record in page.records]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"total": "none"},
        {"total": "header"},
        {"count": True, "more": True},
        {"page_cap": 7},
        {"page_cap": 7, "total": "none"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", PAGES)
def test_every_way_of_paging_gives_the_whole_truth(
    kind: str, changed: dict[str, Any], tmp_path: Path
) -> None:
    variant = Variant(auth="none", pages=kind, **changed)
    declared = [name for name in ("count", "more") if changed.get(name)]
    declared += ["total"] if variant.total == "body" else []
    with hostile(tmp_path, variant) as source:
        assert sorted(keys(source, connector_for(variant, *declared))) == [
            record["maSo"] for record in source.records()
        ]


@pytest.mark.parametrize(
    ("kind", "changed"),
    [("number", {"first_page": 0}), ("next_url", {"relative_next": True}), ("link", {"relative_next": True})],
)
def test_pages_from_0_and_relative_addresses_are_followed(
    kind: str, changed: dict[str, Any], tmp_path: Path
) -> None:
    variant = Variant(auth="none", pages=kind, **changed)
    with hostile(tmp_path, variant) as source:
        assert len(set(keys(source, connector_for(variant, "total")))) == PEOPLE


CHEATS = [
    ("repeated_token", "cursor", (), "leads back to a page that was already read"),
    ("repeated_token", "link", (), "leads back to a page that was already read"),
    ("circling_token", "next_url", (), "leads back to a page that was already read"),
    ("circling_token", "cursor", ("total",), "leads back to a page that was already read"),
    ("next_elsewhere", "next_url", (), "leads to another host than the connection's"),
    ("next_elsewhere", "link", (), "leads to another host than the connection's"),
    ("promises_more", "cursor", ("total",), "declares 97 records but ended after 90"),
    ("promises_more", "number", ("total",), "declares 97 records but ended after 90"),
    ("promises_more", "offset", ("total",), "declares 97 records but ended after 90"),
    ("promises_more", "none", ("total",), "declares 97 records but ended after 90"),
    ("short_page", "cursor", ("count",), "page 2: counts 20 records but holds 19"),
    ("more_without_token", "cursor", ("more",), "says that more follows, but names no next page"),
    ("shrinking_total", "number", ("total",), "the declared total falls with every page"),
]


@pytest.mark.parametrize(("plant", "kind", "declared", "complaint"), CHEATS)
def test_a_listing_that_cheats_is_found_out(
    plant: str, kind: str, declared: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    variant = Variant(auth="none", pages=kind, count="count" in declared, more="more" in declared)
    with (
        hostile(tmp_path, variant, plant) as source,
        pytest.raises(ContractBroken, match=complaint),
    ):
        keys(source, connector_for(variant, *declared))
    assert source.strayed() == []


@pytest.mark.parametrize("kind", ["offset", "cursor", "link"])
def test_a_total_that_falls_for_nothing_hides_no_record(kind: str, tmp_path: Path) -> None:
    variant = Variant(auth="none", pages=kind)
    with hostile(tmp_path, variant, "shrinking_total") as source:
        assert len(set(keys(source, connector_for(variant, "total")))) == PEOPLE


@pytest.mark.parametrize("plant", ["overlapping_pages", "capped_page"])
@pytest.mark.parametrize("kind", ["number", "offset", "cursor", "next_url", "link"])
def test_what_does_no_harm_hides_no_record(kind: str, plant: str, tmp_path: Path) -> None:
    variant = Variant(auth="none", pages=kind)
    with hostile(tmp_path, variant, plant) as source:
        assert len(set(keys(source, connector_for(variant)))) == PEOPLE


def test_a_cursor_that_expired_is_refused_and_not_taken_for_the_end(tmp_path: Path) -> None:
    variant = Variant(auth="none")
    connector = connector_for(variant)
    with hostile(tmp_path, variant, "expired_cursor") as source:
        connection = connection_from_document(source.connection, "land")
        with Source(connector, connection) as reader:
            pages = reader.pages("holders", ALL)
            first = next(pages)
            pages.close()  # type: ignore[attr-defined]
            for _ in range(4):
                list(reader.pages("holders", Window(None, None)))[:1]
        with Source(connector, connection) as reader, pytest.raises(RequestRefused, match="answered 410"):
            list(reader.pages("holders", ALL, first.next))


@pytest.mark.parametrize(
    ("deletes", "by_sequence"), [("separate", False), ("separate", True), ("flag", True), ("tombstone", True)]
)
def test_a_snapshot_with_changes_apart_shows_what_lives(
    deletes: Any, by_sequence: bool, tmp_path: Path
) -> None:
    variant = Variant(
        auth="none",
        separate_changes=True,
        deletes=deletes,
        changes="sequence" if by_sequence else "time",
    )
    place = {"read": {"format": "json", "records": "data.items"}, "pages": PAGES["cursor"]}
    at = {path: {**place, "read": {**place["read"], "path": path}} for path in ("/holders", "/deleted")}
    changes: dict[str, Any] = {"kind": "sequence", "field": "thuTu", "since": "afterSeq"}
    snapshot: dict[str, Any] = at["/holders"] | {"watermark": {"path": "/position", "value": "thuTu"}}
    if not by_sequence:
        changes, snapshot = {"since": "since", "until": "until"}, at["/holders"]
    stream: dict[str, Any] = {
        "read": {"format": "json", "path": "/changes", "records": "data.items"},
        "changes": changes,
        "snapshot": snapshot,
    }
    if deletes == "separate":
        stream["deletes"] = {"kind": "stream", **at["/deleted"]}
    connector = connector_for(variant, **stream)
    with hostile(tmp_path, variant) as source:
        gone = source.delete(3)
        with Source(connector, connection_from_document(source.connection, "land")) as reader:
            window = ALL if by_sequence else Window(None, source.now)
            pages = list(reader.pages("holders", window))
        shown = [record["maSo"] for page in pages if page.of_snapshot for record in page.records]
        later = [record["maSo"] for page in pages if not page.of_snapshot for record in page.records]
        assert sorted(shown) == [record["maSo"] for record in source.records()]
        assert set(gone) <= set(later)
        assert {page.kind for page in pages} == {"records"} | (
            {"deletions"} if deletes == "separate" else set()
        )


@pytest.mark.parametrize("kind", ["cursor", "offset"])
def test_the_documents_of_every_holder_come_with_their_holder(kind: str, tmp_path: Path) -> None:
    variant = Variant(auth="none", pages=kind)
    connector = connector_for(variant, "total")
    papers = connector.streams["holders"].model_dump(exclude_unset=True) | {
        "read": {"format": "json", "path": "/holders/{holder}/documents", "records": "data.items"},
        "key": ["soPhatHanh"],
        "parent": {"stream": "holders", "take": {"holder": "maSo"}},
    }
    document = connector.model_dump(exclude_unset=True)
    document["limits"]["requests"] = "500/s"
    document["streams"]["papers"] = papers
    with (
        hostile(tmp_path, variant) as source,
        Source(
            Connector.model_validate(document), connection_from_document(source.connection, "land")
        ) as reader,
    ):
        came = [record for page in reader.pages("papers", ALL) for record in page.records]
        truth = {
            holder["maSo"]: [paper["soPhatHanh"] for paper in source.documents(holder["maSo"])]
            for holder in source.records()
        }
    reported: dict[str, list[str]] = {key: [] for key in truth}
    for record in came:
        reported[record["parent"]["holder"]].append(record["soPhatHanh"])
    assert {key: sorted(found) for key, found in reported.items()} == {
        key: sorted(found) for key, found in truth.items()
    }
