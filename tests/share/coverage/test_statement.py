"""The generated statement of coverage, as it is for the committed procedures.

Write the golden files with `ONCEHUB_WRITE_GOLDEN=1` after a change, and review the
difference.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from psycopg2 import sql

from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.coverage.measure import questions_of
from oncehub.share.coverage.statement import answers_statement, people_in
from oncehub.store.connection import Connection

DAY = date(2026, 9, 1)
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("agreement", ["portal-residence", "portal-essential"])
def test_the_statement_for_the_committed_procedures_is_the_golden_one(
    settings: Settings, database: Connection, agreement: str
) -> None:
    agreed, procedures = load_agreements(settings)[agreement], load_procedures(settings)
    forms = [procedures[code].items_on(DAY) for code in agreed.procedures]
    questions = questions_of(forms, agreed)
    covered = {name: sql.SQL("true") for name in people_in(questions)}
    text = answers_statement(questions, covered, sql.SQL("true")).as_string(database).strip() + "\n"
    golden = GOLDEN / f"{agreement}.sql"
    if os.environ.get("ONCEHUB_WRITE_GOLDEN"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")
