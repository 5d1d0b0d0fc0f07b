"""Guesses the purpose of a listing's parameters by their names: pages, windows of change, or neither."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from oncehub.authoring.proposal import plain_name
from oncehub.config.reading import SECRET_HEADERS
from oncehub.normalize.contract.contract import Node

Queries = dict[str, Node]
"""Query parameters of an operation, by name."""

SIZE: Final = ("limit", "pagesize", "perpage", "size", "sodong", "soluong", "count", "top", "maxresults")
_CURSOR: Final = ("cursor", "pagetoken", "nexttoken", "continuationtoken", "after", "token", "marker")
NUMBER: Final = ("page", "pagenumber", "pageno", "trang", "sotrang", "pageindex")
OFFSET: Final = ("offset", "start", "skip", "startindex", "vitri")
SINCE: Final = (
    "since",
    "updatedsince",
    "modifiedsince",
    "changedsince",
    "updatedfrom",
    "updatedafter",
    "from",
    "tungay",
    "tuthoidiem",
    "fromdate",
    "startdate",
)
UNTIL: Final = (
    "until",
    "updateduntil",
    "updatedto",
    "updatedbefore",
    "to",
    "denngay",
    "denthoidiem",
    "before",
)
_NEXT: Final = ("next", "nexttoken", "nextcursor", "nextpagetoken", "tieptheo", "cursor", "continuationtoken")
_NEXT_URL: Final = ("next", "nexturl", "nextlink", "nexthref")
TOTAL: Final = (
    "total",
    "totalcount",
    "totalitems",
    "totalrecords",
    "totalentries",
    "totalelements",
    "tong",
    "tongso",
    "count",
)
_LARGEST: Final = 1000


def asked_pages(queries: Queries, answer: Node, notes: dict[str, str]) -> dict[str, Any]:
    """Return `pages` as a connector writes it; add remarks on guesses to `notes`."""
    kind = _kind(queries, answer)
    size = _named(queries, SIZE)
    if kind["kind"] == "none" and size is None:
        notes["pages"] = "guessed: everything in one answer"
        return kind
    notes["pages"] = (
        "guessed from the names of its parameters"
        if kind["kind"] != "none"
        else ("the description names no way to the next page; perhaps a Link header: {kind: link}")
    )
    if size and kind["kind"] != "none":
        schema = queries[size].get("schema", {})
        most = schema.get("maximum")
        value = min(int(most), _LARGEST) if isinstance(most, int | float) and most >= 1 else _LARGEST
        kind["size"] = {"parameter": size, "value": value}
    if kind["kind"] != "none" and (total := _place(answer, TOTAL, "integer")):
        kind["total"] = total
    return kind


def asked_changes(queries: Queries, notes: dict[str, str]) -> dict[str, Any]:
    """Return `changes` where a parameter requests the records changed since a time; else nothing."""
    since, until = _named(queries, SINCE), _named(queries, UNTIL)
    if since is None:
        return {}
    notes["changes"] = "guessed: since inclusive, until exclusive, sent in the form of updated"
    return {"changes": {"since": since} | ({"until": until} if until else {})}


def fixed_query(queries: Queries, settings: dict[str, Any]) -> dict[str, Any]:
    """Return `query` of the other required parameters, with the description's default or example."""
    pages, changes = settings["pages"], settings.get("changes", {})
    filled = {pages.get("parameter"), pages.get("size", {}).get("parameter"), *changes.values()}
    needed = {
        name: str(_example(each))
        for name, each in queries.items()
        if each.get("required") and name not in filled
    }
    return {"query": needed} if needed else {}


def fixed_headers(headers: Queries) -> dict[str, Any]:
    """Return `headers` of the required parameters that are headers, but for credentials."""
    needed = {
        name: str(_example(each))
        for name, each in headers.items()
        if each.get("required") and name.lower() not in SECRET_HEADERS
    }
    return {"headers": needed} if needed else {}


def _kind(queries: Queries, answer: Node) -> dict[str, Any]:
    if (cursor := _named(queries, _CURSOR)) and (after := _place(answer, _NEXT, "string")):
        return {"kind": "cursor", "parameter": cursor, "next": after}
    if number := _named(queries, NUMBER):
        first = queries[number].get("schema", {}).get("default", 1)
        return {"kind": "number", "parameter": number} | ({"first": 0} if first == 0 else {})
    if offset := _named(queries, OFFSET):
        return {"kind": "offset", "parameter": offset}
    if after := _place(answer, _NEXT_URL, "string"):
        return {"kind": "next_url", "next": after}
    return {"kind": "none"}


def _example(parameter: Node) -> Any:
    schema = parameter.get("schema", {})
    values = (parameter.get("example"), schema.get("default"), *(schema.get("enum") or ()))
    return next((value for value in values if value is not None), "")


def _named(queries: Queries, hints: tuple[str, ...]) -> str | None:
    """Return the parameter whose name comes first among the hints."""
    plain = {plain_name(name): name for name in reversed(list(queries))}
    return next((plain[hint] for hint in hints if hint in plain), None)


def _place(answer: Node, hints: tuple[str, ...], kind: str) -> str | None:
    """Return the dotted path of the response's field that is named like a hint and is of the kind."""
    found = {
        plain_name(path.rpartition(".")[2]): path
        for path, part in reversed(list(_fields(answer)))
        if kind in kinds_of(part)
    }
    return next((found[hint] for hint in hints if hint in found), None)


def _fields(node: Node, path: str = "", depth: int = 0) -> Iterator[tuple[str, Node]]:
    for name, part in node.get("properties", {}).items():
        yield f"{path}{name}", part
        if depth < 2:
            yield from _fields(part, f"{path}{name}.", depth + 1)


def kinds_of(part: Node) -> set[str]:
    """Return the JSON types that a schema states."""
    stated = part.get("type", [])
    return {stated} if isinstance(stated, str) else set(stated)
