"""Open disagreements keep their age over runs, and close when the source comes into line."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 names its class in lower case

from oncehub.reconcile.statements import statement


def settle_refusals(cursor: Cursor) -> tuple[int, int]:
    """Tell of records that bear somebody else's number, in `truth.discrepancy` and as cases.

    Returns:
        How many discrepancies were opened, and closed.
    """
    cursor.execute(statement("wrong_persons"))
    cursor.execute(statement("open_refusals"))
    settled = _settle(cursor)
    cursor.execute(statement("cases"))
    return settled


def settle_differences(cursor: Cursor) -> tuple[int, int]:
    """Bring `truth.discrepancy` in line with what was found; return (opened, closed)."""
    cursor.execute(statement("open_differences"))
    return _settle(cursor)


def _settle(cursor: Cursor) -> tuple[int, int]:
    cursor.execute("analyze open_before; analyze found")
    cursor.execute(statement("discrepancies_close"))
    closed = cursor.rowcount
    cursor.execute(statement("discrepancies_update"))
    cursor.execute(statement("discrepancies_open"))
    return cursor.rowcount, closed
