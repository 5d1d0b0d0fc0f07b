"""A look at a source: the first records of a stream, and whether they are what its files say."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
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
        total: how many the source declares, where it does.
        complete: whether these are all.
    """

    records: list[Any]
    total: int | None
    complete: bool


@dataclass(frozen=True)
class Finding:
    """What a look at one stream showed.

    Attributes:
        stream: its name.
        problem: why it could not be read; None when it could.
        read: records on the first page.
        repeated: how many of them share their key with another one.
        total: how many the source declares.
        meets: of those read, how many meet contract and mapping.
        rejected: reason -> how many, most frequent first.
        unknown: fields that the contract does not know.
        newest: the latest time of statement read.
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

    @property
    def sound(self) -> bool:
        """Whether the stream was read and everything read can be landed."""
        return self.problem is None and not self.rejected


def sample(source: Source, connector: Connector, stream: str, limit: int) -> Sample:
    """Read the pages of a stream that hold its first `limit` records.

    Raises:
        SourceError: see `Source.pages`.
        ConfigError: when there is no such stream.
    """
    records: list[Any] = []
    total = None
    for page in source.pages(stream, _everything(connector, stream)):
        records += page.records if page.kind == "records" else []
        total = page.total
        if len(records) >= limit or page.next is None:
            return Sample(records, total, complete=page.next is None)
    return Sample(records, total, complete=True)


def look(settings: Settings, source: Source, connector: Connector, stream: str) -> Finding:
    """Read the first page of a stream, normalise it, and try to go on; what goes wrong is told, not raised.

    The second page and what changed since are asked for too, but not of children, whose page takes many
    requests.
    """
    try:
        page = sample(source, connector, stream, limit=1)
        if not all(path.exists() for path in files_of(settings, connector, stream)):
            return Finding(stream, _NO_FILES.format(stream=f"{connector.source}.{stream}"), len(page.records))
        batch = load_normalizer(settings, connector, stream).normalize(page.records)
        problem = _cannot_go_on(source, connector, stream, batch)
    except OncehubError as error:
        return Finding(stream, problem=str(error))
    return _finding(stream, page, batch, problem)


def _cannot_go_on(source: Source, connector: Connector, stream: str, batch: Batch) -> str | None:
    """Why the parameters of pages or changes are not taken, of which the first page needs none."""
    if connector.streams[stream].parent:
        return None
    deque(islice(source.pages(stream, _everything(connector, stream)), 2), maxlen=0)
    window = _since(connector.streams[stream], batch)
    try:
        next(source.pages(stream, window)) if window else None
    except SourceError as error:
        return f"asked for what changed since: {error}"
    return None


def _since(spec: Stream, batch: Batch) -> Window | None:
    """What changed after the records of a batch, where the source can be asked for it."""
    if isinstance(spec.changes, SequenceChanges):
        return None if batch.high_sequence is None else Window(batch.high_sequence, None)
    now = datetime.now(UTC)
    if spec.changes is None or batch.high_mark is None or batch.high_mark >= now:
        return None
    return Window(batch.high_mark, now)


def _finding(stream: str, page: Sample, batch: Batch, problem: str | None) -> Finding:
    kept = batch.read - len(batch.rejected)
    reasons = Counter(f"{each.stage} {each.path}: {each.reason}" for each in batch.rejected)
    return Finding(
        stream,
        problem=f"the run would stop: {batch.stop}" if batch.stop else problem,
        read=batch.read,
        repeated=kept - batch.accepted_keys.height - batch.deleted.height,
        total=page.total,
        meets=kept,
        rejected=dict(reasons.most_common()),
        unknown=tuple(sorted({each.path for each in batch.drift if each.kind == "unknown"})),
        newest=batch.high_mark,
    )


def _everything(connector: Connector, stream: str) -> Window:
    spec = connector.streams.get(stream)
    bounded = spec is not None and isinstance(spec.changes, TimeChanges)
    return Window(None, datetime.now(UTC) if bounded else None)
