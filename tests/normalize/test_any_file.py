"""No file that an engineer can write ends in anything but a fault with its place."""

from __future__ import annotations

import copy
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncehub.authoring.pages import connector_page
from oncehub.config.catalogue import load_connector
from oncehub.config.connection import Connection
from oncehub.connect.source import Source
from oncehub.errors import ConfigError
from oncehub.normalize.stream_check import check_stream
from oncehub.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = {"type": "string"}
PROPERTIES: list[dict[str, Any]] = [
    {"id": TEXT, "at": TEXT, "n": TEXT, "parent": {"type": "object", "properties": {"p": TEXT}}},
    {"o": {"type": "object", "properties": {"id": TEXT, "at": TEXT}}, "n": TEXT},
    {"id": {"type": "array", "items": TEXT}, "at": TEXT, "n": TEXT, "@odata.etag": TEXT, "": TEXT},
    {"id": TEXT, "at": TEXT, "n": {"type": "array", "items": {"properties": {"a.b": TEXT, "$x": TEXT}}}},
    {"id": {}, "at": TEXT, "n": True},
    {"id": TEXT, "at": TEXT, "n": False},
    {"id": {"type": ["string", "integer"]}, "at": TEXT, "n": {"type": "array"}},
    {"id": {"$ref": "#/$defs/x"}, "at": TEXT, "n": {"anyOf": [TEXT, {"type": "null"}]}},
    {"id": {"type": "frob"}, "at": {"type": []}, "n": {"type": "array", "items": [TEXT]}},
    {"id": {"enum": [1]}, "at": {"const": 1}, "n": {"type": "object", "additionalProperties": TEXT}},
]
PATHS = [
    *("id", "at", "n", "o.id", "o.at", "n.a", "@odata.etag", "id.x.y"),
    *("$", "$.id", "$.o.id", "$..id", "$.*", "$['id','at']", "$['@odata.etag']", "$['']"),
    *("$.n[*]", "$.n[0]['a.b']", "$.n[?@.a==1].id", "$.n[*][*]", "$.n[1:2]", "$[", "$.n[?match(@, '[')]"),
]
PLACES = {
    "key": lambda path: {"key": [path]},
    "keys": lambda path: {"key": [path, "at", path]},
    "updated": lambda path: {"updated": {"field": path}},
    "both": lambda path: {"key": [path], "updated": {"field": path}},
    "flag": lambda path: {"deletes": {"kind": "flag", "field": path, "equals": True}},
    "tombstone": lambda path: {"deletes": {"kind": "tombstone", "field": path}},
    "sequence": lambda path: {"changes": {"kind": "sequence", "field": path, "since": "s"}},
    "total": lambda path: {"pages": {"kind": "none", "total": path}},
    "records": lambda path: {"read": {"format": "json", "path": "/a", "records": path, "errors": path}},
    "include": lambda path: {
        "read": {"format": "json", "path": "/a", "include": {"i": {"among": path, "by": {path: path}}}}
    },
    "query": lambda path: {"read": {"format": "json", "path": "/a", "query": {"q": [path, "{since}"]}}},
    "body": lambda path: {"read": {"format": "json", "path": "/a", "body": {path: "{page}", "b": path}}},
}
RULES = {
    "from": lambda path: {"person": {"full_name": {"from": path}}},
    "join": lambda path: {"person": {"full_name": {"join": [path, "n"]}}},
    "each": lambda path: {"document": {"each": path, "file_id": {"from": "id"}}},
    "pick": lambda path: {
        "person": {"full_name": {"from": path, "pick": {"where": "a", "equals": "1", "take": "b"}}}
    },
    "when": lambda path: {"person": {"when": {"field": path, "equals": "x"}, "full_name": {"from": "n"}}},
    "if_present": lambda path: {"person": {"full_name": {"from": "n", "if_present": path}}},
}
STREAM = {
    "read": {"format": "json", "path": "/a", "records": "items"},
    "pages": {"kind": "none"},
    "key": ["id"],
    "updated": {"field": "at"},
}
DOCUMENT = {"source": "s", "title": "t", "schedule": "0 1 * * *", "auth": {"kind": "none"}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    for folder in ("schemas/canonical", "mappings/codes", "mappings/rules"):
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        (root / folder).symlink_to(ROOT / folder)
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    properties=st.sampled_from(PROPERTIES),
    path=st.sampled_from(PATHS),
    taken=st.sampled_from(PATHS),
    place=st.sampled_from(sorted(PLACES)),
    rule=st.sampled_from(sorted(RULES)),
    required=st.booleans(),
)
def test_every_fault_is_one_of_configuration(
    root: Path,
    properties: dict[str, Any],
    path: str,
    taken: str,
    place: str,
    rule: str,
    *,
    required: bool,
) -> None:
    child = STREAM | {
        "read": {"format": "json", "path": "/b/{p}"},
        "parent": {"stream": "a", "take": {"p": taken}},
    }
    streams = {"a": copy.deepcopy(STREAM) | PLACES[place](path), "b": child}
    contract = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
    contract |= {"properties": properties, "$defs": {"x": TEXT}}
    contract |= {"required": [*properties][:2]} if required else {}
    write(root / "connectors/s/connector.yaml", yaml.safe_dump(DOCUMENT | {"streams": streams}))
    for stream in streams:
        write(root / f"schemas/sources/s/{stream}.json", orjson.dumps(contract).decode())
        write(root / f"mappings/sources/s/{stream}.yaml", yaml.safe_dump(RULES[rule](path)))
    here = Settings(root, root / "home", None)
    with suppress(ConfigError):
        connector = load_connector(here, "s")
        for stream in streams:
            with suppress(ConfigError):
                check_stream(here, connector, stream)
        with suppress(ConfigError):
            connector_page(here, connector)
        Source(connector, Connection("http://127.0.0.1:9")).close()
