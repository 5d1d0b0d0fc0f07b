"""What a source does not heed of what it is asked is remarked on its pages, and nothing where it heeds it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oncehub.config.connector import Connector
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window

from ..serving import Answering, Asked, Reply, Served, as_json

START = datetime(2026, 1, 1, tzinfo=UTC)
STREAM = {
    "pages": {
        "kind": "offset",
        "parameter": "from",
        "size": {"parameter": "size", "value": 4},
        "total": "total",
    },
    "changes": {"since": "since"},
}


def serving(*, most: int | None = None, heeds_since: bool = True) -> Answering:
    """Ten records a day apart, in pages of `most` instead of the size asked for."""

    def answer(asked: Asked) -> Reply:
        since = asked.query.get("since") if heeds_since else None
        items = [{"id": day, "at": (START + timedelta(days=day)).isoformat()} for day in range(10)]
        found = [each for each in items if since is None or each["at"] >= since.replace("Z", "+00:00")]
        begin = int(asked.query["from"])
        return as_json(
            {"items": found[begin : begin + (most or int(asked.query["size"]))], "total": len(found)}
        )

    return answer


@pytest.mark.parametrize(
    ("heeding", "remark"),
    [
        ({}, None),
        ({"most": 6}, "gives more: it does not heed pages.size"),
        ({"most": 3}, "gives fewer; lower pages.size"),
        ({"heeds_since": False}, "it may not heed since"),
    ],
)
def test_what_is_not_heeded_is_remarked(
    heeding: dict[str, Any],
    remark: str | None,
    serve: Callable[[Answering], Served],
    connector_of: Callable[..., Connector],
    open_served: Callable[..., Source],
) -> None:
    source = open_served(connector_of(STREAM), serve(serving(**heeding)).host)
    pages = list(source.pages("items", Window(START + timedelta(days=3), None)))
    remarks = {each for page in pages for each in page.remarks}
    assert len(remarks) == (remark is not None)
    assert all(remark in each for each in remarks if remark)
