"""Writes a first connector, from a description or a template, as YAML to edit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from oncehub.authoring.proposal import Namesakes, flow, mapping_text, remark
from oncehub.config.connector import Connector
from oncehub.errors import ConfigError
from oncehub.files import write_whole
from oncehub.normalize.contract.contract import Contract, Node
from oncehub.settings import Settings

_INDENT = "    "
TEMPLATE_SAMPLES = [{"id": "A-1", "fullName": "Nguyễn Văn Mẫu", "updatedAt": "2026-01-31T08:00:00+07:00"}]
DELETIONS_ASKED = "Add how deletions arrive: deletes: {kind: flag | tombstone | stream | absence, ...}"


@dataclass
class StreamDraft:
    """One stream, as `connector.yaml` would write its parts.

    Attributes:
        settings: key of the stream in YAML -> its content.
        notes: a remark on each guessed setting, for the engineer to check.
        contract: JSON Schema of its records.
        samples: invented records that meet it.
    """

    settings: dict[str, Any]
    contract: Node
    notes: dict[str, str] = field(default_factory=dict)
    samples: list[Any] = field(default_factory=list)


@dataclass
class Draft:
    """A source.

    Attributes:
        auth: as `connector.yaml` writes it.
        streams: by name.
        notes: remarks on `auth`, and what was left out.
    """

    title: str
    auth: dict[str, Any]
    streams: dict[str, StreamDraft]
    notes: list[str] = field(default_factory=list)


def write_draft(settings: Settings, name: str, draft: Draft) -> list[Path]:
    """Write connector, contracts, mappings and samples of a new source, and return the files.

    Raises:
        ConfigError: when a file exists already, or the name is not valid for a source.
    """
    files = dict(_files(settings, name, draft))
    if there := sorted(path for path in files if path.exists()):
        raise ConfigError(f"{there[0]} is there already; choose another name, or remove it first")
    _check_name(name, draft)
    try:
        for path, content in files.items():
            write_whole(path, content)
    except OSError:
        # A part of the files would be in the way of the next call.
        for path in files:
            path.unlink(missing_ok=True)
        raise
    return list(files)


def _check_name(name: str, draft: Draft) -> None:
    streams = {stream: each.settings for stream, each in draft.streams.items()}
    content = {"source": name, "title": draft.title, "schedule": "0 3 * * *", "auth": draft.auth}
    try:
        Connector.model_validate(content | {"streams": streams})
    except ValidationError as error:
        raise ConfigError(f"no connector can be written for {name!r}: {first_fault(error)}") from None


def first_fault(error: ValidationError) -> str:
    """Return the place of a connector's first fault, and what to write instead."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg'].removeprefix('Value error, ')}"


def _files(settings: Settings, name: str, draft: Draft) -> Iterator[tuple[Path, bytes]]:
    namesakes = Namesakes(settings)
    yield settings.connectors / name / "connector.yaml", connector_text(name, draft).encode()
    for stream, each in draft.streams.items():
        yield settings.schemas / "sources" / name / f"{stream}.json", as_file(each.contract)
        own = {*each.settings["key"], each.settings["updated"]["field"]}
        text = mapping_text(f"{name}.{stream}", Contract(each.contract), namesakes, each.samples, own=own)
        yield settings.mappings / "sources" / name / f"{stream}.yaml", text.encode()
        if each.samples:
            yield settings.connectors / name / "samples" / f"{stream}.json", as_file(each.samples)


def as_file(content: Any) -> bytes:
    """Return JSON in the repository's format."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def connector_text(name: str, draft: Draft) -> str:
    """Write `connector.yaml`, each guess with a remark beside it."""
    lines = [remark(note) for note in draft.notes]
    lines += [f"source: {name}", f"title: {flow(draft.title)}", 'schedule: "0 3 * * *"  # Vietnam time']
    lines += [f"auth: {flow(draft.auth)}", "limits: {requests: 10/s, timeout: 30s}", "streams:"]
    for stream, each in draft.streams.items():
        lines.append(f"  {stream}:")
        for key, value in each.settings.items():
            if isinstance(value, dict) and isinstance(value.get("body"), str):
                lines += _with_body(key, value, each.notes.get(key, ""))
                continue
            aside = f"  {remark(each.notes[key])}" if key in each.notes else ""
            lines.append(f"{_INDENT}{key}: {flow(value)}{aside}")
    return "\n".join(lines) + "\n"


def _with_body(key: str, value: dict[str, Any], note: str) -> Iterator[str]:
    """Write a setting with a body as a block, so that the body can be edited."""
    yield f"{_INDENT}{key}:" + (f"  {remark(note)}" if note else "")
    for name, inner in value.items():
        if name == "body":
            yield f"{_INDENT}  body: |"
            yield from (f"{_INDENT}    {line}" for line in inner.splitlines())
        else:
            yield f"{_INDENT}  {name}: {flow(inner)}"


def template(stream: str = "records") -> Draft:
    """Return the draft of a source without a description: one stream, to be edited."""
    text = {"type": "string"}
    contract: Node = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": stream,
        "type": "object",
        "required": ["id", "fullName", "updatedAt"],
        "properties": {"id": text, "fullName": {"type": "string", "minLength": 1}, "updatedAt": text},
    }
    settings = {
        "read": {"format": "json", "path": f"/{stream}", "records": "items"},
        "pages": {"kind": "cursor", "parameter": "cursor", "next": "next"},
        "key": ["id"],
        "updated": {"field": "updatedAt", "format": "iso8601", "zone": "Asia/Ho_Chi_Minh"},
        "changes": {"since": "since", "until": "until", "overlap": "1h"},
    }
    notes = {
        "read": "format: json, jsonl, csv or xml; records: path to the list in a page",
        "pages": "kind: none, number, offset, cursor, next_url or link",
        "key": "the fields that together name a record",
        "updated": "when the source stated the record; format: iso8601, unix, unix_ms or a strptime form",
        "changes": "how to ask for what changed; remove it when every read is everything",
    }
    draft = StreamDraft(settings, contract, notes, TEMPLATE_SAMPLES)
    remarks = [
        "A template: replace what the source documents otherwise; see docs/guides/connectors.md.",
        "Credentials never stand here: ONCEHUB_CONN_<SOURCE>, or the Airflow connection oncehub_<source>.",
        DELETIONS_ASKED,
    ]
    return Draft("Title of the source", {"kind": "none"}, {stream: draft}, remarks)
