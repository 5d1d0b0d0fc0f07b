"""Open disagreements keep their age over runs, and close when the source comes into line."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 names its class in lower case

from oncehub.reconcile.statements import statement


def settle_discrepancies(cursor: Cursor) -> tuple[int, int]:
    """Bring `truth.discrepancy` and `truth.case_file` in line with `found`; return (opened, closed)."""
    cursor.execute(statement("discrepancies"))
    cursor.execute(statement("discrepancies_close"))
    closed = cursor.rowcount
    cursor.execute(statement("discrepancies_update"))
    cursor.execute(statement("discrepancies_open"))
    opened = cursor.rowcount
    cursor.execute(statement("cases"))
    return opened, closed
