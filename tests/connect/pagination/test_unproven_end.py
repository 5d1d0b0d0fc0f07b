"""A listing that ends without saying so: an error unless something shows that all records came."""

from __future__ import annotations

from typing import Any

import pytest

from oncehub.connect.checks import check_connector
from oncehub.errors import ConfigError, ContractBroken

from ..serving import Answering, Asked, Reply, as_json
from .test_pagination import Make, Open, Serve, ids, pages_of

SIZE = {"parameter": "n", "value": 50}
JSON = {"format": "json", "path": "/x"}
CURSOR = {"kind": "cursor", "parameter": "cursor", "next": "paging.next", "size": SIZE}
KINDS: dict[str, dict[str, Any]] = {
    "cursor": CURSOR,
    "next_url": {"kind": "next_url", "next": "paging.next", "size": SIZE},
    "link": {"kind": "link", "size": SIZE},
    "header": {**CURSOR, "next": {"header": "X-Next"}},
}


def source(count: int, *, cap: int = 1000, says_none: bool = False, **more: Any) -> Answering:
    """A source of so many records that names the next page in every way, and none on the last."""

    def answer(asked: Asked) -> Reply:
        size = min(int(asked.query.get("n", 50)), cap)
        start = int(asked.query.get("cursor", 0))
        body: dict[str, Any] = {"items": [{"id": number} for number in range(count)[start : start + size]]}
        headers = {}
        if (end := start + size) < count:
            body["paging"] = {"next": str(end)}
            body["url"] = {"next": f"/items?n={size}&cursor={end}"}
            headers = {"Link": f'</items?n={size}&cursor={end}>; rel="next"', "X-Next": str(end)}
        elif says_none:
            body |= {"paging": {"next": None}, "url": None}
            headers = {"Link": "", "X-Next": ""}
        return as_json(body | more, **headers)

    return answer


def kind(name: str, **changed: Any) -> dict[str, Any]:
    pages = KINDS[name] | changed
    return pages | ({"next": "url.next"} if name == "next_url" and "next" not in changed else {})


@pytest.fixture
def read(serve: Serve, connector_of: Make, open_served: Open) -> Any:
    def reading(answering: Answering, pages: dict[str, Any]) -> tuple[list[int], int]:
        served = serve(answering)
        found = ids(pages_of(open_served(connector_of({"pages": pages}), served.host)))
        return found, len(served.asked)

    return reading


@pytest.mark.parametrize("cap", [1000, 20])
@pytest.mark.parametrize("size", [SIZE, None])
@pytest.mark.parametrize(
    "wrong",
    [
        kind("cursor", next="paging.nxt"),
        kind("cursor", next="pages.next"),
        kind("cursor", next={"header": "X-Nxt"}),
        kind("next_url", next="url.nxt"),
    ],
    ids=str,
)
def test_a_path_that_leads_nowhere_is_not_the_end_of_a_listing(
    wrong: dict[str, Any], size: Any, cap: int, read: Any
) -> None:
    complaint = "even when only" if size else "nothing shows that all records came"
    with pytest.raises(ContractBroken, match=rf"items: page 1: no next page is named at .*{complaint}"):
        read(source(300, cap=cap), wrong | {"size": size})


def test_neither_is_one_where_a_source_ignores_the_size(read: Any) -> None:
    def all_at_once(_: Asked) -> Reply:
        return as_json({"items": [{"id": number} for number in range(50)]})

    for pages in (kind("cursor"), kind("link")):
        with pytest.raises(ContractBroken, match="or a `size` that the source follows"):
            read(all_at_once, pages)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("count", [0, 1, 2, 49, 50, 51, 120])
def test_every_record_of_a_sound_source_comes(name: str, count: int, read: Any) -> None:
    for says_none in (False, True):
        found, requests = read(source(count, says_none=says_none), kind(name))
        assert found == list(range(count))
        proof = not says_none and 1 < count <= 50
        assert requests == max(1, -(-count // 50)) + proof


@pytest.mark.parametrize(
    ("pages", "more"),
    [
        (kind("cursor", total="total"), {"total": 30}),
        (kind("cursor", more="more"), {"more": False}),
        (kind("cursor", end="absent"), {}),
        (kind("cursor", size=None, end="absent"), {}),
    ],
)
def test_what_declares_the_end_needs_no_proof(pages: dict[str, Any], more: dict[str, Any], read: Any) -> None:
    assert read(source(30, **more), pages) == (list(range(30)), 1)


@pytest.mark.parametrize("kind", ["number", "offset"])
@pytest.mark.parametrize("truth", [50, 120])
def test_a_total_of_the_page_alone_is_found_out(kind: str, truth: int, read: Any) -> None:
    def answer(asked: Asked) -> Reply:
        at = int(asked.query["at"])
        start = (at - 1) * 50 if kind == "number" else at
        items = [{"id": number} for number in range(truth)[start : start + 50]]
        return as_json({"items": items, "count": len(items)})

    pages = {"kind": kind, "parameter": "at", "size": SIZE, "total": "count"}
    if truth == 50:
        assert read(answer, pages) == (list(range(50)), 2)
        return
    with pytest.raises(ContractBroken, match="declares 50 records in all, but more follow on the next page"):
        read(answer, pages)


@pytest.mark.parametrize("kind", ["number", "offset"])
@pytest.mark.parametrize("total", [7, 49, 60, 99])
def test_a_total_that_a_full_page_exceeds_ends_nothing(kind: str, total: int, read: Any) -> None:
    def answer(asked: Asked) -> Reply:
        at = int(asked.query["at"])
        start = (at - 1) * 50 if kind == "number" else at
        return as_json(
            {"items": [{"id": number} for number in range(120)[start : start + 50]], "total": total}
        )

    pages = {"kind": kind, "parameter": "at", "size": SIZE, "total": "total"}
    assert read(answer, pages)[0] == list(range(120))


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        ({"pages": kind("cursor", next="items.next")}, "`items.next` leads into the records at `items`"),
        ({"pages": kind("cursor", total="items")}, "`items` leads into the records at `items`"),
        (
            {
                "read": {"format": "json", "path": "/x", "records": "data.items"},
                "pages": kind("cursor", next="data"),
            },
            "`data` holds the records at `data.items`",
        ),
        ({"read": JSON, "pages": CURSOR}, "the body is the list of records"),
        ({"pages": kind("cursor", total="paging.next.total")}, "leads into the value at `paging.next`"),
        ({"pages": kind("cursor", total="paging.next")}, "is also `total`; one value cannot be both"),
        ({"pages": kind("cursor", parameter="n")}, "the parameter n is also pages.parameter"),
        (
            {"pages": CURSOR, "changes": {"since": "cursor", "until": "to"}},
            "the parameter cursor is also pages.parameter",
        ),
        (
            {
                "read": {"format": "json", "path": "/x", "records": "items", "query": {"n": "5"}},
                "pages": CURSOR,
            },
            "the parameter n is also read.query",
        ),
    ],
)
def test_paths_and_parameters_that_cannot_be_are_faults_of_the_file(
    stream: dict[str, Any], complaint: str, connector_of: Make
) -> None:
    with pytest.raises(ConfigError, match=r"connector\.yaml:\d+:\d+: ") as caught:
        check_connector(connector_of(stream))
    assert complaint in str(caught.value)
