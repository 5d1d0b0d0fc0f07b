"""Loads YAML configuration, checked by pydantic: errors have file, line, column and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from oncehub.errors import ConfigError
from oncehub.files import MOST_LEVELS, read_bounded

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
        ConfigError: when the file is absent, too large, no UTF-8, no YAML, empty, repeats a key, or holds
            what `_refuse` names.
    """
    return parse_yaml(path, read_bounded(path))


def parse_yaml(path: Path, content: bytes) -> tuple[Any, Locations]:
    """Return what `read_yaml` returns, of a file that was read already; `path` names it in errors."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    try:
        for event, fault in _refused(text):
            raise ConfigError(f"{path}:{_position(event)}: {fault}")
        node, read = _composed(text)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_no_yaml(path, text, error)) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {getattr(error, 'reason', error)}") from None
    if node is None:
        raise ConfigError(f"{path}:1:1: is empty")
    locations: Locations = {}
    for keys, written in _nodes(node, ()):
        if keys in locations:
            raise ConfigError(f"{path}:{_position(written)}: key {keys[-1]!r} is repeated; keep one")
        locations[keys] = (written.start_mark.line + 1, written.start_mark.column + 1)
    return read, locations


def _refused(text: str) -> Iterator[tuple[yaml.Event, str]]:
    """Yield what a document may not hold, before anything of it is built.

    An alias stands for what another line says, so that a few of them grow without bound and no fault has one
    place; a tag chooses how a value is read, which the document's model does.
    """
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        match event:
            case yaml.AliasEvent():
                yield event, f"*{event.anchor} is an alias; write the value out"
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    yield event, "a second document begins; keep one in a file"
            case yaml.ScalarEvent() | yaml.CollectionStartEvent():
                yield from ((event, fault) for fault in _refused_node(event))
                depth += isinstance(event, yaml.CollectionStartEvent)
                if depth > MOST_LEVELS:
                    yield event, f"nests deeper than {MOST_LEVELS} levels"
            case yaml.CollectionEndEvent():
                depth -= 1


def _refused_node(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> Iterator[str]:
    if event.anchor is not None:
        yield f"&{event.anchor} is an anchor; remove it, and write the value where it is needed"
    if event.tag is not None:
        yield f"{event.tag} is a tag; remove it"
    if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
        yield "<< merges another mapping; write its keys out"


def _no_yaml(path: Path, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    if mark is None:
        return f"{path}: is not valid YAML: {error.problem}"
    line = next(iter(text.splitlines()[mark.line : mark.line + 1]), "")
    tabbed = "; it holds a tab, indent with spaces" if line[: mark.column + 1].endswith("\t") else ""
    quoted = "; write a JSONPath in quotes" if re.search(r"[\s\[{,:]\$[.\[]", line) else ""
    return f"{path}:{mark.line + 1}:{mark.column + 1}: is not valid YAML: {error.problem}{tabbed}{quoted}"


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML has it, which is ten times faster."""


def _composed(text: str) -> tuple[yaml.Node | None, Any]:
    """Give the nodes of a document and their content."""
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    except ValueError:
        mark = next((each.start_mark for each in _scalars(node) if _is_unreadable(each)), None)
        problem = "it looks like a date or a number, and is none; write a text in quotes"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark) from None
    finally:
        loader.dispose()


def _scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    match node:
        case yaml.ScalarNode():
            yield node
        case yaml.MappingNode():
            for key, value in node.value:
                yield from _scalars(key)
                yield from _scalars(value)
        case yaml.SequenceNode():
            for value in node.value:
                yield from _scalars(value)


def _is_unreadable(node: yaml.ScalarNode) -> bool:
    """Tell whether a text looks like a date or a number and is none."""
    try:
        yaml.constructor.SafeConstructor().construct_object(node)
    except ValueError:
        return True
    return False


def _position(node: yaml.Node | yaml.Event) -> str:
    assert node.start_mark is not None
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
