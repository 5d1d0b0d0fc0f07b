"""Compares the discrepancies that the hub found with those that the simulated world planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from demo.failure import DemoFailed
from oncehub.store.connection import Connection
from stubs.client import Systems

Finding = tuple[str, str, str, str, str]
"""source, stream, source_key, attribute, kind."""

_FIELDS = ("source", "stream", "source_key", "attribute", "kind")
_OPEN = """
select source, stream, source_key, attribute, kind
from truth.discrepancy
where closed_at is null
"""
_LINKS = """
select method, count(*) from truth.link group by method
union all
select 'unlinked', count(*)
from record.person left join truth.link using (source, stream, source_key)
where deleted_at is null and link.person_key is null
order by 1
"""


@dataclass(frozen=True)
class Score:
    """Counts of open and of planted discrepancies.

    Attributes:
        missed: planted and not found.
        false: found and not planted, differences of form included.
    """

    planted: int
    found: int
    missed: frozenset[Finding] = field(repr=False)
    false: frozenset[Finding] = field(repr=False)

    def require_perfect(self) -> None:
        """Check that nothing was missed and nothing falsely reported.

        Raises:
            DemoFailed: with counts by source, attribute and kind.
        """
        if self.missed or self.false:
            raise DemoFailed(
                f"discrepancies missed: {_by_kind(self.missed)}; falsely reported: {_by_kind(self.false)}"
            )


def score_discrepancies(database: Connection, systems: Systems) -> Score:
    """Compare the open discrepancies with the ground truth, which only the demo may read."""
    planted = {_finding(row[name] for name in _FIELDS) for row in systems.truth("discrepancies")}
    with database, database.cursor() as cursor:
        cursor.execute(_OPEN)
        found = {_finding(row) for row in cursor.fetchall()}
    return Score(len(planted), len(planted & found), frozenset(planted - found), frozenset(found - planted))


def count_links(database: Connection) -> dict[str, int]:
    """Count the live records of persons by how they are linked, `unlinked` included."""
    with database, database.cursor() as cursor:
        cursor.execute(_LINKS)
        return {str(method): int(count) for method, count in cursor.fetchall()}


def _finding(values: Iterable[object]) -> Finding:
    source, stream, source_key, attribute, kind = map(str, values)
    return source, stream, source_key, attribute, kind


def _by_kind(findings: Iterable[Finding]) -> str:
    counts = Counter(f"{source} {attribute} {kind}" for source, _, _, attribute, kind in findings)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
