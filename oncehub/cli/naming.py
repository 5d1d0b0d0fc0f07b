"""Finds the stream that a command names, and records when values are shown unmasked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oncehub.audit.log.disclosures import disclose
from oncehub.config.catalogue import load_connector
from oncehub.config.connector import Connector
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.store.migrate import opened


def named_stream(settings: Settings, name: str, *, read: bool = False) -> tuple[Connector, str]:
    """Return the connector and stream that `source.stream`, or a source of one stream, names.

    Raises:
        ConfigError: when there is no such source or stream, or the source has several streams; with `read`,
            also when the stream is submitted instead of read.
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
    """Return a phrase with the person that a record is linked to, and the method."""
    return f"linked to {link['person_key']} by {link['method']}" if link else "linked to nobody"


def note_disclosure(settings: Settings, command: str, source: str, stream: str, records: int) -> None:
    """Record that records are about to be shown unmasked.

    Raises:
        StoreError: when it cannot be recorded; the command then shows nothing.
    """
    with opened(settings) as connection:
        disclose(connection, command=command, source=source, stream=stream, records=records)
