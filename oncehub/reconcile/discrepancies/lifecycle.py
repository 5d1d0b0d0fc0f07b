"""Open disagreements keep their age over runs, and close when the source comes into line."""

from __future__ import annotations

from datetime import timedelta

from psycopg2.extras import Json

from oncehub.config.rules import SeverityRule
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.store.connection import Cursor
from oncehub.store.statements import statement


def keep_severity(cursor: Cursor, rules: Rulebook) -> None:
    """Bring `truth.severity_rule`, by which discrepancies are read, in line with the rules."""
    given = [_severity(rule) for rule in rules.comparison.severity]
    cursor.execute(statement(__name__, "severity"), {"rules": Json(given)})


def settle_refusals(cursor: Cursor) -> tuple[int, int]:
    """Tell of records that bear somebody else's number, or a cancelled one; of the former as cases, too.

    Returns:
        How many discrepancies were opened, and closed.
    """
    cursor.execute(statement(__name__, "wrong_persons"))
    cursor.execute(statement(__name__, "open_refusals"))
    settled = _settle(cursor, "closing_refusals")
    cursor.execute(statement(__name__, "cases"))
    return settled


def settle_differences(cursor: Cursor) -> tuple[int, int]:
    """Bring `truth.discrepancy` in line with what was found; return (opened, closed)."""
    cursor.execute(statement(__name__, "open_differences"))
    return _settle(cursor, "closing_differences")


def _settle(cursor: Cursor, closing: str) -> tuple[int, int]:
    cursor.execute("analyze open_before; analyze found")
    cursor.execute(statement(__name__, closing))
    cursor.execute(statement(__name__, "discrepancies_close"))
    closed = cursor.rowcount
    cursor.execute(statement(__name__, "discrepancies_update"))
    cursor.execute(statement(__name__, "discrepancies_open"))
    opened = cursor.rowcount
    cursor.execute(statement(__name__, "discrepancies_control"))
    return opened, closed


def _severity(rule: SeverityRule) -> dict[str, str | None]:
    return {
        "kind": rule.kind,
        "attribute": rule.attribute or "*",
        "opens": rule.opens,
        "medium_after": _interval(rule.medium_after),
        "high_after": _interval(rule.high_after),
    }


def _interval(age: timedelta | None) -> str | None:
    return None if age is None else f"{age.total_seconds():.0f} seconds"
