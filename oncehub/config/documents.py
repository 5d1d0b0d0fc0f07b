"""Loads YAML configuration, checked by pydantic: errors have file, line, column and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from oncehub.errors import ConfigError

KeyPath = tuple[str | int, ...]
Locations = dict[KeyPath, tuple[int, int]]

_OTHER_KIND = {
    "tuple_type": "write a list: [one, another]",
    "list_type": "write a list: [one, another]",
    "model_type": "write keys and values: {key: value}",
    "dict_type": "write keys and values: {key: value}",
    "string_type": 'write a text; of digits, in quotes: "1"',
}
"""What to write instead of a value of another type, by pydantic's name of the error."""


class Section(BaseModel):
    """A section of a configuration document: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(Section):
    """A whole configuration file, which knows the line and column of each of its keys."""

    _path: Path = PrivateAttr(default=Path("(no file)"))
    _locations: Locations = PrivateAttr(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read, parse and check `path`.

        Raises:
            ConfigError: one line per fault, each `file:line:column: key: what is wrong; what to write`.
        """
        return load_document(path, cls)

    @property
    def path(self) -> Path:
        """The file this document was read from."""
        return self._path

    def where(self, *keys: str | int) -> str:
        """Return `file:line:column` of a key, or of its nearest enclosing key."""
        return _place(self._path, self._locations, keys)


AnyDocument = TypeVar("AnyDocument", bound=Document)


def load_document(path: Path, model: type[AnyDocument]) -> AnyDocument:
    """Read `path` as `model`; see `Document.load`."""
    content, locations = read_yaml(path)
    try:
        document = model.model_validate(content)
    except ValidationError as error:
        faults = [_describe(path, locations, content, model, detail) for detail in error.errors()]
        raise ConfigError("\n".join(dict.fromkeys(faults))) from None
    document._path = path
    document._locations = locations
    return document


def read_yaml(path: Path) -> tuple[Any, Locations]:
    """Return the content of a YAML file and the 1-based line and column of every key and list item.

    Raises:
        ConfigError: when the file is absent, no UTF-8, no YAML, empty, or repeats a key.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    try:
        node, content = _composed(text)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_no_yaml(path, text, error)) from None
    if node is None:
        raise ConfigError(f"{path}:1:1: is empty")
    locations: Locations = {}
    for keys, written in _nodes(node, ()):
        if keys in locations:
            raise ConfigError(f"{path}:{_position(written)}: key {keys[-1]!r} is repeated; keep one")
        locations[keys] = (written.start_mark.line + 1, written.start_mark.column + 1)
    return content, locations


def _no_yaml(path: Path, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    if mark is None:
        return f"{path}: is not valid YAML: {error.problem}"
    line = next(iter(text.splitlines()[mark.line : mark.line + 1]), "")
    tabbed = "; it holds a tab, indent with spaces" if line[: mark.column + 1].endswith("\t") else ""
    return f"{path}:{mark.line + 1}:{mark.column + 1}: is not valid YAML: {error.problem}{tabbed}"


def _composed(text: str) -> tuple[yaml.Node | None, Any]:
    """Parse once, with libyaml where PyYAML has it (ten times faster); give the nodes and their content."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _position(node: yaml.Node) -> str:
    return f"{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _nodes(node: yaml.Node, keys: KeyPath) -> Iterator[tuple[KeyPath, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*keys, key.value), key
            yield from _nodes(value, (*keys, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*keys, index), value
            yield from _nodes(value, (*keys, index))


def _place(path: Path, locations: Locations, keys: KeyPath) -> str:
    for length in range(len(keys), 0, -1):
        if mark := locations.get(tuple(keys[:length])):
            return f"{path}:{mark[0]}:{mark[1]}"
    return f"{path}:1:1"


def _describe(
    path: Path, locations: Locations, content: Any, model: type[BaseModel], detail: ErrorDetails
) -> str:
    keys = _written_keys(content, detail["loc"], key_may_be_absent=detail["type"] == "missing")
    name = ".".join(str(key) for key in keys) or "document"
    return f"{_place(path, locations, keys)}: {name}: {_advice(model, detail)}"


def _written_keys(content: Any, location: KeyPath, *, key_may_be_absent: bool) -> KeyPath:
    """Drop the names of union members from pydantic's location: they are not keys of the document."""
    keys: list[str | int] = []
    here = content
    for index, key in enumerate(location):
        absent = key_may_be_absent and index == len(location) - 1
        if isinstance(here, dict) and (key in here or absent):
            keys.append(key)
            here = here.get(key)
        elif isinstance(here, list) and isinstance(key, int) and key < len(here):
            keys.append(key)
            here = here[key]
    return tuple(keys)


def _advice(model: type[BaseModel], detail: ErrorDetails) -> str:
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    match detail["type"]:
        case "extra_forbidden":
            close = difflib.get_close_matches(key, _field_names(model) - {key}, n=1)
            return "is not known here" + (f"; did you mean {close[0]!r}?" if close else "; remove it")
        case "missing":
            return "is missing; add it"
        case "literal_error" | "union_tag_invalid":
            context = detail.get("ctx", {})
            expected = context.get("expected") or context.get("expected_tags")
            return f"{_shown(detail)} is not one of {expected}"
        case "union_tag_not_found":
            return f"needs the key {detail.get('ctx', {}).get('discriminator')}"
        case kind:
            otherwise = detail["msg"].removeprefix("Value error, ")
            return f"{_shown(detail)}: {_OTHER_KIND.get(kind, otherwise)}"


def _shown(detail: ErrorDetails) -> str:
    given = detail["input"]
    if isinstance(given, dict):
        given = given.get("kind", "this")
    return repr(given) if isinstance(given, str | int | float | bool) else "this value"


def _field_names(model: type[BaseModel]) -> set[str]:
    """All field names of a model and of the models in it: candidates for a misspelt key."""
    names: set[str] = set()
    schema = model.model_json_schema()
    for definition in (schema, *schema.get("$defs", {}).values()):
        names.update(definition.get("properties", {}))
    return names
