"""Drafts a connector from an OpenAPI 3 description; missing settings are guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from oncehub.authoring.draft import DELETIONS_ASKED, Draft, StreamDraft, first_fault
from oncehub.authoring.parameters import asked_changes, asked_pages, fixed_headers, fixed_query, kinds_of
from oncehub.authoring.proposal import plain_name
from oncehub.config.connector import Connector
from oncehub.config.documents import parse_yaml
from oncehub.config.syntax.paths import path_through
from oncehub.connect.checks import check_connector
from oncehub.errors import ConfigError
from oncehub.files import check_levels, read_bounded
from oncehub.normalize.contract.contract import Node

_KEPT: Final = {
    "type",
    "required",
    "properties",
    "items",
    "enum",
    "const",
    "pattern",
    "format",
    "description",
    "minLength",
    "maxLength",
}
_DEEPEST: Final = 12
_MOST: Final = 200_000
"""The most fields, listed values and schemas that are copied of one description."""
_MOST_BYTES: Final = 10_000_000
_KEY_NAMES: Final = ("id", "ma", "code", "number", "so")
_TIME_NAMES: Final = ("updated", "modified", "changed", "capnhat", "lastchange", "thaydoi")


class Description:
    """An OpenAPI document whose references are followed."""

    def __init__(self, content: Node, where: Path) -> None:
        self._content = content
        self._where = where
        self._taken = 0

    @property
    def title(self) -> str:
        """The title of the description."""
        return str(self.mapping(self._content, "info").get("title", "Title of the source"))

    def mapping(self, node: Node, key: str) -> Node:
        """Return the mapping at a key; an empty one where it is absent or null.

        Raises:
            ConfigError: when something else stands there.
        """
        found: Node = self._of_type(node, key, {})
        return found

    def sequence(self, node: Node, key: str) -> list[Any]:
        """Return the list at a key; an empty one where it is absent or null.

        Raises:
            ConfigError: when something else stands there.
        """
        found: list[Any] = self._of_type(node, key, [])
        return found

    def _of_type(self, node: Node, key: str, none: Any) -> Any:
        found = node.get(key)
        if found is None:
            return none
        if not isinstance(found, type(none)):
            kind = "mapping" if isinstance(none, dict) else "list"
            raise ConfigError(f"{self._where}: {key}: is no {kind}, as OpenAPI 3 requires")
        return found

    def follow(self, node: Any) -> Node:
        """Follow `$ref` within the document.

        Raises:
            ConfigError: when a reference leads out of the document, or its target is missing.
        """
        for _ in range(_DEEPEST):
            reference = node.get("$ref") if isinstance(node, dict) else None
            if reference is None:
                return node if isinstance(node, dict) else {}
            node = self._at(str(reference))
        raise ConfigError(f"{self._where}: its references run in a circle")

    def listings(self) -> Iterator[tuple[str, Node]]:
        """Yield path and operation of every GET."""
        for path, item in self.mapping(self._content, "paths").items():
            followed = self.follow(item)
            operation = self.mapping(followed, "get")
            if operation:
                parameters = [
                    *self.sequence(followed, "parameters"),
                    *self.sequence(operation, "parameters"),
                ]
                self._count(len(parameters))
                yield path, {**operation, "parameters": parameters}

    def base_path(self) -> str:
        """Return the path of the first server's address, which prefixes every path."""
        servers = self.sequence(self._content, "servers") or [{}]
        first = servers[0] if isinstance(servers[0], dict) else {}
        return re.sub(r"^\w+://[^/]*", "", str(first.get("url", ""))).rstrip("/")

    def credentials(self) -> tuple[Node, str | None]:
        """Return `auth` as a connector writes it, and a remark where a setting is unknown."""
        schemes = self.mapping(self.mapping(self._content, "components"), "securitySchemes")
        needs = self.sequence(self._content, "security")
        names = [name for need in needs if isinstance(need, dict) for name in need]
        chosen = next(iter(names), next(iter(schemes), None))
        if chosen not in schemes:
            return {"kind": "none"}, "the description names no credentials"
        return _auth(self.follow(schemes[chosen]))

    def plain(self, node: Any, depth: int = 0) -> Node:
        """Return a schema as a contract keeps it: without references and OpenAPI keywords."""
        if depth > _DEEPEST:
            return {}
        node = self._merged(self.follow(node))
        kept = {key: value for key, value in node.items() if key in _KEPT and value is not None}
        self._count(len(self.sequence(kept, "enum")) + len(str(kept.get("description", ""))) // 100)
        for key, values in kept.items():
            texts = values if isinstance(values, list) else [values]
            if key in ("type", "required") and not all(isinstance(text, str) for text in texts):
                raise ConfigError(f"{self._where}: {key}: holds no names, as OpenAPI 3 requires")
        if "properties" in kept:
            kept["properties"] = {
                str(name): self.plain(part, depth + 1)
                for name, part in self.mapping(kept, "properties").items()
            }
        if "items" in kept:
            kept["items"] = self.plain(kept["items"], depth + 1)
        if node.get("nullable") and isinstance(kept.get("type"), str):
            kept["type"] = [kept["type"], "null"]
        return kept

    def _count(self, parts: int = 0) -> None:
        self._taken += 1 + parts
        if self._taken > _MOST:
            raise ConfigError(
                f"{self._where}: with its references followed it has more than {_MOST} fields and values;"
                " describe the records alone"
            )

    def _merged(self, node: Node, depth: int = 0) -> Node:
        """Merge the parts of an `allOf`; of alternatives, take the first that is not null."""
        if depth > _DEEPEST:
            raise ConfigError(f"{self._where}: its allOf, anyOf or oneOf run in a circle, or nest too deep")
        properties, required = dict(self.mapping(node, "properties")), list(self.sequence(node, "required"))
        self._count(len(properties) + len(required))
        for part in map(self.follow, self.sequence(node, "allOf")):
            inner = self._merged(part, depth + 1)
            node = {**node, **inner}
            properties |= self.mapping(inner, "properties")
            required += self.sequence(inner, "required")
        if "allOf" in node:
            node = {**node, "properties": properties, "required": required}
        alternatives = [*self.sequence(node, "anyOf"), *self.sequence(node, "oneOf")]
        self._count(len(alternatives))
        options = [self.follow(part) for part in alternatives]
        stated = [part for part in options if part.get("type") != "null"]
        if not stated:
            return node
        chosen = self._merged(stated[0], depth + 1)
        kind = chosen.get("type")
        nullable = len(stated) < len(options) and isinstance(kind, str)
        return {**node, **chosen, **({"type": [kind, "null"]} if nullable else {})}

    def _at(self, reference: str) -> Node:
        node: Any = self._content
        if not reference.startswith("#/"):
            raise ConfigError(
                f"{self._where}: {reference} leads out of the document; bundle it into one file"
            )
        for name in reference[2:].split("/"):
            node = node.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise ConfigError(f"{self._where}: {reference} leads nowhere")
        return node


def draft_from_openapi(path: Path) -> Draft:
    """Read an OpenAPI 3.0 or 3.1 description (JSON or YAML): every list that a GET returns is a stream.

    Raises:
        ConfigError: when the file is no OpenAPI 3 description, or describes no list of records.
    """
    description = Description(_content(path), path)
    auth, remark = description.credentials()
    streams: dict[str, StreamDraft] = {}
    left: list[str] = []
    for url, operation in description.listings():
        name = _name(url, streams)
        draft = _stream(description, url, operation, streams)
        if draft is None:
            left.append(f"not a list of records: GET {url}")
        elif fault := _fault({**streams, name: draft}, name):
            left.append(f"left out: GET {url}: {fault}")
        else:
            streams[name] = draft
    if not streams:
        raise ConfigError(f"{path}: no GET returns a list of objects; begin with a template instead")
    notes = [f"From {path.name}. A remark marks what was guessed; `oncehub connector check` tries it."]
    notes += [f"auth: {remark}"] if remark else []
    notes += left
    notes.append(DELETIONS_ASKED)
    return Draft(description.title, auth, streams, notes)


def _fault(streams: dict[str, StreamDraft], name: str) -> str | None:
    """Return why the last of some streams cannot stand in a connector, if it cannot."""
    settings = {stream: each.settings for stream, each in streams.items()}
    needed = {name, settings[name].get("parent", {}).get("stream")}
    content = {"source": "described", "title": "-", "schedule": "0 3 * * *", "auth": {"kind": "none"}}
    chosen = {stream: each for stream, each in settings.items() if stream in needed}
    try:
        check_connector(Connector.model_validate(content | {"streams": chosen}))
    except ValidationError as error:
        return first_fault(error)
    except ConfigError as error:
        return str(error).splitlines()[0].partition(": ")[2]
    return None


def _content(path: Path) -> Node:
    try:
        text = read_bounded(path, _MOST_BYTES)
        content = orjson.loads(text) if text.lstrip()[:1] == b"{" else parse_yaml(path, text)[0]
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}:{error.colno}: is not valid JSON: {error.msg}") from None
    check_levels(path, content)
    if not isinstance(content, dict) or not str(content.get("openapi", "")).startswith("3."):
        raise ConfigError(f"{path}: is no OpenAPI 3 description; convert a Swagger 2 one first")
    return content


def _stream(
    description: Description, url: str, operation: Node, streams: dict[str, StreamDraft]
) -> StreamDraft | None:
    answer, form = _answer(description, operation)
    found = _records(description, answer)
    if found is None:
        return None
    records, item = found
    contract = {"$schema": "https://json-schema.org/draft/2020-12/schema", **description.plain(item)}
    parameters = [description.follow(each) for each in description.sequence(operation, "parameters")]
    queries, headers = (
        {
            str(each["name"]): {**each, "schema": description.follow(each.get("schema", {}))}
            for each in parameters
            if each.get("in") == place and "name" in each
        }
        for place in ("query", "header")
    )
    read: dict[str, Any] = {"format": form, "path": description.base_path() + url}
    read |= {"records": records} if records else {}
    notes: dict[str, str] = {}
    pages = asked_pages(queries, description.plain(answer), notes)
    settings: dict[str, Any] = {"read": read, "pages": pages}
    settings |= identity(contract, re.findall(r"\{([^}]+)\}", url), notes)
    settings |= asked_changes(queries, notes)
    read |= fixed_query(queries, settings) | fixed_headers(headers)
    settings |= _parent(description.base_path() + url, read, contract, streams, notes)
    return StreamDraft(settings, contract, notes)


def _answer(description: Description, operation: Node) -> tuple[Node, str]:
    """Return the schema of the 200 response and its format; an empty schema where there is none."""
    answers = {str(status): answer for status, answer in description.mapping(operation, "responses").items()}
    good = description.follow(answers.get("200", {}))
    for kind in map(str, content := description.mapping(good, "content")):
        if "json" in kind:
            media = description.mapping(content, kind)
            lines = "ndjson" in kind or "jsonl" in kind or "json-seq" in kind
            return description.follow(media.get("schema", {})), "jsonl" if lines else "json"
    return {}, "json"


def _records(description: Description, answer: Node, depth: int = 0) -> tuple[str, Node] | None:
    """Return the path to the list of objects in a response (empty for the response), and their schema."""
    plain = description.plain(answer)
    if plain.get("type") == "array" and "properties" in plain.get("items", {}):
        return "", description.follow(description.follow(answer).get("items", {}))
    if depth == 2:
        return None
    for name, part in plain.get("properties", {}).items():
        inner = _records(description, part, depth + 1)
        if inner is not None:
            return f"{name}.{inner[0]}".rstrip("."), inner[1]
    return None


def identity(contract: Node, of_parent: list[str], notes: dict[str, str]) -> dict[str, Any]:
    """Return `key` and `updated`, guessed by names and types; a parent's key is not a child's."""
    everything: dict[str, Node] = contract.get("properties", {})
    lists = {"object", "array"}
    fields = {name: part for name, part in everything.items() if not kinds_of(part) & lists} or everything
    own = [name for name in contract.get("required", fields) if name not in of_parent and name in fields]
    keys = sorted(own or fields, key=lambda name: _rank(name, _KEY_NAMES))
    times = [name for name, part in fields.items() if part.get("format") == "date-time"]
    texts = [name for name, part in fields.items() if "string" in kinds_of(part)]
    dated = sorted(times or texts or fields, key=lambda name: _rank(name, _TIME_NAMES))
    notes["key"] = "guessed: the fields that together name a record"
    notes["updated"] = "guessed: when the source stated the record"
    return {
        "key": [path_through(name) for name in keys[:1]] or ["id"],
        "updated": {
            "field": path_through((dated or ["updatedAt"])[0]),
            "format": "iso8601",
            "zone": "Asia/Ho_Chi_Minh",
        },
    }


def _rank(name: str, hints: tuple[str, ...]) -> int:
    """Return the index of the first hint that the name equals or contains; a greater one without a hint."""
    plain = plain_name(name)
    exact = [place for place, hint in enumerate(hints) if plain == hint]
    within = [len(hints) + place for place, hint in enumerate(hints) if hint in plain]
    return min([*exact, *within], default=2 * len(hints))


def _parent(
    url: str, read: dict[str, Any], contract: Node, streams: dict[str, StreamDraft], notes: dict[str, str]
) -> dict[str, Any]:
    """Return `parent` of a listing below another's record, e.g. `/dossiers/{id}/documents`."""
    names = re.findall(r"\{([^}]+)\}", url)
    if not names:
        return {}
    head = url[: url.index("{")].rstrip("/")
    parent = next((name for name, each in streams.items() if each.settings["read"]["path"] == head), "")
    taken = {re.sub(r"\W", "_", name).lower(): name for name in names}
    for plain, name in taken.items():
        read["path"] = str(read["path"]).replace(f"{{{name}}}", f"{{{plain}}}")
    fields = streams[parent].contract.get("properties", {}) if parent else {}
    key = streams[parent].settings["key"][0] if parent else "id"
    contract.setdefault("properties", {})["parent"] = {
        "type": "object",
        "required": list(taken),
        "properties": {plain: {"type": ["string", "integer"]} for plain in taken},
    }
    take = {plain: path_through(name) if name in fields else key for plain, name in taken.items()}
    notes["parent"] = "guessed: the stream and field whose value stands in the path"
    return {"parent": {"stream": parent or "parents", "take": take}}


def _name(url: str, taken: dict[str, StreamDraft]) -> str:
    """Return a stream's name from the last fixed part of its path."""
    pieces = [piece for piece in url.split("/") if piece and not piece.startswith("{")]
    name = re.sub(r"[^a-z0-9]+", "_", pieces[-1].lower() if pieces else "records").strip("_")[:28]
    name = name if name[:1].isalpha() else f"s_{name}"
    return name if name not in taken else f"{name}_{len(taken) + 1}"


def _auth(scheme: Node) -> tuple[Node, str | None]:
    match scheme:
        case {"type": "apiKey", "in": str(place), "name": str(name)}:
            return {"kind": "api_key", place: name}, None
        case {"type": "http", "scheme": str(kind)} if kind.lower() in ("basic", "bearer"):
            return {"kind": kind.lower()}, None
        case {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": str(url), "scopes": dict(scopes)}},
        }:
            path = re.sub(r"^\w+://[^/]*", "", url)
            scope = {"scope": " ".join(scopes)} if scopes else {}
            auth = {"kind": "oauth2", "token_path": path, **scope}
            return auth, "tokens are asked for on the connection's host; write https://… for another"
        case {"type": "mutualTLS"}:
            return {"kind": "mutual_tls"}, None
        case _:
            return {"kind": "none"}, f"credentials of type {scheme.get('type')!r} are not known here"
