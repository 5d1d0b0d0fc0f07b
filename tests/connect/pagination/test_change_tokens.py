"""Changes from a token that the last page names: asked for on the same host, never lost, never guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from oncehub.config.connector import Connector
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError, ContractBroken

from ..serving import Answering, Asked, Served, as_json

Make = Callable[..., Connector]
Open = Callable[..., Source]
Serve = Callable[[Answering], Served]

BY_ADDRESS = {
    "pages": {"kind": "next_url", "next": "next"},
    "changes": {"kind": "token", "next": "$['@delta']"},
}
BY_PARAMETER = {
    "pages": {"kind": "cursor", "parameter": "page", "next": "next"},
    "changes": {"kind": "token", "next": "sync", "parameter": "syncToken"},
}
RECORDS = [{"id": 1, "at": "2026-01-01T00:00:00Z"}, {"id": 2, "at": "2026-01-01T00:00:00Z"}]


@pytest.mark.parametrize(
    ("stream", "last", "token", "asked"),
    [
        (BY_ADDRESS, {"@delta": "/items?t=5&u=%20"}, "/items?t=5&u=%20", {"t": "5", "u": " "}),
        (BY_PARAMETER, {"sync": "a b"}, "a b", {"syncToken": "a b"}),
    ],
)
def test_the_last_page_names_from_where_changes_are_asked_for(
    stream: dict[str, Any],
    last: dict[str, str],
    token: str,
    asked: dict[str, str],
    serve: Serve,
    connector_of: Make,
    open_served: Open,
) -> None:
    served = serve(lambda asked: as_json({"items": RECORDS, **last}))
    source = open_served(connector_of(stream), served.host)
    [page] = source.pages("items", Window(None, None))
    assert page.token == token
    list(source.pages("items", Window(None, None, page.token)))
    assert served.asked[-1].query == asked


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"@delta": "http://127.0.0.1:1/items?t=5"}, "leads to another host"),
        ({"@delta": "//elsewhere.invalid/items"}, "leads to another host"),
        ({"@delta": "http://[/"}, "is no address"),
        ({"@delta": 5}, "holds no place to ask for later changes"),
        ({"next": None}, "holds no place to ask for later changes"),
        ({}, "no next page is named at"),
    ],
)
def test_a_token_that_is_not_there_or_leads_elsewhere_ends_the_read(
    body: dict[str, Any], complaint: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(lambda asked: as_json({"items": RECORDS, **body}))
    with pytest.raises(ContractBroken, match=complaint):
        list(open_served(connector_of(BY_ADDRESS), served.host).pages("items", Window(None, None)))


def test_what_a_source_answers_stays_a_value_of_the_next_request(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    evil = '"}, "x": {"y": "\r\nHost: elsewhere&a=b#{size}'

    def answer(asked: Asked) -> Any:
        return as_json({"items": RECORDS, "next": None if "cursor" in asked.body else evil})

    served = serve(answer)
    read = {
        "format": "json",
        "path": "/items",
        "records": "items",
        "body": {"cursor": "{cursor}", "n": "{size}"},
    }
    pages = {"kind": "cursor", "next": "next", "size": {"value": 2}}
    list(
        open_served(connector_of({"read": read, "pages": pages}), served.host).pages(
            "items", Window(None, None)
        )
    )
    first, second = served.asked
    assert first.body == '{"n":2}'
    assert orjson.loads(second.body) == {"cursor": evil, "n": 2}
    assert (second.path, second.query, second.headers["Host"]) == ("/items", {}, first.headers["Host"])


def test_no_time_bounds_changes_from_a_token(connector_of: Make, open_served: Open) -> None:
    source = open_served(connector_of(BY_ADDRESS), "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="knows its changes by token"):
        source.pages("items", Window(5, None))
