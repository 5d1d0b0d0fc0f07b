"""`oncehub connector`: writes, checks, tests and documents the connector of a source."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console

from oncehub.anonymisation.anonymiser import masked
from oncehub.anonymisation.non_personal_fields import showable, shown_attributes
from oncehub.authoring.pages import stale_pages
from oncehub.cli import connector_test
from oncehub.cli.naming import named_stream, named_streams, note_disclosure
from oncehub.cli.options import Check, Json, ShowPersonalData, SourceName, StreamName
from oncehub.cli.output import show, write_json
from oncehub.config.catalogue import load_connectors
from oncehub.config.connection import connection_from_environment
from oncehub.config.connector import Connector
from oncehub.config.entities import load_entities
from oncehub.connect.source import Source
from oncehub.errors import ConfigError
from oncehub.files import write_whole
from oncehub.intake.drift import list_drift
from oncehub.settings import Settings, load_settings
from oncehub.store.migrate import opened

if TYPE_CHECKING:
    from oncehub.authoring.discovery import Discovery
    from oncehub.authoring.sampling import Finding

app = typer.Typer(no_args_is_help=True)

_NEXT_STEPS = """next:
  edit {connector}
  set  ONCEHUB_CONN_{variable}='{{"host": "https://...", "login": "...", "password": "..."}}'
  oncehub connector check {name}       reaches the source and says what it saw
  oncehub connector discover {name}    proposes contract and mapping from samples
"""


@app.command("new")
def new(
    name: SourceName,
    from_openapi: Annotated[
        Path | None, typer.Option(help="OpenAPI 3 description of the source, JSON or YAML.")
    ] = None,
    from_wsdl: Annotated[Path | None, typer.Option(help="WSDL 1.1 description of the source.")] = None,
    stream: Annotated[str, typer.Option(help="Name of the first stream, without a description.")] = (
        "records"
    ),
    as_json: Json = False,
) -> None:
    """Write the files of a new source, to be edited: connector, contract and mapping."""
    from oncehub.authoring.draft import template, write_draft
    from oncehub.authoring.openapi import draft_from_openapi
    from oncehub.authoring.wsdl import draft_from_wsdl

    settings = load_settings()
    if from_openapi and from_wsdl:
        raise typer.BadParameter("give --from-openapi or --from-wsdl, not both")
    if from_wsdl:
        draft = draft_from_wsdl(from_wsdl)
    else:
        draft = draft_from_openapi(from_openapi) if from_openapi else template(stream)
    files = write_draft(settings, name, draft)
    if as_json:
        write_json({"wrote": [str(path) for path in files]})
        return
    sys.stdout.write("".join(f"wrote: {path}\n" for path in files))
    sys.stdout.write(_NEXT_STEPS.format(connector=files[0], name=name, variable=name.upper()))


@app.command("check")
def check(name: SourceName, as_json: Json = False) -> None:
    """Read a source: try credentials, pages and changes of each stream, and show what it returns."""
    from oncehub.authoring.sampling import look

    settings = load_settings()
    connector, streams = named_streams(settings, name, read=True)
    connection = connection_from_environment(connector.source)
    with Source(connector, connection) as source, Console(stderr=True).status(f"reading {name}"):
        findings = [look(settings, source, connector, stream) for stream in streams]
    if as_json:
        write_json([dataclasses.asdict(each) | {"sound": each.sound} for each in findings])
    else:
        for each in findings:
            sys.stdout.write("\n".join(_described(connector, each)) + "\n")
    if not all(each.sound for each in findings):
        raise typer.Exit(1)


@app.command("read")
def read(
    name: StreamName,
    limit: Annotated[int, typer.Option(min=1, help="How many records.")] = 10,
    is_mapped: Annotated[bool, typer.Option("--mapped", help="As the hub would land them.")] = False,
    show_personal_data: ShowPersonalData = False,
) -> None:
    """Print records as received, or as mapped: one JSON object a line, values masked."""
    from oncehub.authoring.sampling import sample
    from oncehub.normalize.unreadable import readable

    settings = load_settings()
    connector, stream = named_stream(settings, name, read=True)
    connection = connection_from_environment(connector.source)
    with Source(connector, connection) as source:
        records = readable(sample(source, connector, stream, limit).records[:limit])
    lines = (_mapped if is_mapped else _received)(settings, connector, stream, records, show_personal_data)
    if show_personal_data:
        note_disclosure(settings, "connector read", connector.source, stream, len(records))
    for line in lines:
        sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


@app.command("discover")
def discover(
    name: SourceName,
    limit: Annotated[int, typer.Option(min=1, help="How many records to read.")] = 500,
    write: Annotated[
        bool, typer.Option("--write", help="Replace contract and mapping with the proposal.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Propose contract, mapping, key and update time from samples; no value is printed or written."""
    from oncehub.authoring.discovery import discovered
    from oncehub.authoring.proposal import Namesakes
    from oncehub.authoring.sampling import sample
    from oncehub.normalize.unreadable import readable

    settings = load_settings()
    connector, streams = named_streams(settings, name, read=True)
    connection = connection_from_environment(connector.source)
    namesakes = Namesakes(settings, without=connector.source)
    found: list[Discovery] = []
    with Source(connector, connection) as source, Console(stderr=True).status(f"reading {name}"):
        for stream in streams:
            records = readable(sample(source, connector, stream, limit).records[:limit])
            if not records:
                raise ConfigError(f"{connector.source}.{stream} holds no records, so nothing can be proposed")
            found.append(discovered(settings, namesakes, connector, stream, records))
    if as_json:
        write_json([each.as_mapping() for each in found])
    for each in found:
        if write:
            each.write()
        if not as_json:
            sys.stdout.write(each.as_text(written=write))


@app.command("drift")
def drift(name: SourceName, as_json: Json = False) -> None:
    """List how records differ from their contract: unknown fields, other types, missing fields."""
    settings = load_settings()
    connector, streams = named_streams(settings, name)
    with opened(settings) as connection:
        rows = [row for row in list_drift(connection, connector.source) if row.stream in streams]
    columns = ("stream", "path", "kind", "found", "records", "first_seen", "last_seen")
    show(rows, title=f"drift of {name}", columns=columns, as_json=as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the sources, with the streams and the schedule of each."""
    rows = [
        {
            "source": connector.source,
            "title": connector.title,
            "streams": list(connector.landed),
            "schedule": connector.schedule,
        }
        for connector in load_connectors(load_settings()).values()
    ]
    show(rows, title="connectors", columns=("source", "title", "streams", "schedule"), as_json=as_json)


app.command("test")(connector_test.try_connector)


@app.command("docs")
def docs(
    check_only: Check = False,
    as_json: Json = False,
) -> None:
    """Write docs/connectors/<source>.md for every connector, from its files."""
    settings = load_settings()
    stale = stale_pages(settings, load_connectors(settings))
    done = {
        str(path): "out of date" if check_only else "wrote" if text else "removed"
        for path, text in stale.items()
    }
    if not check_only:
        for path, text in stale.items():
            _put(path, text)
    if as_json:
        write_json([{"page": page, "state": state} for page, state in done.items()])
    else:
        sys.stdout.write("".join(f"{state}: {page}\n" for page, state in done.items()))
    if check_only and stale:
        sys.stderr.write("oncehub: run: oncehub connector docs\n")
        raise typer.Exit(2)


def _put(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    write_whole(path, text.encode())


def _described(connector: Connector, each: Finding) -> list[str]:
    name = f"{connector.source}.{each.stream}"
    if each.problem:
        return [f"{name}: failed: {each.problem}"]
    declared = f" of {each.total:,} declared" if each.total is not None else ""
    newest = f", stated up to {each.newest:%Y-%m-%d %H:%M} UTC" if each.newest else ""
    lines = [f"{name}: read {each.read:,} records{declared}; {each.meets:,} can be landed{newest}"]
    lines += [f"  {count:,} cannot: {reason}" for reason, count in each.rejected.items()]
    if each.repeated:
        lines.append(f"  {each.repeated:,} share their key with another record: is `key` right?")
    if each.unknown:
        lines.append(f"  fields that the contract lacks: {', '.join(each.unknown)}")
    lines += [f"  {remark}" for remark in each.remarks]
    if not each.read:
        lines.append("  the source has no records yet, so contract and mapping were not tested")
    return lines


def _received(
    settings: Settings, connector: Connector, stream: str, records: list[Any], plain: bool
) -> list[Any]:
    if plain:
        return records
    shown = showable(settings, connector, stream)
    return [masked(record, shown) for record in records]


def _mapped(
    settings: Settings, connector: Connector, stream: str, records: list[Any], plain: bool
) -> list[Any]:
    from oncehub.normalize.normalizer import load_normalizer

    batch = load_normalizer(settings, connector, stream).normalize(records)
    shown = shown_attributes(load_entities(settings.schemas))
    lines = [
        {"entity": entity, **(row if plain else masked(row, shown[entity]))}
        for entity, frame in batch.frames.items()
        for row in frame.to_dicts()
    ]
    lines += [{"deleted": row if plain else masked(row, {"stated_at"})} for row in batch.deleted.to_dicts()]
    faults = [{"rejected": each.stage, "path": each.path, "reason": each.reason} for each in batch.rejected]
    return [*lines, *faults]
