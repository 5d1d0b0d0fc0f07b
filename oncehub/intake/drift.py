"""Stored drift: how the landed records of a source have differed from their contracts over time.

The differences of one batch are found in `oncehub.normalize.contract.differences`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg2.extras import execute_values

from oncehub.normalize.contract.differences import Drift
from oncehub.store.connection import Connection

_log = logging.getLogger(__name__)

_LONGEST_PATH = 200
_MOST_PATHS = 500
_MASKED = "*"

_KNOWN = "select path, kind, found, run_id from intake.drift where source = %s and stream = %s"

_NOTE = """
insert into intake.drift (source, stream, path, kind, found, records, run_id)
values %s
on conflict (source, stream, path, kind, found) do update
set records = drift.records + excluded.records, last_seen = now(), run_id = excluded.run_id
"""

_LIST = """
select source, stream, path, kind, found, first_seen, last_seen, records
from intake.drift
where source = %s
order by stream, path, kind, found
"""


@dataclass(frozen=True)
class DriftRow:
    """How records of a stream have differed from the contract at one place.

    Attributes:
        path: field in the record; `*` replaces a name that may hold personal data.
        found: JSON type of the value, or `absent`.
        records: number of records, counted each time they were read.
    """

    source: str
    stream: str
    path: str
    kind: Literal["unknown", "changed_type", "missing"]
    found: str
    first_seen: datetime
    last_seen: datetime
    records: int


def list_drift(store: Connection, source: str) -> list[DriftRow]:
    """Return all drift ever stored for a source, by stream and path."""
    with store, store.cursor() as cursor:
        cursor.execute(_LIST, (source,))
        return [DriftRow(*row) for row in cursor.fetchall()]


def note_drift(store: Connection, run_id: int, source: str, stream: str, drift: Sequence[Drift]) -> int:
    """Store a batch's drift within the caller's transaction; return how many are new in this run."""
    if not drift:
        return 0
    with store.cursor() as cursor:
        cursor.execute(_KNOWN, (source, stream))
        known = {(path, kind, found): last for path, kind, found, last in cursor.fetchall()}
        counts = _counted(drift, {path for path, _, _ in known})
        rows = [(source, stream, *what, records, run_id) for what, records in counts.items()]
        execute_values(cursor, _NOTE, rows)
    new = [what for what in counts if known.get(what) != run_id]
    for path, kind, found in new:
        _log.warning("%s.%s: field %s differs from the contract: %s (%s)", source, stream, path, kind, found)
    return len(new)


def _counted(drift: Sequence[Drift], known: set[str]) -> dict[tuple[str, str, str], int]:
    """Count records by path, kind and type; mask names that the source may make of its data."""
    counts: dict[tuple[str, str, str], int] = {}
    paths = set(known)
    for each in drift:
        path = _masked(each.path)
        if path not in paths and len(paths) >= _MOST_PATHS:
            path = _MASKED
        paths.add(path)
        what = (path, each.kind, each.found)
        counts[what] = counts.get(what, 0) + each.records
    return counts


def _masked(path: str) -> str:
    # A map keyed by a personal number has a field for every person.
    if len(path) > _LONGEST_PATH or re.search(r"\d{6}", path) or not path.isprintable():
        return _MASKED
    return path
