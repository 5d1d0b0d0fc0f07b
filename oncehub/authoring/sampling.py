"""A look at a source: the first records of a stream, and whether they are what its files say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from oncehub.connect import Source, Window
from oncehub.model.connector import Connector, TimeChanges
from oncehub.model.errors import OncehubError
from oncehub.model.settings import Settings
from oncehub.normalize import load_normalizer


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
        total: how many the source declares.
        meets: of those read, how many meet contract and mapping.
        rejected: reason -> how many, most frequent first.
        unknown: fields that the contract does not know.
        newest: the latest time of statement read.
    """

    stream: str
    problem: str | None = None
    read: int = 0
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
    """Read the first page of a stream and normalise it; what goes wrong is told, not raised."""
    try:
        page = sample(source, connector, stream, limit=1)
        batch = load_normalizer(settings, connector, stream).normalize(page.records)
    except OncehubError as error:
        return Finding(stream, problem=str(error))
    reasons = Counter(f"{each.stage} {each.path}: {each.reason}" for each in batch.rejected)
    return Finding(
        stream,
        problem=f"the run would stop: {batch.stop}" if batch.stop else None,
        read=batch.read,
        total=page.total,
        meets=batch.read - len(batch.rejected),
        rejected=dict(reasons.most_common()),
        unknown=tuple(sorted({each.path for each in batch.drift if each.kind == "unknown"})),
        newest=batch.high_mark,
    )


def _everything(connector: Connector, stream: str) -> Window:
    spec = connector.streams.get(stream)
    bounded = spec is not None and isinstance(spec.changes, TimeChanges)
    return Window(None, datetime.now(UTC) if bounded else None)
