"""The SQL that the rules of mappings/rules/ generate, so that a change of either shows in golden files.

`ONCEHUB_WRITE_GOLDEN=1 python -m pytest tests/reconcile/test_generated_statements.py` writes the files anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg2 import sql

from oncehub.reconcile.discrepancies.compare import find_differences
from oncehub.reconcile.discrepancies.lifecycle import settle_differences, settle_refusals
from oncehub.reconcile.linking.identifiers import link_records
from oncehub.reconcile.matching.blocking import find_people, note_changed_keys, note_keys
from oncehub.reconcile.matching.features import note_people, note_records
from oncehub.reconcile.rules.planner_hints import PlannerHints
from oncehub.reconcile.rules.rulebook import Rulebook, load_rulebook
from oncehub.reconcile.shards import ALL_PEOPLE
from oncehub.reconcile.survivorship.golden_records import update_golden_records
from oncehub.reconcile.survivorship.ranked_statements import ranked_statements
from oncehub.reconcile.survivorship.versions import Version

GOLDEN = Path(__file__).parent / "golden"

PERSON = UUID("6b2a5f64-8d0c-4b0e-9b1f-0d6f6e1f0a11")


class Recorder:
    """Takes the place of a connection and its cursor; keeps the statements that were composed from rules."""

    rowcount = 0

    def __init__(self, real: Any) -> None:
        self.real = real
        self.statements: list[str] = []

    @property
    def connection(self) -> Recorder:
        return self

    @contextmanager
    def cursor(self, **_: Any) -> Iterator[Recorder]:
        yield self

    def execute(self, statement: str | sql.Composable, _values: Any = None) -> None:
        if isinstance(statement, sql.Composed):
            self.statements.append(statement.as_string(self.real).strip().removesuffix(";"))

    def fetchone(self) -> None:
        return None

    def fetchall(self) -> list[Any]:
        return []


def _compare(recorder: Any, rules: Rulebook) -> None:
    find_differences(recorder, rules, PlannerHints(changed=1, large=False))
    settle_differences(recorder)
    settle_refusals(recorder)


def _rank(recorder: Any, rules: Rulebook) -> None:
    version = Version(datetime(2026, 1, 1, tzinfo=UTC), None, {}, {})
    ranked_statements(recorder, rules, {PERSON: version}, ["full_name", "phone"], version.believed_from)


def _block(recorder: Any, rules: Rulebook) -> None:
    model = rules.matching.model
    assert model
    note_records(recorder, model)
    note_keys(recorder, model)
    find_people(recorder, model, rules.register, "unmatched_key")
    note_people(recorder, model, rules.register)
    note_changed_keys(recorder, model)


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("linking", lambda recorder, rules: link_records(recorder, rules, run=1)),
        ("matching", _block),
        ("survivorship", lambda recorder, rules: update_golden_records(recorder, rules, ALL_PEOPLE)),
        ("explain", _rank),
        ("discrepancies", _compare),
    ],
)
def test_the_rules_make_these_statements(
    settings: Any, database: Any, name: str, run: Callable[[Any, Rulebook], Any]
) -> None:
    recorder = Recorder(database)
    run(recorder, load_rulebook(settings))
    rendered = ";\n\n".join(recorder.statements) + ";\n"
    golden = GOLDEN / f"{name}.sql"
    if os.environ.get("ONCEHUB_WRITE_GOLDEN"):
        golden.write_text(rendered, encoding="utf-8")
    assert rendered == golden.read_text(encoding="utf-8"), (
        "the generated statements have changed; if that is meant, write the golden files anew: "
        "ONCEHUB_WRITE_GOLDEN=1 python -m pytest tests/reconcile/test_generated_statements.py"
    )
