"""What the hostile source says of itself is what it does."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

import stubs.hostile

from ..hostile_reading import PlainReader

API = Path(stubs.hostile.__file__).with_name("API.md").read_text()


def validator(document, name):
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("time", ["iso8601", "vietnam", "unix", "unix_ms"])
@pytest.mark.parametrize("deletes", ["flag", "tombstone"])
def test_records_are_as_the_openapi_document_says(hostile, time, deletes):
    source = hostile(auth="none", time=time, deletes=deletes)
    source.delete(2)
    reader = PlainReader(source)
    document = reader.get("/openapi.json").json()
    since = {"iso8601": "2000-01-01T00:00:00Z", "vietnam": "01/01/2000 00:00:00"}.get(time, 0)
    for record in reader.read(since=since):
        validator(document, "Holder").validate(record)
    for document_record in reader.read("/holders/SDC0000004/documents"):
        validator(document, "Document").validate(document_record)


VARIANTS = [
    {},
    {"pages": "number", "more": True, "count": True},
    {"pages": "offset", "changes": "sequence"},
    {"pages": "none", "body_is_list": True, "total": "header"},
    {"pages": "next_url", "separate_changes": True},
    {"pages": "link", "deletes": "separate"},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_pages_and_parameters_are_as_the_openapi_document_says(hostile, variant):
    reader = PlainReader(hostile(auth="none", **variant))
    document = reader.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        described = operations["get"]
        answer = reader.get(path.format(maSo="SDC0000004"))
        content = described["responses"]["200"]["content"][answer.headers["Content-Type"]]
        schema = content["schema"] | {"components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json())
        assert described["responses"]["200"].get("headers", {}).keys() - {"Link"} <= answer.headers.keys()
        for parameter in described.get("parameters", []):
            if parameter["in"] == "query":
                refusal = reader.get(path.format(maSo="SDC0000004"), **{parameter["name"]: ["", ""]})
                assert refusal.json()["message"] == "given more than once"


@pytest.mark.parametrize("form", ["csv", "xml", "jsonl"])
def test_other_formats_are_described_too(hostile, form):
    reader = PlainReader(hostile(auth="none", format=form, pages="link", total="header"))
    described = reader.get("/openapi.json").json()["paths"]["/holders"]["get"]["responses"]["200"]
    assert list(described["content"]) == [reader.get("/holders").headers["Content-Type"]]


@pytest.mark.parametrize(
    ("auth", "scheme"),
    [
        ("api_key_cookie", {"type": "apiKey", "in": "cookie", "name": "api_key"}),
        ("bearer", {"type": "http", "scheme": "bearer"}),
        ("mutual_tls", {"type": "mutualTLS"}),
    ],
)
def test_the_credentials_are_described(hostile, auth, scheme):
    document = PlainReader(hostile(auth=auth)).get("/openapi.json").json()
    assert document["components"]["securitySchemes"] == {"credentials": scheme}
    assert document["security"] == [{"credentials": []}]


def test_the_token_endpoint_is_described(hostile):
    source = hostile()
    document = PlainReader(source).get("/openapi.json").json()
    flow = document["components"]["securitySchemes"]["credentials"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == source.connection["extra"]["token_url"]
    assert document["security"] == [{"credentials": [source.connection["extra"]["scope"]]}]


def test_files_are_described(hostile):
    reader = PlainReader(hostile(auth="none", transport="files", format="csv"))
    paths = reader.get("/openapi.json").json()["paths"]
    assert list(paths) == ["/files/manifest", "/files/{name}"]


def test_the_written_description_shows_the_answers_as_they_are(hostile):
    reader = PlainReader(hostile(people=200))
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", API, re.DOTALL)]
    token, page = shown
    answer = reader.token().json()
    assert answer | {"access_token": "…"} == token
    first = reader.get("/holders", limit=1).json()["data"]
    assert first["items"] == page["data"]["items"]
    assert first.keys() == page["data"].keys()
    assert first["total"] == page["data"]["total"]
    (position,) = re.findall(r"`(\{\"thuTu\".*?\})`", API)
    assert reader.get("/position").json() == json.loads(position)


def test_the_written_description_names_every_field(hostile):
    source = hostile()
    fields = set(re.findall(r"^\| `(\w+)` \|", API, re.MULTILINE))
    document = next(found for record in source.records() for found in source.documents(record["maSo"]))
    assert set(source.records()[0]) | set(document) <= fields
