"""A form that cannot be read as written is reported before any request, with its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oncehub.config.connector import Connector
from oncehub.connect.checks import check_connector
from oncehub.errors import ConfigError

Make = Callable[..., Connector]

CSV = {"path": "/x", "format": "csv"}
XML = {"path": "/x", "format": "xml", "records": "ds/r"}
IN_HEADER = {"header": "X-Next"}


@pytest.mark.parametrize(
    ("read", "complaint"),
    [
        (CSV | {"encoding": "vietnamese"}, "no such encoding; write one such as utf-8 or cp1258"),
        (CSV | {"encoding": "hex"}, "no such encoding"),
        (CSV | {"delimiter": '"'}, "delimiter, quote and escape must differ"),
        (CSV | {"escape": '"'}, "delimiter, quote and escape must differ"),
        (CSV | {"delimiter": "\n"}, "a line end or NUL cannot be delimiter"),
        (XML | {"records": "p:ds/r"}, "no namespace has the prefix p; add it to namespaces"),
        (XML | {"lists": ["a.p:b"]}, "no namespace has the prefix p"),
        (XML | {"namespaces": {"p": "urn:x", "q": "urn:x"}}, "two prefixes stand for one namespace"),
    ],
)
def test_a_form_that_cannot_be(read: dict[str, Any], complaint: str, connector_of: Make) -> None:
    connector = connector_of({"read": read, "pages": {"kind": "none"}})
    with pytest.raises(ConfigError, match=rf"connector\.yaml:\d+:\d+: {complaint}"):
        check_connector(connector)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("pages", "name"),
    [
        ({"kind": "number", "parameter": "p", "total": "tong"}, "total"),
        ({"kind": "number", "parameter": "p", "count": "so"}, "count"),
        ({"kind": "offset", "parameter": "p", "more": "con"}, "more"),
        ({"kind": "cursor", "parameter": "p", "next": "sau"}, "next"),
        ({"kind": "next_url", "next": "sau"}, "next"),
    ],
)
def test_pages_of_bare_records_can_declare_nothing_in_their_body(
    form: str, pages: dict[str, Any], name: str, connector_of: Make
) -> None:
    connector = connector_of({"read": {"path": "/x", "format": form}, "pages": pages})
    complaint = rf"connector\.yaml:\d+:\d+: a page of {form} holds records only; write {name}: {{header"
    with pytest.raises(ConfigError, match=complaint):
        check_connector(connector)


def test_sound_forms_pass(connector_of: Make) -> None:
    sound: list[dict[str, Any]] = [
        {"read": CSV | {"encoding": "utf-16", "quote": None, "escape": "\\"}, "pages": {"kind": "none"}},
        {"read": CSV, "pages": {"kind": "cursor", "parameter": "p", "next": IN_HEADER, "total": IN_HEADER}},
        {
            "read": XML | {"records": "p:ds/r", "namespaces": {"p": "urn:x"}, "lists": ["p:a.b"]},
            "pages": {"kind": "cursor", "parameter": "p", "next": "sau", "more": "con"},
        },
    ]
    for stream in sound:
        check_connector(connector_of(stream))
