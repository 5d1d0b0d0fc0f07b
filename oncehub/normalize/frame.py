"""Builds typed frames of received records; the types come from the contract, never from the values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import polars as pl

from oncehub.config.syntax.paths import is_json_path
from oncehub.connect.formats.paths import as_one
from oncehub.normalize.checks import ROW
from oncehub.normalize.contract.contract import Contract, Node, UnknownPath

_SCALARS: Final[dict[str, pl.DataType]] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
}
_DEEPEST: Final = 60
_Tree = dict[str, "_Tree"]


def frame_schema(contract: Contract, paths: Iterable[str]) -> dict[str, pl.DataType]:
    """Return the columns of the fields at `paths`; nothing else of a record is read.

    A dotted path through a list continues in the list's items; a JSONPath is a column of its own.

    Raises:
        UnknownPath: for a path the contract does not describe, or a field of several types.
    """
    tree: _Tree = {}
    columns: dict[str, pl.DataType] = {}
    for path in paths:
        if is_json_path(path):
            columns[path] = _data_type(contract, contract.at(path), {}, path)
            continue
        branch = tree
        for name in path.split("."):
            branch = branch.setdefault(name, {})
    named = {name: _data_type(contract, contract.at(name), part, name) for name, part in tree.items()}
    return named | columns


def with_columns_of_paths(records: Sequence[Any], schema: Iterable[str]) -> Sequence[Any]:
    """Return the records with what stands at the JSONPaths of a frame's schema, as fields of these names."""
    paths = [path for path in schema if is_json_path(path)]
    if not paths:
        return records
    return [{**record, **{path: as_one(record, path) for path in paths}} for record in records]


def build_frame(records: bytes, rows: Sequence[int], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Read a JSON list of records that met their contract into a frame with the given `#row` numbers.

    A field that a record leaves out is null.
    """
    frame = pl.read_json(records, schema=schema)
    return frame.with_columns(pl.Series(ROW, rows, dtype=pl.Int64))


def field(path: str, start: pl.Expr | None = None) -> pl.Expr:
    """Return the expression of the field at a dotted path, from the record or from `start`."""
    name, *inner = [path] if is_json_path(path) else path.split(".")
    value = pl.col(name) if start is None else start.struct.field(name)
    for name in inner:
        value = value.struct.field(name)
    return value


def present(text: pl.Expr) -> pl.Expr:
    """Return the text; null where it is empty or blank."""
    return pl.when(text.str.contains(r"\S")).then(text)


def element_type(contract: Contract, each: str, paths: Iterable[str]) -> pl.DataType:
    """Return the type of the objects in the list at `each`, with the fields that `paths` read."""
    inner = [path for path in paths if path.startswith(f"{each}.")]
    kind: Any = pl.Struct(frame_schema(contract, [each, *inner]))
    for name in each.split("."):
        kind = dict(kind)[name]
    element: pl.DataType = kind.inner
    return element


def _data_type(contract: Contract, node: Node, wanted: _Tree, path: str) -> pl.DataType:
    if path.count(".") > _DEEPEST:
        raise UnknownPath(
            f"{path.split('.', maxsplit=1)[0]!r} holds itself in the contract; name the fields to read of it"
        )
    match sorted(contract.kinds(node)):
        case ["object"]:
            names = wanted or contract.resolve(node).get("properties", {})
            return pl.Struct(
                {
                    name: _data_type(
                        contract, contract.field(name, node), wanted.get(name, {}), f"{path}.{name}"
                    )
                    for name in names
                }
            )
        case ["array"]:
            return pl.List(_data_type(contract, contract.items(node), wanted, path))
        case [kind]:
            return _SCALARS[kind]
        case kinds:
            raise UnknownPath(f"the contract gives {path!r} {len(kinds)} types; a field needs one to be read")
