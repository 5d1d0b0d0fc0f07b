"""A stored resume token is read back as it was, or refused with what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from oncehub.config.connector import Connector
from oncehub.connect.resume_token import (
    ChildrenPosition,
    FilePosition,
    LoopCheck,
    OffsetPosition,
    PagePosition,
    ResumeToken,
    StreamPosition,
)
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ResumeTokenInvalid

from .serving import Answering, Served, as_json, in_turn

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
PAGE = PagePosition(
    "5e1ec7", 3, 20, 41, "12", {"p": "3"}, LoopCheck("d1", 1, 2), OffsetPosition(2, 10, 1, "d2", 3, 1, 1)
)
TOKENS = [
    ResumeToken(),
    ResumeToken(PAGE, StreamPosition("changes", NOON, None, 4, 31, 20, NOON)),
    ResumeToken(PagePosition("5e1ec7"), StreamPosition("snapshot", None, 70, watermark=69)),
    ResumeToken(FilePosition("f11e5", 1, 500, 4), StreamPosition("records")),
    ResumeToken(PAGE, StreamPosition("rest", 12), ChildrenPosition(5, 7, "d3", PAGE)),
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_read_back_as_it_was_stored(token: ResumeToken) -> None:
    stored = orjson.loads(orjson.dumps(token.stored()))
    assert stored["version"] == 1
    assert ResumeToken.load(stored, "tax", "items") == token


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"version": 2}, r"is of version 2, not 1"),
        ({"version": None}, r"is of version None, not 1"),
        ({"of": "phases"}, "is damaged"),
        ({"page": {"form": "x"}}, "is damaged"),
        ({"stream": {"phase": "dreaming"}}, "is damaged"),
    ],
)
def test_another_token_is_refused_with_what_to_do(
    change: dict[str, Any],
    complaint: str,
    serve: Callable[[Answering], Served],
    connector_of: Callable[..., Connector],
    open_served: Callable[..., Source],
) -> None:
    served = serve(in_turn(as_json({"items": []})))
    source = open_served(connector_of(), served.host)
    expected = (
        f"^tax.items: the stored resume token {complaint}.* run `oncehub sync tax --stream items` again"
    )
    with pytest.raises(ResumeTokenInvalid, match=expected) as refused:
        source.pages("items", Window(None, None), TOKENS[1].stored() | change)
    assert "d1" not in str(refused.value)
    assert served.asked == []
