"""Compares two versions of a mapping by their results for the same records, field by field."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from oncehub.authoring.sampling import rejected_reasons
from oncehub.config.catalogue import load_connector
from oncehub.config.entities import Entity, load_entities
from oncehub.errors import ConfigError
from oncehub.normalize.normalizer import load_normalizer
from oncehub.settings import Settings

_EXAMPLES = 3
_KEY = "source_key"


@dataclass(frozen=True)
class Difference:
    """The comparison of one attribute.

    Attributes:
        attribute: `entity.attribute`; the entity alone where rows were added or removed.
        same, changed, filled, emptied: numbers of rows whose value stayed, changed, was added or removed.
        examples: some pairs of values before and after.
    """

    attribute: str
    same: int
    changed: int
    filled: int
    emptied: int
    examples: tuple[tuple[Any, Any], ...]

    @property
    def differs(self) -> bool:
        """Whether any row differs."""
        return bool(self.changed or self.filled or self.emptied)


@dataclass(frozen=True)
class Comparison:
    """The results of both versions for the same records.

    Attributes:
        records: number of records.
        rejected_before, rejected_after: reason -> number of records.
        differences: one for each attribute that either version fills.
    """

    records: int
    rejected_before: dict[str, int]
    rejected_after: dict[str, int]
    differences: tuple[Difference, ...]


def compare(
    before: Settings, after: Settings, source: str, stream: str, records: Sequence[Any]
) -> Comparison:
    """Normalise the records by the files under both roots.

    Raises:
        ConfigError: when a file of either is wrong.
    """
    old, new = (
        load_normalizer(root, load_connector(root, source), stream).normalize(list(records))
        for root in (before, after)
    )
    entities = load_entities(after.schemas)
    found = [
        difference
        for name in sorted(old.frames.keys() | new.frames.keys())
        if name in entities
        for difference in _differences(entities[name], old.frames.get(name), new.frames.get(name))
    ]
    return Comparison(len(records), rejected_reasons(old), rejected_reasons(new), tuple(found))


@contextmanager
def at_revision(settings: Settings, revision: str) -> Iterator[Settings]:
    """Yield the configuration at a revision of its git repository, in a temporary folder.

    Raises:
        ConfigError: when there is no repository or no such revision.
    """
    # git would read such a name as an option, e.g. --output=FILE, and overwrite the file.
    if revision.startswith("-"):
        raise ConfigError(f"{revision!r} names no revision of git; give a commit, tag or branch")
    folders = [folder.name for folder in (settings.connectors, settings.mappings, settings.schemas)]
    command = ["git", "-C", str(settings.root), "archive", "--format=tar", revision, "--", *folders]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise ConfigError(
            "git is not installed; name the folder of the older files with --old-root"
        ) from None
    if done.returncode:
        raise ConfigError(
            f"{settings.root} has no {revision!r} of the configuration in git; name another revision with"
            " --old, or a folder with --old-root"
        )
    with TemporaryDirectory(prefix="oncehub-") as folder:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield replace(settings, root=Path(folder))


def _differences(entity: Entity, old: pl.DataFrame | None, new: pl.DataFrame | None) -> Iterator[Difference]:
    names = [_KEY, *([entity.item_key] if entity.item_key else [])]
    rows = {
        side: {} if frame is None else {tuple(row[name] for name in names): row for row in frame.to_dicts()}
        for side, frame in (("old", old), ("new", new))
    }
    pairs = [(rows["old"].get(key), rows["new"].get(key)) for key in {**rows["old"], **rows["new"]}]
    lone = [(one, other) for one, other in pairs if one is None or other is None]
    both = [(one, other) for one, other in pairs if one is not None and other is not None]
    came = sum(one is None for one, _ in lone)
    if lone:
        yield Difference(entity.name, len(both), 0, came, len(lone) - came, ())
    for attribute in entity.attributes:
        difference = _of_attribute(
            entity.qualified(attribute), [(a[attribute], b[attribute]) for a, b in both]
        )
        if difference is not None:
            yield difference


def _of_attribute(name: str, pairs: Sequence[tuple[Any, Any]]) -> Difference | None:
    """Compare one attribute; None where neither version fills it."""
    other = [(before, after) for before, after in pairs if before != after]
    if not other and all(before is None for before, _ in pairs):
        return None
    filled = sum(before is None for before, _ in other)
    emptied = sum(after is None for _, after in other)
    changed = len(other) - filled - emptied
    return Difference(name, len(pairs) - len(other), changed, filled, emptied, tuple(other[:_EXAMPLES]))
