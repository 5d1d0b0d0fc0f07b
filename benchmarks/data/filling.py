"""Fills a hub without HTTP: lands the simulated world's live records as the hub lands them.

The records pass the hub's own contract check, mapping and landing in large batches, so the rows are those
that `oncehub sync` gives. What a run keeps beside them (run, cursor, checkpoint, quarantine) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, Final

import orjson
import polars as pl

from oncehub.config.catalogue import load_connectors
from oncehub.config.entities import load_entities
from oncehub.config.reading import Csv, Read
from oncehub.connect.formats.file_reader import records_in
from oncehub.intake.landing.land import Landing
from oncehub.normalize.batch import Batch
from oncehub.normalize.normalizer import load_normalizer
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect, database_url
from stubs.servers.customs import csv_bytes
from stubs.servers.hosted_world import STREAMS
from stubs.servers.protocol.windows import wire_records
from stubs.world.world import World

COVERAGE: Final = 1.42
"""These shares give 3.2 person records for each person of the register; the world's own give 2.6."""

_PORTION: Final = 10_000
_LONGEST_LINE: Final = 2**20


def fill(settings: Settings, world: World) -> int:
    """Land every live record of the world in an initialised hub; return how many were read."""
    return sum(_fill_stream(settings, source, stream, world) for source, stream in STREAMS)


def _fill_stream(settings: Settings, source: str, stream: str, world: World) -> int:
    connector = load_connectors(settings)[source]
    normalizer = load_normalizer(settings, connector, stream)
    read = 0
    with (
        closing(connect(database_url(settings))) as connection,
        ThreadPoolExecutor(max_workers=1) as thread,
    ):
        landing = Landing(connection, source, stream, load_entities(settings.schemas), settings.home)
        with connection:
            landing.prepare()
        landed: Future[None] | None = None
        for records in _portions(world.frame(source, stream), connector.streams[stream].read):
            batch = normalizer.normalize(records)
            read += batch.read
            if landed:
                landed.result()
            landed = thread.submit(_land, connection, landing, batch)
        if landed:
            landed.result()
    return read


def _land(connection: Connection, landing: Landing, batch: Batch) -> None:
    with connection:
        landing.land(batch)


def _portions(frame: pl.DataFrame, read: Read) -> Iterator[list[Any]]:
    """The live records as a connector's reader gives them."""
    for rows in frame.filter(~pl.col("_deleted")).iter_slices(_PORTION):
        if isinstance(read, Csv):
            yield records_in(read, csv_bytes(rows), "the export", _LONGEST_LINE)
        else:
            yield orjson.loads(orjson.dumps(wire_records(rows)))
