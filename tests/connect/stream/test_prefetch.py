"""The next page is fetched while the caller works, and no more than that; nothing outlives the iterator."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import RequestRefused

from ..serving import Answering, Asked, Reply, Served, as_json

ALL = Window(None, None)
PAGES = {"pages": {"kind": "number", "parameter": "page", "size": {"parameter": "n", "value": 1}}}

Serve = Callable[[Answering], Served]
Make = Callable[..., Connector]
Open = Callable[..., Source]


def endless(asked: Asked) -> Reply:
    return as_json({"items": [{"id": int(asked.query["page"])}]})


def fetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("oncehub-fetch")]


def eventually(holds: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(holds())


def test_one_page_is_fetched_ahead_and_no_more(serve: Serve, connector_of: Make, open_served: Open) -> None:
    second = threading.Event()

    def noticing(asked: Asked) -> Reply:
        if asked.query["page"] == "2":
            second.set()
        return endless(asked)

    served = serve(noticing)
    pages = open_served(connector_of(PAGES), served.host).pages("items", ALL)
    next(pages)
    assert second.wait(5)
    # The fetcher is idle only when it has nothing left to do; a third request would come from it.
    assert not eventually_more_than(served, 2)
    next(pages)
    assert eventually(lambda: len(served.asked) == 3)
    pages.close()  # type: ignore[attr-defined]


def eventually_more_than(served: Served, count: int) -> bool:
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline and len(served.asked) <= count:
        time.sleep(0.005)
    return len(served.asked) > count


def test_an_error_comes_after_the_pages_before_it(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(lambda asked: endless(asked) if asked.query["page"] != "3" else Reply(status=404))
    pages = open_served(connector_of(PAGES), served.host).pages("items", ALL)
    assert [next(pages).records[0]["id"] for _ in range(2)] == [1, 2]
    with pytest.raises(RequestRefused, match="page 3: answered 404"):
        next(pages)
    assert fetchers() == []


def test_nothing_is_asked_before_the_first_page_is_wanted(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(endless)
    open_served(connector_of(PAGES), served.host).pages("items", ALL)
    assert (served.asked, fetchers()) == ([], [])


def test_the_thread_ends_with_the_iterator(serve: Serve, connector_of: Make, open_served: Open) -> None:
    served = serve(endless)
    pages = open_served(connector_of(PAGES), served.host).pages("items", ALL)
    next(pages)
    assert len(fetchers()) == 1
    pages.close()  # type: ignore[attr-defined]
    assert fetchers() == []


def test_giving_up_does_not_wait_out_a_pause(serve: Serve, connector_of: Make) -> None:
    busy = Reply(status=503, headers={"Retry-After": "50"})
    served = serve(lambda asked: endless(asked) if asked.query["page"] == "1" else busy)
    with Source(connector_of(PAGES), Connection(served.host)) as source:
        pages = source.pages("items", ALL)
        next(pages)
        assert eventually(lambda: len(served.asked) == 2)
        pages.close()  # type: ignore[attr-defined]
    assert fetchers() == []
    # Had the pause been waited out, another try would have followed it.
    assert len(served.asked) == 2
