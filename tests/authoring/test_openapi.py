"""From an OpenAPI description a connector is drafted that states what the description says."""

from __future__ import annotations

import json
import site
from pathlib import Path
from typing import Any

import pytest
import yaml

from oncehub.authoring.draft import template, write_draft
from oncehub.authoring.openapi import draft_from_openapi
from oncehub.config.catalogue import load_connector
from oncehub.connect.checks import check_connector
from oncehub.errors import ConfigError
from oncehub.normalize.normalizer import load_normalizer
from oncehub.settings import Settings

HOLDER = {
    "type": "object",
    "required": ["maSo", "hoTen", "capNhat"],
    "properties": {
        "maSo": {"type": "string", "pattern": "^SDC[0-9]{7}$"},
        "hoTen": {"type": "string", "description": "họ và tên", "example": "Nguyễn Văn Mẫu"},
        "dienThoai": {"type": "string", "nullable": True},
        "capNhat": {"type": "string", "format": "date-time"},
    },
}
PAGE = {
    "type": "object",
    "properties": {
        "data": {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": {"$ref": "#/components/schemas/Holder"}},
                "total": {"type": "integer"},
                "next": {"type": ["string", "null"]},
            },
        }
    },
}


def query(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": kind, **more}}


def description(**changes: Any) -> dict[str, Any]:
    answer = {"200": {"description": "", "content": {"application/json": {"schema": PAGE}}}}
    parameters = [query("limit", "integer", maximum=500), query("cursor"), query("since"), query("until")]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sổ địa chính", "version": "1"},
        "servers": [{"url": "https://api.example/land/v1"}],
        "security": [{"agency": ["land.read"]}],
        "paths": {
            "/holders": {"get": {"parameters": parameters, "responses": answer}},
            "/holders/{maSo}/documents": {
                "parameters": [{"name": "maSo", "in": "path", "required": True}],
                "get": {"parameters": parameters[:2], "responses": answer},
            },
            "/position": {"get": {"responses": {"200": {"description": ""}}}},
        },
        "components": {
            "schemas": {"Holder": HOLDER},
            "securitySchemes": {
                "agency": {
                    "type": "oauth2",
                    "flows": {
                        "clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": {"land.read": "reading"}}
                    },
                }
            },
        },
    } | changes


def written(path: Path, content: Any) -> Path:
    path.write_text(
        json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(json.loads(json.dumps(content))),
        "utf-8",
    )
    return path


@pytest.mark.parametrize("name", ["api.json", "api.yaml"])
def test_what_a_description_says_stands_in_the_connector(
    name: str, extendable: Settings, tmp_path: Path
) -> None:
    draft = draft_from_openapi(written(tmp_path / name, description()))
    files = write_draft(extendable, "land", draft)
    assert all(path.exists() for path in files)

    connector = load_connector(extendable, "land")
    assert connector.auth.model_dump(exclude_unset=True) == {
        "kind": "oauth2",
        "token_path": "/oauth2/token",
        "scope": "land.read",
    }
    holders = connector.streams["holders"].model_dump(exclude_unset=True)
    assert holders == {
        "read": {"format": "json", "path": "/land/v1/holders", "records": "data.items"},
        "pages": {
            "kind": "cursor",
            "parameter": "cursor",
            "next": "data.next",
            "size": {"parameter": "limit", "value": 500},
            "total": "data.total",
        },
        "key": ("maSo",),
        "updated": {"field": "capNhat", "format": "iso8601", "zone": "Asia/Ho_Chi_Minh"},
        "changes": {"since": "since", "until": "until"},
    }
    documents = connector.streams["documents"]
    assert documents.read.path == "/land/v1/holders/{maso}/documents"
    assert documents.parent is not None
    assert documents.parent.model_dump() == {"stream": "holders", "take": {"maso": "maSo"}, "of": "all"}
    for stream in connector.streams:
        load_normalizer(extendable, connector, stream)


def test_the_contract_is_the_descriptions_without_its_examples(extendable: Settings, tmp_path: Path) -> None:
    write_draft(extendable, "land", draft_from_openapi(written(tmp_path / "api.json", description())))
    contract = json.loads((extendable.schemas / "sources/land/holders.json").read_text("utf-8"))
    assert contract["required"] == ["maSo", "hoTen", "capNhat"]
    assert contract["properties"]["dienThoai"] == {"type": ["string", "null"]}
    assert contract["properties"]["hoTen"] == {"type": "string", "description": "họ và tên"}


def test_what_was_guessed_or_left_out_is_said(extendable: Settings, tmp_path: Path) -> None:
    write_draft(extendable, "land", draft_from_openapi(written(tmp_path / "api.json", description())))
    text = (extendable.connectors / "land/connector.yaml").read_text("utf-8")
    assert "key: [maSo]  # guessed" in text
    assert "not a list of records: GET /position" in text


@pytest.mark.parametrize(
    ("scheme", "auth"),
    [
        ({"type": "apiKey", "in": "query", "name": "khoa"}, {"kind": "api_key", "query": "khoa"}),
        ({"type": "apiKey", "in": "cookie", "name": "khoa"}, {"kind": "api_key", "cookie": "khoa"}),
        ({"type": "http", "scheme": "Bearer"}, {"kind": "bearer"}),
        ({"type": "http", "scheme": "basic"}, {"kind": "basic"}),
        ({"type": "mutualTLS"}, {"kind": "mutual_tls"}),
        ({"type": "openIdConnect", "openIdConnectUrl": "x"}, {"kind": "none"}),
    ],
)
def test_every_kind_of_credentials_is_taken_over(
    scheme: dict[str, Any], auth: dict[str, Any], tmp_path: Path
) -> None:
    content = description()
    content["components"]["securitySchemes"] = {"agency": scheme}
    assert draft_from_openapi(written(tmp_path / "api.json", content)).auth == auth


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"swagger": "2.0"}, "no OpenAPI 3 description"),
        (description(paths={}), "begin with a template"),
        ([1], "no OpenAPI 3 description"),
    ],
)
def test_what_is_no_description_is_said_with_what_to_do(content: Any, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=complaint):
        draft_from_openapi(written(tmp_path / "api.json", content))


def test_a_reference_in_a_circle_or_to_nowhere_is_no_endless_work(tmp_path: Path) -> None:
    content = description()
    schemas = content["components"]["schemas"]
    schemas["Holder"] = HOLDER | {"properties": {"self": {"$ref": "#/components/schemas/Holder"}}}
    draft_from_openapi(written(tmp_path / "api.json", content))
    schemas["Holder"] = {"$ref": "#/components/schemas/Holder"}
    with pytest.raises(ConfigError, match="circle"):
        draft_from_openapi(written(tmp_path / "circle.json", content))
    del schemas["Holder"]
    with pytest.raises(ConfigError, match="leads nowhere"):
        draft_from_openapi(written(tmp_path / "nowhere.json", content))


@pytest.mark.parametrize(
    "schema",
    [
        lambda name, other: {"properties": {f"{name}{each}": other for each in range(9)}},
        lambda name, other: {"allOf": [other, other]},
    ],
)
def test_references_that_fan_out_are_reported_instead_of_followed(schema: Any, tmp_path: Path) -> None:
    content = description()
    for level in range(40):
        other = {"$ref": f"#/components/schemas/L{level + 1}"}
        content["components"]["schemas"][f"L{level}"] = {"type": "object"} | schema(f"a{level}", other)
    content["components"]["schemas"]["L40"] = {"type": "string"}
    content["components"]["schemas"]["Holder"] = {"$ref": "#/components/schemas/L0"}
    with pytest.raises(ConfigError, match=r"more than 200000 fields and values|nest too deep"):
        draft_from_openapi(written(tmp_path / "api.json", content))


def test_the_template_is_sound_and_is_written_once(extendable: Settings) -> None:
    write_draft(extendable, "land", template())
    connector = load_connector(extendable, "land")
    load_normalizer(extendable, connector, "records")
    with pytest.raises(ConfigError, match="is there already"):
        write_draft(extendable, "land", template())


def test_the_template_takes_the_name_of_its_stream(extendable: Settings) -> None:
    write_draft(extendable, "land", template("holders"))
    assert list(load_connector(extendable, "land").streams) == ["holders"]


@pytest.mark.parametrize("name", ["../land", "land/use", "land\n", "-land"])
def test_a_name_that_leads_elsewhere_or_breaks_a_line_writes_nothing(extendable: Settings, name: str) -> None:
    before = set(extendable.root.rglob("*"))
    with pytest.raises(ConfigError, match="no connector can be written"):
        write_draft(extendable, name, template())
    assert set(extendable.root.rglob("*")) == before


def test_a_name_that_is_none_writes_nothing(extendable: Settings) -> None:
    told = "no connector can be written for 'Land-Use': source: write a name of at most 31 small letters"
    with pytest.raises(ConfigError, match=told):
        write_draft(extendable, "Land-Use", template())
    assert not (extendable.connectors / "Land-Use").exists()


def test_names_in_a_description_that_break_lines_add_nothing_to_the_files(
    extendable: Settings, tmp_path: Path
) -> None:
    told = description()
    told["paths"]["/other\nauth: {kind: none}"] = {"get": {"responses": {"200": {"description": "no list"}}}}
    item = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {}, "x\nevil: {y: 1}": {"type": "string"}},
    }
    answer = {"schema": {"type": "array", "items": item}}
    told["paths"]["/plots2"] = {"get": {"responses": {"200": {"content": {"application/json": answer}}}}}
    files = write_draft(extendable, "land", draft_from_openapi(written(tmp_path / "api.json", told)))
    written_lines = [
        line for path in files if path.suffix == ".yaml" for line in path.read_text().splitlines()
    ]
    assert not [line for line in written_lines if line.startswith(("auth: {kind: none}", "evil"))]
    assert [line for line in written_lines if r"x\nevil" in line]


SHIPPED = {
    "airflow/api_fastapi/core_api/openapi/v2-rest-api-generated.yaml": ("dags", 30),
    "airflow/api_fastapi/core_api/openapi/_private_ui.yaml": ("dags", 8),
    "airflow/providers/fab/auth_manager/api_fastapi/openapi/v2-fab-auth-manager-generated.yaml": ("users", 3),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_description_that_others_ship_becomes_a_connector_that_loads(
    name: str, extendable: Settings
) -> None:
    stream, least = SHIPPED[name]
    [path] = [each for folder in site.getsitepackages() if (each := Path(folder) / name).exists()]
    draft = draft_from_openapi(path)
    write_draft(extendable, "shipped", draft)
    connector = load_connector(extendable, "shipped")
    check_connector(connector)
    assert len(connector.streams) >= least
    assert connector.streams[stream].pages.total == "total_entries"
    assert all("GET /" in note for note in draft.notes if note.startswith(("left out", "not a list")))


def test_a_stream_that_cannot_be_read_is_left_out_with_a_remark_and_headers_are_found(tmp_path: Path) -> None:
    told = description()
    listing = told["paths"]["/holders"]["get"]
    told["paths"]["/zones/{zone}/holders"] = {"get": {"responses": listing["responses"]}}
    header = {"name": "X-Agency", "in": "header", "required": True, "schema": {"default": "hub"}}
    secret = {"name": "Authorization", "in": "header", "required": True}
    listing["parameters"] += [header, secret]
    draft = draft_from_openapi(written(tmp_path / "api.json", told))
    assert draft.streams["holders"].settings["read"]["headers"] == {"X-Agency": "hub"}
    [note] = [each for each in draft.notes if each.startswith("left out: GET /zones/{zone}/holders: ")]
    assert "must be another stream of this source" in note
