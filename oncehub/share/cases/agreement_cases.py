"""Cases that an agreement covers, read and decided by an open request; all: `reconcile.stewardship.cases`.

Every connection is in a transaction in which a request for the case is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from oncehub.config.agreements import Agreement, Cases
from oncehub.config.entities import unqualified
from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.reconcile.stewardship.cases import (
    Case,
    CaseContent,
    CaseFile,
    CaseVerdict,
    Decision,
    decide,
    find_case,
    list_cases,
    open_case_file,
    read_content,
)
from oncehub.share.request_proofs import insert
from oncehub.share.roles import ENTITLED
from oncehub.store.connection import Connection

_CONTENT: Final = sql.Identifier(ENTITLED, "case_content")
_PEOPLE: Final = sql.SQL("{}(%(case_id)s)").format(sql.Identifier(ENTITLED, "case_people"))


def list_agreement_cases(
    connection: Connection, own: Cases, *, closed: bool, after: int, limit: int
) -> list[Case]:
    """Give the agreement's cases `own` by number, and nothing of what they are about; see `list_cases`."""
    return list_cases(
        connection,
        kinds=own.kinds,
        sources=own.sources,
        closed=closed,
        after=after,
        limit=limit,
        schema=ENTITLED,
    )


def find_agreement_case(connection: Connection, case_id: int) -> Case:
    """Give one case without what it is about.

    Raises:
        CaseNotFound: when the agreement has none of that number.
    """
    return find_case(connection, case_id, ENTITLED)


def read_agreement_case(connection: Connection, case_id: int) -> CaseContent:
    """Return what a case is about, as far as the agreement covers it.

    Raises:
        CaseNotFound: when the agreement has none of that number.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        return read_content(cursor, case_id, _CONTENT, _PEOPLE)


def open_agreement_case(
    connection: Connection, agreement: Agreement, case_id: int, content: CaseContent
) -> CaseFile:
    """Give one case with the evidence side by side, of the agreement's attributes; see `open_case_file`.

    Args:
        connection: in a transaction.
        agreement: on whose behalf.
        case_id: its number.
        content: as `read_agreement_case` gives it.

    Raises:
        CaseNotFound: when the agreement has none of that number.
    """
    attributes = [unqualified(name) for name in agreement.attributes]
    return open_case_file(connection, case_id, attributes, content, ENTITLED)


def decide_agreement_case(
    connection: Connection,
    case_id: int,
    said: CaseVerdict,
    by: DecidedBy,
    *,
    person_key: UUID | None,
    named: Sequence[str],
    follows: int | None,
) -> Decision:
    """Decide a case of the agreement's; arguments and errors are those of `decide`."""
    return decide(
        connection,
        case_id,
        said,
        by,
        person_key=person_key,
        named=named,
        follows=follows,
        schema=ENTITLED,
        insert=lambda row: int(insert(connection, "truth.decision", row)["decision_id"]),
    )
