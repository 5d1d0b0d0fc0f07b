"""Works on one stream in a process of its own, for tests that kill it.

Arguments: ROOT HOME DATABASE SOURCE STREAM SIZE TASK. TASK is `read`, `backfill` with SINCE and UNTIL, or
`replay`; SIZE is how many records a page or a replay's batch holds. The source's connection comes as JSON on
the standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from oncehub.config.catalogue import load_connector
from oncehub.config.connection import connection_from_document
from oncehub.config.connector import Connector
from oncehub.intake.micro_batches import Size
from oncehub.intake.quarantine import replay
from oncehub.intake.runs.backfill import window_asked
from oncehub.intake.sync import sync
from oncehub.settings import Settings


def with_pages_of(connector: Connector, stream: str, size: int) -> Connector:
    """The same connector with smaller pages, so that a few records make many."""
    spec = connector.streams[stream]
    sized = spec.pages.size.model_copy(update={"value": size})
    pages = spec.pages.model_copy(update={"size": sized})
    streams = {**connector.streams, stream: spec.model_copy(update={"pages": pages})}
    return connector.model_copy(update={"streams": streams})


def main() -> None:
    root, home, database, source, stream, size, task, *window = sys.argv[1:]
    settings = Settings(Path(root), Path(home), database)
    connector = with_pages_of(load_connector(settings, source), stream, int(size))
    if task == "replay":
        replay._BATCH = int(size)
        replay.replay(settings, connector, stream)
        return
    connection = connection_from_document(json.load(sys.stdin), source)
    backfill = window_asked(connector, stream, *window) if task == "backfill" else None
    sync(settings, connector, connection, streams=[stream], backfill=backfill, size=Size(pages=1))


if __name__ == "__main__":
    main()
