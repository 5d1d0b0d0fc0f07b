"""Reads all that a source lists, lands nothing, and compares its keys with the records that are live here.

A listing that was silently short when it was synced (a page, a file or a record left out, a row committed
late) shows here as missing or outdated; a deletion that was not reported, as superfluous. Missing are
also records without a key, and those that the source declares but does not list, where it repeats others in
their place. It is to follow a sync: what the source states meanwhile differs, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypedDict

from oncehub.config.connector import Connector
from oncehub.connect.page import Page
from oncehub.connect.source import Source
from oncehub.intake.runs.cursor import full_window
from oncehub.intake.runs.stream_locks import stream_lock
from oncehub.normalize.mapping.compiled import KEY, STATED
from oncehub.normalize.normalizer import Normalizer
from oncehub.store.connection import Connection
from oncehub.store.statements import statement

Finding = Literal["missing", "outdated", "superfluous"]

MOST_NAMED: Final = 1_000
"""Keys that a report names of each finding."""

_NOTE: Final = statement(__name__, "note")
_COMPARE: Final = statement(__name__, "compare")

_BEGIN = """
create temporary table if not exists listed (
    source_key text primary key, stated_at timestamptz, kind text not null
);
create temporary table if not exists listed_in (
    part text, source_key text, primary key (part, source_key)
);
truncate pg_temp.listed, pg_temp.listed_in;
"""

_NOTE_IN = """
insert into pg_temp.listed_in (part, source_key)
select %(part)s, unnest(%(keys)s::text[])
on conflict do nothing
"""

_KEYS_IN = "select count(*) from pg_temp.listed_in where part = %s"

_COUNTS = """
select
    (select count(*) from pg_temp.listed where kind = 'live'),
    (select count(*) from pg_temp.listed where kind = 'rejected'),
    (select count(*) from intake.record_state
     where source = %(source)s and stream = %(stream)s and deletion is null)
"""

_KEEP = """
insert into intake.audit
    (source, stream, declared, listed, landed, rejected, missing, outdated, superfluous)
values
    (%(source)s, %(stream)s, %(declared)s, %(listed)s, %(landed)s, %(rejected)s,
     %(missing)s, %(outdated)s, %(superfluous)s)
"""


class _Names(TypedDict):
    source: str
    stream: str


@dataclass
class _Part:
    """What one listing of a read showed: a snapshot, the records or the deletions.

    Attributes:
        before: records of the listings before it, which the totals of its pages include.
        first: number of its first page, at which it may begin anew.
    """

    before: int
    first: int
    read: int = 0
    keyless: int = 0
    total: int | None = None

    def unlisted(self, keys: int) -> int:
        """Return how many records are declared beyond those that were shown; a repeated key is one."""
        return 0 if self.total is None else max(0, self.total - self.before - keys - self.keyless)


@dataclass(frozen=True)
class AuditReport:
    """How a stream's source and the hub compare, in records; see `intake.audit`.

    Attributes:
        rejected: listed records that cannot land, with the `keyless` ones.
        missing: what the hub lacks, with the `keyless` and `unlisted` records.
        keyless: listed records whose key cannot be read.
        unlisted: records that the source declares, and did not list.
        keys: of what was found, `MOST_NAMED` of each kind at most; personal data where keys are.
    """

    source: str
    stream: str
    declared: int | None
    listed: int
    landed: int
    rejected: int
    missing: int
    outdated: int
    superfluous: int
    keyless: int = 0
    unlisted: int = 0
    keys: dict[Finding, list[str]] = field(default_factory=dict, repr=False)

    @property
    def complete(self) -> bool:
        """Whether the hub has what the source lists, and nothing else."""
        return not (self.missing or self.outdated or self.superfluous)


def audit(
    store: Connection,
    connector: Connector,
    stream: str,
    source: Source,
    normalizer: Normalizer,
    *,
    now: datetime,
) -> AuditReport:
    """Compare a stream with what its open source lists now, and keep the counts.

    Raises:
        SourceError: as reading does; nothing is kept then.
        RunBusy: when the stream is being read.
    """
    names: _Names = {"source": connector.source, "stream": stream}
    with stream_lock(store, "live", f"{connector.source}.{stream}"):
        with store, store.cursor() as cursor:
            cursor.execute(_BEGIN)
        declared = None
        parts: dict[str, _Part] = {}
        with closing(source.pages(stream, full_window(connector, stream, now))) as pages:  # type: ignore[type-var]
            for page in pages:
                declared = page.total
                name = "snapshot" if page.of_snapshot else page.kind
                if name not in parts:
                    parts[name] = _Part(sum(part.read for part in parts.values()), page.number)
                part = parts[name]
                if page.number == part.first:
                    part.read = part.keyless = 0
                part.read += len(page.records)
                part.total = page.total
                part.keyless += _note(store, page, normalizer, name)
        with store:
            return _compared(store, names, declared, parts)


def _note(store: Connection, page: Page, normalizer: Normalizer, part: str) -> int:
    """Note the keys of a page, and return how many of its records have none."""
    batch = normalizer.normalize(page.records, deletions=page.kind == "deletions")
    rows: list[tuple[str, datetime | None, str]] = [
        *((key, stated, "live") for key, stated in batch.accepted_keys.select(KEY, STATED).iter_rows()),
        *((key, stated, "deleted") for key, stated in batch.deleted.select(KEY, STATED).iter_rows()),
    ]
    known = {key for key, *_ in rows}
    rejected = {
        each.source_key: each.stated_at
        for each in batch.rejected
        if each.source_key and "\0" not in each.source_key
    }
    rows += ((key, stated, "rejected") for key, stated in rejected.items() if key not in known)
    keys, times, kinds = ([row[column] for row in rows] for column in range(3))
    with store, store.cursor() as cursor:
        cursor.execute(_NOTE, {"keys": keys, "times": times, "kinds": kinds})
        cursor.execute(_NOTE_IN, {"part": part, "keys": keys})
    return sum(each.source_key not in rejected for each in batch.rejected)


def _compared(store: Connection, names: _Names, declared: int | None, parts: dict[str, _Part]) -> AuditReport:
    found: dict[Finding, list[str]] = {"missing": [], "outdated": [], "superfluous": []}
    counts = dict.fromkeys(found, 0)
    with store.cursor("findings") as findings:
        findings.execute(_COMPARE, names)
        for key, finding in findings:
            counts[finding] += 1
            if len(found[finding]) < MOST_NAMED:
                found[finding].append(key)
    with store.cursor() as cursor:
        cursor.execute(_COUNTS, names)
        listed, rejected, landed = cursor.fetchone() or (0, 0, 0)
        keyless = sum(part.keyless for part in parts.values())
        unlisted = 0
        for name, part in parts.items():
            cursor.execute(_KEYS_IN, (name,))
            [keys] = cursor.fetchone() or (0,)
            unlisted += part.unlisted(keys)
        report = AuditReport(
            **names,
            declared=declared,
            listed=listed,
            landed=landed,
            rejected=rejected + keyless,
            missing=counts["missing"] + keyless + unlisted,
            outdated=counts["outdated"],
            superfluous=counts["superfluous"],
            keyless=keyless,
            unlisted=unlisted,
            keys=found,
        )
        cursor.execute(_KEEP, vars(report))
    return report


def named(report: AuditReport) -> Sequence[str]:
    """Return a line for each key that was found."""
    name = f"{report.source}.{report.stream}"
    return [f"{name}: {finding}: {key}" for finding, keys in report.keys.items() for key in keys]
