"""How commands name a stream and whom a record is linked to, and whether they show values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from oncehub.audit.log.disclosures import disclose
from oncehub.config.catalogue import load_connector
from oncehub.config.connector import Connector
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.store.migrate import opened

ShowPersonalData = Annotated[
    bool,
    typer.Option("--show-personal-data", help="Show values as they are; written to the log of disclosures."),
]
StreamName = Annotated[str, typer.Argument(help="source.stream, or the source where it has one stream.")]
SourceName = Annotated[str, typer.Argument(help="Name of the source: its folder under connectors/.")]


def named_stream(settings: Settings, name: str, *, read: bool = False) -> tuple[Connector, str]:
    """Return the connector and stream that `source.stream`, or a source of one stream, names.

    Raises:
        ConfigError: when there is no such source or stream, or the source has several; with `read`, also
            when the stream is not read but submitted.
    """
    source, _, stream = name.partition(".")
    connector = load_connector(settings, source)
    streams = connector.streams if read else connector.landed
    if not stream and len(streams) == 1:
        return connector, next(iter(streams))
    if stream not in streams:
        why = "is not read but submitted" if stream in connector.submitted else "names no stream"
        known = ", ".join(f"{source}.{each}" for each in streams)
        raise ConfigError(f"{name!r} {why}; there are: {known}")
    return connector, stream


def named_streams(settings: Settings, name: str, *, read: bool = False) -> tuple[Connector, list[str]]:
    """Return the connector and the one stream, or all streams, that `source.stream` or `source` names.

    Raises:
        ConfigError: as `named_stream`, but a source may have several.
    """
    if "." in name:
        connector, stream = named_stream(settings, name, read=read)
        return connector, [stream]
    connector = load_connector(settings, name)
    return connector, list(connector.streams if read else connector.landed)


def linked_to(link: Mapping[str, Any] | None) -> str:
    """Say whom a record is linked to, by what."""
    return f"linked to {link['person_key']} by {link['method']}" if link else "linked to nobody"


def note_disclosure(settings: Settings, command: str, source: str, stream: str, records: int) -> None:
    """Write down that records are about to be shown unmasked; without a log nothing is shown.

    Raises:
        StoreError: when the hub's database cannot be written.
    """
    with opened(settings) as connection:
        disclose(connection, command=command, source=source, stream=stream, records=records)
