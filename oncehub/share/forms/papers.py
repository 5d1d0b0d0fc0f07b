"""Finds papers of earlier dossiers that replace papers a form asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from oncehub.config.agreements import Agreement
from oncehub.config.procedures import Item, Paper
from oncehub.share.roles import rows_as
from oncehub.store.connection import Connection

PAPER_ATTRIBUTES = ("document.file_id", "dossier.code")
"""What an answer discloses by referring to a paper, as the log names it."""

_FIND: Final = """
select dossier, procedure_code, component, result, file, decided_at
from {share}.reusable_papers(%(person)s, %(results)s, %(components)s, %(procedures)s)
order by decided_at desc nulls last, dossier, file
"""


@dataclass(frozen=True)
class KeptPaper:
    """A paper of an earlier dossier, by which the agency that keeps it finds it.

    Attributes:
        dossier: mã hồ sơ.
        file: tệp đính kèm: its id.
        result: code of the result that replaces it, where it is one.
        decided_at: when the dossier was decided.
    """

    dossier: str
    file: str
    result: str | None
    component: str | None
    procedure_code: str
    decided_at: datetime | None

    def spares(self, item: Item) -> bool:
        """Whether the item names the paper, and the paper is young enough."""
        return any(self._is(paper) for paper in item.replaced_by) and not self._too_old(item)

    def _is(self, paper: Paper) -> bool:
        if paper.result:
            return paper.result == self.result
        return paper.component == self.component and self.procedure_code in paper.procedures

    def _too_old(self, item: Item) -> bool:
        if item.max_age is None:
            return False
        return self.decided_at is None or datetime.now(UTC) - self.decided_at > item.max_age


def find_papers(
    connection: Connection, agreement: Agreement, person_key: str, fields: Mapping[str, Item]
) -> dict[str, KeptPaper]:
    """Return, by item, the latest earlier paper of the person that spares a new one, where it may be named.

    Args:
        connection: in a transaction in which a request about the person is open.
        agreement: on whose behalf.
        person_key: whose papers.
        fields: the items of the form.
    """
    wanted = [paper for item in fields.values() for paper in item.replaced_by]
    if not wanted or not agreement.papers:
        return {}
    values = {"person": person_key, **codes_of(wanted)}
    kept = [KeptPaper(**row) for row in rows_as(connection, agreement, _FIND, values)]
    found = {
        name: next((paper for paper in kept if paper.spares(item)), None) for name, item in fields.items()
    }
    return {name: paper for name, paper in found.items() if paper}


def codes_of(wanted: Collection[Paper]) -> dict[str, list[str]]:
    """Return what `share.reusable_papers` is asked for: results, and components, each with its procedure."""
    components = [(paper.component, code) for paper in wanted if paper.component for code in paper.procedures]
    return {
        "results": [paper.result for paper in wanted if paper.result],
        "components": [component for component, _ in components],
        "procedures": [code for _, code in components],
    }
