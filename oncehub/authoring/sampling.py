"""Reads the first records of a stream, and checks them against its contract and mapping."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from oncehub.anonymisation.non_personal_fields import files_of
from oncehub.config.connector import Connector, SequenceChanges, Stream, TimeChanges
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import OncehubError, SourceError
from oncehub.normalize.batch import Batch
from oncehub.normalize.normalizer import load_normalizer
from oncehub.settings import Settings

_NO_FILES = (
    "it can be read, but has no contract or mapping yet;"
    " to propose them: oncehub connector discover {stream} --write"
)


@dataclass(frozen=True)
class Sample:
    """The first records of a stream.

    Attributes:
        records: as the source sent them, whole pages.
        total: number of records that the source declares, if it does.
        complete: whether these are all records.
        remarks: see `Page.remarks`.
    """

    records: list[Any]
    total: int | None
    complete: bool
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """The result of checking one stream.

    Attributes:
        stream: its name.
        problem: why it could not be read; None when it could.
        read: number of records on the first page.
        repeated: number of them that share their key with another one.
        total: number of records that the source declares.
        meets: number of read records that meet contract and mapping.
        rejected: reason -> number of records, most frequent first.
        unknown: fields that the contract does not know.
        newest: the latest time of statement read.
        remarks: what the source does not heed of what it was asked.
    """

    stream: str
    problem: str | None = None
    read: int = 0
    repeated: int = 0
    total: int | None = None
    meets: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    newest: datetime | None = None
    remarks: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether the stream was read and all read records can be landed."""
        return self.problem is None and not self.rejected


def sample(source: Source, connector: Connector, stream: str, limit: int) -> Sample:
    """Read the pages with the first `limit` records of a stream.

    Raises:
        SourceError: see `Source.pages`.
        ConfigError: when there is no such stream.
    """
    records: list[Any] = []
    total = None
    remarks: dict[str, None] = {}
    for page in source.pages(stream, _everything(connector, stream)):
        records += page.records if page.kind == "records" else []
        total = page.total
        remarks |= dict.fromkeys(page.remarks)
        if len(records) >= limit or page.next is None:
            return Sample(records, total, complete=page.next is None, remarks=tuple(remarks))
    return Sample(records, total, complete=True)


def look(settings: Settings, source: Source, connector: Connector, stream: str) -> Finding:
    """Read the first page of a stream, normalise it, and try to continue; errors are reported, not raised.

    The second page and the later changes are requested too, except for children, whose page takes many
    requests.
    """
    try:
        page = sample(source, connector, stream, limit=1)
        if not all(path.exists() for path in files_of(settings, connector, stream)):
            return Finding(stream, _NO_FILES.format(stream=f"{connector.source}.{stream}"), len(page.records))
        batch = load_normalizer(settings, connector, stream).normalize(page.records)
        problem, remarks = _going_on(source, connector, stream, batch)
    except OncehubError as error:
        return Finding(stream, problem=str(error))
    remarks = tuple(dict.fromkeys((*page.remarks, *remarks)))
    return replace(_finding(stream, page, batch, problem), remarks=remarks)


def _going_on(
    source: Source, connector: Connector, stream: str, batch: Batch
) -> tuple[str | None, tuple[str, ...]]:
    """Return why the source refuses later pages or changes (None when it does not), and remarks on them."""
    if connector.streams[stream].parent:
        return None, ()
    deque(islice(source.pages(stream, _everything(connector, stream)), 2), maxlen=0)
    window = _since(connector.streams[stream], batch)
    try:
        return None, next(source.pages(stream, window)).remarks if window else ()
    except SourceError as error:
        return f"requesting changes: {error}", ()


def _since(spec: Stream, batch: Batch) -> Window | None:
    """Return the window of changes after a batch; None where the source cannot list them."""
    if isinstance(spec.changes, SequenceChanges):
        return None if batch.high_sequence is None else Window(batch.high_sequence, None)
    now = datetime.now(UTC)
    if not isinstance(spec.changes, TimeChanges) or batch.high_mark is None or batch.high_mark >= now:
        return None
    return Window(batch.high_mark, now)


def _finding(stream: str, page: Sample, batch: Batch, problem: str | None) -> Finding:
    kept = batch.read - len(batch.rejected)
    return Finding(
        stream,
        problem=f"the run would stop: {batch.stop}" if batch.stop else problem,
        read=batch.read,
        repeated=kept - batch.accepted_keys.height - batch.deleted.height,
        total=page.total,
        meets=kept,
        rejected=rejected_reasons(batch),
        unknown=tuple(sorted({each.path for each in batch.drift if each.kind == "unknown"})),
        newest=batch.high_mark,
    )


def rejected_reasons(batch: Batch) -> dict[str, int]:
    """Count a batch's rejected records by reason, the most frequent first."""
    reasons = Counter(f"{each.stage} {each.path}: {each.reason}" for each in batch.rejected)
    return dict(reasons.most_common())


def _everything(connector: Connector, stream: str) -> Window:
    spec = connector.streams.get(stream)
    bounded = spec is not None and isinstance(spec.changes, TimeChanges)
    return Window(None, datetime.now(UTC) if bounded else None)
