"""Every record of a listing is read, whatever way it is paged, and a listing that cheats is found out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.config.connector import Connector
from oncehub.config.reading import Json, LinkPages, NumberPages, OffsetPages, PageSize
from oncehub.connect.formats import Content
from oncehub.connect.page import Page
from oncehub.connect.pagination.cursor import LinkPaginator, next_link
from oncehub.connect.pagination.listing import Listing
from oncehub.connect.pagination.offset import OffsetPaginator
from oncehub.connect.resume_token import PagePosition, ResumeToken
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError, ContractBroken

from ..conftest import Stored, stored
from ..serving import Answering, Asked, Reply, Served, as_json, in_turn

ALL = Window(None, None)
SIZE = {"parameter": "n", "value": 3}
KINDS: dict[str, dict[str, Any]] = {
    "number": {"kind": "number", "parameter": "page", "size": SIZE},
    "number with total": {"kind": "number", "parameter": "page", "size": SIZE, "total": "total"},
    "offset": {"kind": "offset", "parameter": "from", "size": SIZE},
    "offset with total": {"kind": "offset", "parameter": "from", "size": SIZE, "total": "total"},
    "cursor": {"kind": "cursor", "parameter": "cursor", "next": "next", "size": SIZE},
    "cursor with total": {
        "kind": "cursor",
        "parameter": "cursor",
        "next": "next",
        "size": SIZE,
        "total": "total",
    },
    "link": {"kind": "link", "size": SIZE},
}

Serve = Callable[[Answering], Served]
Make = Callable[..., Connector]
Open = Callable[..., Source]


class Catalogue:
    """A source that lists numbers, understanding every way of paging at once."""

    def __init__(self, count: int) -> None:
        self.ids = list(range(count))

    def __call__(self, asked: Asked) -> Reply:
        size = int(asked.query["n"])
        page = int(asked.query.get("page", 1))
        start = int(asked.query.get("from") or asked.query.get("cursor") or (page - 1) * size)
        end = start + size
        more = end < len(self.ids)
        content = {
            "items": [{"id": number} for number in self.ids[start:end]],
            "total": len(self.ids),
            "next": str(end) if more else None,
        }
        link = {"Link": f'</items?n={size}&cursor={end}>; rel="next"'} if more else {}
        return as_json(content, **link)


def ids(pages: list[Page]) -> list[Any]:
    return [record["id"] for page in pages for record in page.records]


def pages_of(source: Source, resume: ResumeToken | Stored | None = None) -> list[Page]:
    return list(source.pages("items", ALL, resume))


@pytest.mark.parametrize("count", [0, 1, 3, 7, 9])
@pytest.mark.parametrize("kind", KINDS)
def test_all_records_are_read_in_order(
    kind: str, count: int, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(Catalogue(count))
    pages = pages_of(open_served(connector_of({"pages": KINDS[kind]}), served.host))
    assert ids(pages) == list(range(count))
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert [page.next is None for page in pages] == [False] * (len(pages) - 1) + [True]
    assert {page.total for page in pages} == ({count} if "total" in kind else {None})


@pytest.mark.parametrize("kind", KINDS)
def test_reading_goes_on_from_any_page_in_a_later_process(
    kind: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(Catalogue(10))
    connector = connector_of({"pages": KINDS[kind]})
    pages = pages_of(open_served(connector, served.host))
    for index, page in enumerate(pages[:-1]):
        state = stored(page.next)
        rest = pages_of(open_served(connector, served.host), state)
        assert ids(pages[: index + 1]) + ids(rest) == list(range(10))
        assert rest[0].number == index + 2


def test_a_single_answer_is_the_whole(serve: Serve, connector_of: Make, open_served: Open) -> None:
    served = serve(in_turn(as_json({"items": [{"id": 5}, {"id": 6}]})))
    assert ids(pages_of(open_served(connector_of(), served.host))) == [5, 6]
    assert served.asked[0].query == {}


@pytest.mark.parametrize("kind", ["number", "offset", "cursor", "link"])
def test_a_state_of_another_page_size_starts_anew(
    kind: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(Catalogue(10))
    state = pages_of(open_served(connector_of({"pages": KINDS[kind]}), served.host))[1].next
    larger = KINDS[kind] | {"size": SIZE | {"value": 4}}
    pages = pages_of(open_served(connector_of({"pages": larger}), served.host), state)
    assert pages[0].number == 1
    assert ids(pages) == list(range(10))


@pytest.mark.parametrize("kind", ["number with total", "offset with total"])
def test_a_resume_by_position_starts_anew_when_the_listing_changed(
    kind: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    catalogue = Catalogue(10)
    served = serve(catalogue)
    connector = connector_of({"pages": KINDS[kind]})
    state = pages_of(open_served(connector, served.host))[1].next
    catalogue.ids.insert(0, 99)
    pages = pages_of(open_served(connector, served.host), state)
    assert pages[0].number == 1
    assert ids(pages) == [99, *range(10)]


@given(
    numbered=st.booleans(),
    size=st.integers(1, 7),
    count=st.integers(0, 60),
    data=st.data(),
)
def test_records_that_leave_while_reading_hide_no_other(
    numbered: bool, size: int, count: int, data: st.DataObject
) -> None:
    """Of what stays in the selection all the while, nothing is skipped."""
    kind, form = (NumberPages, "number") if numbered else (OffsetPages, "offset")
    pages = kind(kind=form, parameter="p", size=PageSize(parameter="n", value=size), total="total")
    read = Json(format="json", path="/items", records="items")
    paginator = OffsetPaginator(Listing("tax.items", "http://127.0.0.1", read, pages, {}), pages)
    listed = list(range(count))
    seen: set[int] = set()
    position: PagePosition | None = PagePosition("selection")
    while position is not None:
        start = position.offset.at * (size if numbered else 1)
        records = listed[start : start + size]
        seen.update(records)
        position = paginator.after(position, Content("page", records, {}, {}, total=len(listed)))
        leaving = data.draw(st.sets(st.sampled_from(listed), max_size=3)) if listed else set()
        listed = [number for number in listed if number not in leaving]
    assert seen >= set(listed)


@pytest.mark.parametrize("kind", ["number with total", "offset with total", "cursor with total"])
def test_fewer_records_than_declared_break_the_contract(
    kind: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    catalogue = Catalogue(7)

    def lying(asked: Asked) -> Reply:
        content = orjson.loads(catalogue(asked).body)
        return as_json(content | {"total": 8})

    served = serve(lying)
    with pytest.raises(ContractBroken, match="declares 8 records but ended after 7"):
        pages_of(open_served(connector_of({"pages": KINDS[kind]}), served.host))


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("kind", ["cursor", "link"])
def test_a_circle_of_pages_is_found(
    kind: str, length: int, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    def circling(asked: Asked) -> Reply:
        following = (int(asked.query.get("cursor", 0)) + 1) % length
        link = {"Link": f'</items?cursor={following}>; rel="next"'}
        return as_json({"items": [], "next": str(following)}, **link)

    served = serve(circling)
    with pytest.raises(ContractBroken, match=r"tax\.items: page \d+: leads back to a page"):
        pages_of(open_served(connector_of({"pages": KINDS[kind]}), served.host))
    assert len(served.asked) <= 3 * length + 3


def test_a_circle_is_found_though_the_process_changes_on_every_page(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(
        lambda asked: as_json({"items": [], "next": "b" if asked.query.get("cursor") == "a" else "a"})
    )
    connector = connector_of({"pages": KINDS["cursor"]})
    state: Stored | None = None

    def one_page_each() -> None:
        nonlocal state
        for _ in range(10):
            pages = open_served(connector, served.host).pages("items", ALL, state)
            state = stored(next(pages).next)
            pages.close()  # type: ignore[attr-defined]

    with pytest.raises(ContractBroken, match="leads back"):
        one_page_each()


def test_a_link_to_another_host_is_not_followed(serve: Serve, connector_of: Make, open_served: Open) -> None:
    elsewhere = serve(in_turn(as_json({"items": []})))
    link = {"Link": f'<{elsewhere.host}/items>; rel="next"'}
    served = serve(in_turn(as_json({"items": []}, **link)))
    with pytest.raises(ContractBroken, match="another host"):
        pages_of(open_served(connector_of({"pages": KINDS["link"]}), served.host))
    assert elsewhere.asked == []


@pytest.mark.parametrize("address", ["http://[half/items", "http://host:99999999/items"])
def test_a_link_that_is_no_address_breaks_the_contract(
    address: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(in_turn(as_json({"items": []}, Link=f'<{address}>; rel="next"')))
    with pytest.raises(ContractBroken, match="page 1: its next link is no address"):
        pages_of(open_served(connector_of({"pages": KINDS["link"]}), served.host))


def test_a_resumed_link_is_followed_to_the_host_of_today(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    connector = connector_of({"pages": KINDS["link"]})
    state = pages_of(open_served(connector, serve(Catalogue(7)).host))[0].next
    moved = serve(Catalogue(7))
    assert ids(pages_of(open_served(connector, moved.host), state)) == [3, 4, 5, 6]


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ('<https://a.example/x?c=1>; rel="next"', "https://a.example/x?c=1"),
        ('</first>; rel="first", </later>; rel="next last"', "/later"),
        ("</plain>; rel=next", "/plain"),
        ('</first>; rel="first"', None),
        ("", None),
    ],
)
def test_the_next_link_is_found_by_its_relation(header: str, link: str | None) -> None:
    assert next_link(header) == link


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"elsewhere": []}, "holds no list at `items`"),
        ({"items": {"id": 1}}, "holds no list at `items`"),
        ([], "holds no list at `items`"),
        ({"items": []}, "holds no count at `total`"),
        ({"items": [], "total": "many"}, "holds no count at `total`"),
        ({"items": [], "total": 0, "next": {}}, "holds no token at `next`"),
    ],
)
def test_a_page_of_another_form_breaks_the_contract_at_once(
    content: Any, complaint: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(in_turn(as_json(content)))
    with pytest.raises(ContractBroken, match=f"tax.items: page 1: {complaint}"):
        pages_of(open_served(connector_of({"pages": KINDS["cursor with total"]}), served.host))
    assert len(served.asked) == 1


def test_what_is_listed_comes_as_sent(serve: Serve, connector_of: Make, open_served: Open) -> None:
    items = [{"tên": "Nguye\u0302\u0303n", "n": 1.50, "none": None}, "no object", 7]
    served = serve(in_turn(as_json({"items": items})))
    assert pages_of(open_served(connector_of(), served.host))[0].records == items


def test_a_stream_that_is_not_there_is_reported_with_those_that_are(
    connector_of: Make, open_served: Open
) -> None:
    with pytest.raises(
        ConfigError, match=r"connector\.yaml:\d+:1: there is no stream 'item'; known are items"
    ):
        open_served(connector_of(), "http://127.0.0.1:1").pages("item", ALL)


def listing(answers: dict[str, Reply], by: str) -> Answering:
    """Answers by the value of one parameter; "" stands for its absence."""
    return lambda asked: answers[asked.query.get(by, "")]


BROKEN: dict[str, tuple[dict[str, Any], dict[str, Reply], str, str]] = {
    "a page that counts more records than it holds": (
        KINDS["cursor"] | {"count": "count"},
        {"": as_json({"items": [{"id": 1}], "count": 2})},
        "cursor",
        "page 1: counts 2 records but holds 1",
    ),
    "more without a token": (
        KINDS["cursor"] | {"more": "more"},
        {"": as_json({"items": [{"id": 1}], "more": True, "next": None})},
        "cursor",
        "page 1: says that more follows, but names no next page",
    ),
    "more of what comes in one answer": (
        {"kind": "none", "more": "more"},
        {"": as_json({"items": [{"id": 1}], "more": True})},
        "cursor",
        "page 1: says that more follows, but its `pages` are of kind none",
    ),
    "an empty page by offset that promises more": (
        KINDS["offset"] | {"more": "more"},
        {"0": as_json({"items": [], "more": True})},
        "from",
        "page 1: is the same as the page before it",
    ),
    "an empty page by number that repeats": (
        KINDS["number"] | {"more": "more"},
        {page: as_json({"items": [], "more": True}) for page in "12"},
        "page",
        "page 2: is the same as the page before it",
    ),
    "a source that does not heed the position": (
        KINDS["offset"],
        {position: as_json({"items": [{"id": 1}, {"id": 2}]}) for position in "02"},
        "from",
        "page 2: is the same as the page before it",
    ),
    "more that is no truth": (
        KINDS["cursor"] | {"more": "more"},
        {"": as_json({"items": [], "more": "perhaps"})},
        "cursor",
        "page 1: holds no true or false at `more`",
    ),
    "a next address that is none": (
        {"kind": "next_url", "next": "next"},
        {"": as_json({"items": [], "next": {"href": "/items"}})},
        "cursor",
        "page 1: holds no address at `next`",
    ),
    "a next address elsewhere": (
        {"kind": "next_url", "next": "next"},
        {"": as_json({"items": [], "next": "http://127.0.0.2/items"})},
        "cursor",
        "page 1: its next link leads to another host than the connection's",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_promise_that_is_not_kept_is_named(
    fault: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    pages, answers, by, complaint = BROKEN[fault]
    served = serve(listing(answers, by))
    with pytest.raises(ContractBroken, match=re.escape(f"tax.items: {complaint}")):
        pages_of(open_served(connector_of({"pages": pages}), served.host))


def test_an_empty_page_among_others_ends_nothing_where_more_is_promised(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    answers = {
        "1": as_json({"items": [{"id": 1}], "more": True}),
        "2": as_json({"items": [], "more": True}),
        "3": as_json({"items": [{"id": 3}], "more": False}),
    }
    served = serve(listing(answers, "page"))
    pages = pages_of(open_served(connector_of({"pages": KINDS["number"] | {"more": "more"}}), served.host))
    assert ids(pages) == [1, 3]


def test_a_token_after_the_last_page_is_not_followed_where_more_says_no(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(in_turn(as_json({"items": [{"id": 1}], "more": False, "next": "x"})))
    pages = pages_of(open_served(connector_of({"pages": KINDS["cursor"] | {"more": "more"}}), served.host))
    assert ids(pages) == [1]
    assert len(served.asked) == 1


def test_a_total_that_falls_without_end_breaks_the_contract(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    total = itertools.count(500, -1)
    catalogue = Catalogue(20)

    def falling(asked: Asked) -> Reply:
        return as_json(orjson.loads(catalogue(asked).body) | {"total": next(total)})

    for kind in ("number with total", "offset with total"):
        served = serve(falling)
        with pytest.raises(ContractBroken, match="the declared total falls with every page"):
            pages_of(open_served(connector_of({"pages": KINDS[kind]}), served.host))


def test_more_records_than_declared_are_taken_as_they_come(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(in_turn(as_json({"items": [{"id": 1}, {"id": 2}], "total": 1})))
    pages = pages_of(open_served(connector_of({"pages": {"kind": "none", "total": "total"}}), served.host))
    assert ids(pages) == [1, 2]


def test_the_key_that_a_next_address_repeats_is_not_kept(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    following = {"items": [{"id": 1}], "next": "/items?key=hush&cursor=2"}
    served = serve(in_turn(as_json(following), as_json({"items": [{"id": 2}]})))
    connector = connector_of(
        {"pages": {"kind": "next_url", "next": "next"}}, auth={"kind": "api_key", "query": "key"}
    )
    pages = pages_of(open_served(connector, served.host, password="hush"))
    assert ids(pages) == [1, 2]
    assert "hush" not in str(pages[0].next)
    assert [asked.query for asked in served.asked] == [{"key": "hush"}, {"key": "hush", "cursor": "2"}]


def test_query_and_headers_of_the_connector_go_with_every_page(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(Catalogue(7))
    read = {"query": {"fields": "a b"}, "headers": {"X-Agency": "hub"}}
    stream = {"read": {"format": "json", "path": "/items", "records": "items", **read}}
    pages_of(open_served(connector_of(stream | {"pages": KINDS["cursor"]}), served.host))
    assert len(served.asked) == 3
    assert all(asked.query["fields"] == "a b" for asked in served.asked)
    assert all(asked.headers["X-Agency"] == "hub" for asked in served.asked)


def test_a_next_page_is_asked_of_a_host_that_is_an_address_of_ipv6() -> None:
    host = "https://[2001:db8::1]:8443"
    listing = Listing("s.t", host, Json(format="json", path="/items"), LinkPages(kind="link"), {})
    paginator = LinkPaginator(listing, None, strip=str)
    asked = paginator.request(PagePosition("selection", read=1, token="/items?from=2"))
    assert asked.url == f"{host}/items?from=2"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith(("number", "offset"))])
def test_pages_of_which_no_record_is_selected_are_told_apart(
    kind: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(Catalogue(14))
    read = {"format": "json", "path": "/items", "records": "$.items[?@.id>=11]"}
    connector = connector_of({"read": read, "pages": KINDS[kind]})
    assert ids(pages_of(open_served(connector, served.host))) == [11, 12, 13]
