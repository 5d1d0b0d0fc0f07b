"""Cases that an agreement covers, read and decided as its role; all cases: `reconcile.stewardship.cases`.

Every connection is in a transaction, and may become the agreement's role.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg2 import sql

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
from oncehub.share.roles import as_agreement, schema_of
from oncehub.store.connection import Connection


def list_agreement_cases(
    connection: Connection, agreement: Agreement, own: Cases, *, closed: bool, after: int, limit: int
) -> list[Case]:
    """Give the agreement's cases `own` by number, and nothing of what they are about; see `list_cases`."""
    with as_agreement(connection, agreement):
        return list_cases(
            connection,
            kinds=own.kinds,
            sources=own.sources,
            closed=closed,
            after=after,
            limit=limit,
            schema=schema_of(agreement.name),
        )


def find_agreement_case(connection: Connection, agreement: Agreement, case_id: int) -> Case:
    """Give one case without what it is about.

    Raises:
        CaseNotFound: when the agreement has none of that number.
    """
    with as_agreement(connection, agreement):
        return find_case(connection, case_id, schema_of(agreement.name))


def read_agreement_case(connection: Connection, agreement: Agreement, case_id: int) -> CaseContent:
    """Return what a case is about, as far as the agreement covers it.

    Raises:
        CaseNotFound: when the agreement has none of that number.
    """
    schema = schema_of(agreement.name)
    content = sql.Identifier(schema, "case_content")
    people = sql.SQL("{}(%(case_id)s)").format(sql.Identifier(schema, "case_people"))
    with as_agreement(connection, agreement) as cursor:
        return read_content(cursor, case_id, content, people)


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
    with as_agreement(connection, agreement):
        return open_case_file(connection, case_id, attributes, content, schema_of(agreement.name))


def decide_agreement_case(
    connection: Connection,
    agreement: Agreement,
    case_id: int,
    said: CaseVerdict,
    by: DecidedBy,
    *,
    person_key: UUID | None,
    named: Sequence[str],
    follows: int | None,
) -> Decision:
    """Decide a case of the agreement's; arguments and errors are those of `decide`."""
    with as_agreement(connection, agreement):
        return decide(
            connection,
            case_id,
            said,
            by,
            person_key=person_key,
            named=named,
            follows=follows,
            schema=schema_of(agreement.name),
        )
