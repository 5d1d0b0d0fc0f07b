"""The baseline and the routines make the database that 48 migrations made, on servers of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oncehub.store.connection import connect
from oncehub.store.migrate import migrate
from oncehub.store.server import start_embedded, stop_embedded
from tests.store.catalogue import QUERIES, snapshot

BEFORE = Path(__file__).parent / "before"

EMPTY = {"policies", "default privileges", "statistics", "event triggers", "casts and operators"}

# `select *` inside it has one column more, added to the table after the view; nothing reads it there, and
# what the
# view returns is compared among columns.
ONE_COLUMN_MORE = "truth.open_discrepancy"

LEDGER = """
create table public.oncehub_migration (
    name       text primary key,
    digest     text not null,
    applied_at timestamptz not null default now()
)
"""


@pytest.fixture(scope="module")
def both(server_folder: Callable[[], Path]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    folders = server_folder() / "before", server_folder() / "now"
    before, now = (connect(start_embedded(folder, database="made")) for folder in folders)
    with before, before.cursor() as cursor:
        cursor.execute(LEDGER)
        for file in sorted(BEFORE.glob("*.sql")):
            cursor.execute(file.read_text("utf-8"))
    migrate(now)
    found = []
    for database in before, now:
        with database, database.cursor() as cursor:
            cursor.execute("select record.attach_source(source) from unnest(array['tax', 'portal']) source")
        found.append(snapshot(database))
        database.close()
    for folder in folders:
        stop_embedded(folder)
    return found[0], found[1]


@pytest.mark.parametrize("catalogue", QUERIES)
def test_the_baseline_makes_what_the_migrations_made(catalogue: str, both) -> None:
    before, now = (made[catalogue] for made in both)
    assert before or catalogue in EMPTY
    if catalogue == "constraints":
        # Constraints that were added to tables with rows are valid where there are none.
        assert sum(" NOT VALID" in line for line in before) == 2
        before = sorted(line.replace(' NOT VALID"', '"').replace(" NOT VALID'", "'") for line in before)
        before = [line.replace("False, False, False, None)", "False, False, True, None)") for line in before]
        assert not any("False, False, False, None)" in line for line in now)
    if catalogue in {"views", "rules"}:
        before, now = ([line for line in lines if ONE_COLUMN_MORE not in line] for lines in (before, now))
    assert sorted(set(before) ^ set(now)) == []
    assert now == before
