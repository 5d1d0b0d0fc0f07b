"""Finds papers of earlier dossiers that replace papers a form asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg2.extras import Json

from oncehub.config.agreements import Agreement
from oncehub.config.procedures import Item, Paper
from oncehub.share.roles import rows_as
from oncehub.store.connection import Connection

PAPER_ATTRIBUTES = ("document.file_id", "dossier.code")
"""What an answer discloses by referring to a paper, as the log names it."""

_FIND: Final = """
select distinct on (place) place, dossier, procedure_code, component, result, file, decided_at
from {share}.reusable_papers(%(person)s, %(wanted)s)
order by place, decided_at desc nulls last, dossier, file
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
    names = list(fields)
    wanted = wanted_papers(
        {place: (fields[name].replaced_by, fields[name].max_age) for place, name in enumerate(names)}
    )
    if not wanted or not agreement.papers:
        return {}
    rows = rows_as(connection, agreement, _FIND, {"person": person_key, "wanted": Json(wanted)})
    return {names[row.pop("place")]: KeptPaper(**row) for row in rows}


def wanted_papers(items: Mapping[int, tuple[Collection[Paper], timedelta | None]]) -> list[dict[str, Any]]:
    """Return what `share.reusable_papers` is asked for: the papers and greatest age of items, by place."""
    return [
        {"place": place, **paper.model_dump(), "max_age": as_interval(max_age)}
        for place, (papers, max_age) in items.items()
        for paper in papers
    ]


def as_interval(age: timedelta | None) -> str | None:
    """Return an age as PostgreSQL reads it in JSON."""
    return None if age is None else f"{age.total_seconds()} seconds"
