"""`oncehub mapping`: compares versions of a mapping, and lists the transforms."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from oncehub.anonymisation.anonymiser import masked
from oncehub.anonymisation.non_personal_fields import shown_attributes
from oncehub.authoring.difference import Comparison, at_revision, compare
from oncehub.authoring.sampling import sample
from oncehub.cli.files import read_file
from oncehub.cli.naming import named_stream, note_disclosure
from oncehub.cli.options import Json, ShowPersonalData, StreamName
from oncehub.cli.output import show, write_json
from oncehub.config.connection import connection_from_environment
from oncehub.config.connector import Connector
from oncehub.config.entities import load_entities
from oncehub.connect.source import Source
from oncehub.errors import ConfigError
from oncehub.normalize.transforms.registry import catalogue
from oncehub.normalize.unreadable import readable
from oncehub.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True)


@app.command("diff")
def diff(
    name: StreamName,
    *,
    old: Annotated[str, typer.Option(help="Git revision of the older files.")] = "HEAD",
    old_root: Annotated[
        Path | None, typer.Option(help="Folder with the older connectors/, mappings/ and schemas/.")
    ] = None,
    records: Annotated[
        Path | None, typer.Option(help="JSON list of records to use instead of the samples.")
    ] = None,
    live: Annotated[
        int | None, typer.Option(min=1, help="Read this many records from the source instead.")
    ] = None,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Apply the old and the new mapping to the same records, and compare field by field."""
    settings = load_settings()
    connector, stream = named_stream(settings, name, read=live is not None)
    taken = _records(settings, connector, stream, records, live)
    with ExitStack() as stack:
        if old_root:
            before = replace(settings, root=old_root)
        else:
            before = stack.enter_context(at_revision(settings, old))
        found = compare(before, settings, connector.source, stream, taken)
    if show_personal_data:
        note_disclosure(settings, "mapping diff", connector.source, stream, len(taken))
    _show(settings, found, plain=show_personal_data, as_json=as_json)


@app.command("transforms")
def transforms(as_json: Json = False) -> None:
    """List the transforms that a mapping may use, with a summary and examples."""
    rows = catalogue(load_settings().mappings)
    if as_json:
        write_json([dataclasses.asdict(row) for row in rows])
        return
    for row in rows:
        sys.stdout.write(f"{row.name}({', '.join(row.parameters)})\n    {row.summary}\n")
        sys.stdout.write("".join(f"    {example}\n" for example in row.examples))


def _records(
    settings: Settings, connector: Connector, stream: str, path: Path | None, live: int | None
) -> list[Any]:
    if live:
        connection = connection_from_environment(connector.source)
        with Source(connector, connection) as source:
            return readable(sample(source, connector, stream, live).records[:live])
    path = path or settings.connectors / connector.source / "samples" / f"{stream}.json"
    try:
        content = orjson.loads(read_file(path, "; give --records or --live"))
    except orjson.JSONDecodeError:
        raise ConfigError(f"{path}: is not JSON") from None
    if not isinstance(content, list):
        raise ConfigError(f"{path}: must be a JSON list of records")
    return content


def _show(settings: Settings, found: Comparison, *, plain: bool, as_json: bool) -> None:
    shown = shown_attributes(load_entities(settings.schemas))
    rows: list[dict[str, Any]] = [
        {
            "attribute": each.attribute,
            "same": each.same,
            "changed": each.changed,
            "filled": each.filled,
            "emptied": each.emptied,
            "examples": [
                [_value(each.attribute, value, shown, plain) for value in pair] for pair in each.examples
            ],
        }
        for each in found.differences
    ]
    if as_json:
        write_json({**dataclasses.asdict(found), "differences": rows})
        return
    differing = [row for row, each in zip(rows, found.differences, strict=True) if each.differs]
    for row in differing:
        row["examples"] = "\n".join(f"{before} -> {after}" for before, after in row["examples"])
    columns = ("attribute", "same", "changed", "filled", "emptied", "examples")
    if differing:
        show(differing, title=f"{found.records} records", columns=columns)
    else:
        sys.stdout.write(f"{found.records} records: both versions give the same result\n")
    _show_rejections(found)


def _show_rejections(found: Comparison) -> None:
    for reason in sorted(found.rejected_before.keys() | found.rejected_after.keys()):
        before, after = found.rejected_before.get(reason, 0), found.rejected_after.get(reason, 0)
        sys.stdout.write(f"rejected: {before} -> {after}: {reason}\n")


def _value(attribute: str, value: Any, shown: dict[str, set[str]], plain: bool) -> Any:
    entity, _, name = attribute.partition(".")
    return value if plain or name in shown.get(entity, ()) else masked(value)
