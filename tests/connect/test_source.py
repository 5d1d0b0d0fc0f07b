"""A source is opened by what its connector says, be it over HTTP, from a folder, or both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.http.local_rate_limiter import LocalRateLimiter
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError

from .answering import Carrier
from .changing import BY_SEQUENCE, Changing, connector, place
from .serving import as_json

ALL = Window(None, None)
Make = Callable[..., Connector]
DROPPED = {"read": {"format": "jsonl", "folder": {"files": "*.jsonl"}}, "pages": {"kind": "none"}}


def drop(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, "utf-8")
    (folder / f"{name}.sha256").write_text(hashlib.sha256(text.encode()).hexdigest(), "utf-8")


def test_a_folder_is_read_without_any_request(tmp_path: Path, connector_of: Make) -> None:
    drop(tmp_path, "one.jsonl", '{"id": 1}\n')
    drop(tmp_path, "two.jsonl", '{"id": 2}\n')
    with Source(connector_of(DROPPED), Connection(tmp_path.as_uri())) as source:
        pages = list(source.pages("items", ALL))
    assert [page.records for page in pages] == [[{"id": 1}], [{"id": 2}]]


def test_a_dump_in_a_folder_is_followed_by_changes_over_http(tmp_path: Path) -> None:
    drop(tmp_path, "dump.jsonl", '{"id": 1, "no": 5}\n')
    changing = Changing()
    for key in range(8):
        changing.state(key)
    watermark = {"watermark": {"path": "/position", "value": "no"}}
    stream = place("/changes") | {"changes": BY_SEQUENCE, "snapshot": DROPPED | watermark}
    connection = Connection("http://127.0.0.1:1", extra={"folder": str(tmp_path)})
    with Source(
        connector({"items": stream}), connection, transport=lambda _inner: Carrier(changing)
    ) as source:
        pages = list(source.pages("items", ALL))
    assert [page.of_snapshot for page in pages] == [True, False, False]
    assert [record["no"] for page in pages[1:] for record in page.records] == [4, 5, 6, 7, 8]
    assert [asked.path for asked in changing.asked] == ["/position", "/changes", "/changes"]


def test_the_given_rate_limit_is_kept(connector_of: Make) -> None:
    waited: list[float] = []

    class Noting(LocalRateLimiter):
        def turn(self, pause: Any) -> Any:
            waited.append(1)
            return super().turn(pause)

    with Source(
        connector_of(),
        Connection("http://127.0.0.1:1"),
        rate_limiter=Noting(Limits()),
        transport=lambda _inner: Carrier(lambda _asked: as_json({"items": []})),
    ) as source:
        list(source.pages("items", ALL))
    assert waited == [1]


@pytest.mark.parametrize(
    ("stream", "line"),
    [
        ({"updated": {"field": "at", "zone": "Asia/Hanoi"}}, "no such time zone"),
        (
            {"deletes": place("/deleted") | {"kind": "stream", "updated": {"field": "at", "zone": "X"}}},
            "no such time zone",
        ),
        ({"read": {"format": "csv", "path": "/items", "encoding": "vni"}}, "no such encoding"),
        (
            {
                "changes": {"since": "since"},
                "snapshot": place("/items") | {"read": {"format": "csv", "path": "/x", "encoding": "vni"}},
            },
            "no such encoding",
        ),
    ],
)
def test_what_cannot_be_read_as_it_is_stated_is_reported_before_any_request(
    stream: dict[str, Any], line: str, connector_of: Make
) -> None:
    with pytest.raises(ConfigError, match=rf"connector\.yaml:\d+:\d+: {line}"):
        Source(connector_of(stream), Connection("http://127.0.0.1:1"))
