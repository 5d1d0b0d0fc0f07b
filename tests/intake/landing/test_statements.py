"""What the generated statements of landing render to, for the committed entities."""

from __future__ import annotations

import os
from pathlib import Path

from oncehub.config.entities import load_entities
from oncehub.intake.landing import statements
from oncehub.settings import Settings
from oncehub.store.connection import Connection

GOLDEN = Path(__file__).parent / "golden"
GENERATED = {
    "create_stage": statements.create_stage,
    "count_any": statements.count_any,
    "upsert": statements.upsert,
    "drop_unstated": statements.drop_unstated,
    "delete_records": statements.delete_records,
}


def test_each_entitys_statements_are_those_of_its_golden_file(
    settings: Settings, database: Connection
) -> None:
    """Review a difference; where it is meant, rewrite the files with ONCEHUB_REWRITE_GOLDEN=1."""
    rendered = {
        name: "".join(
            f"-- {statement}\n{build(entity).as_string(database).strip()};\n\n"
            for statement, build in GENERATED.items()
        )
        for name, entity in load_entities(settings.schemas).items()
    }
    if os.environ.get("ONCEHUB_REWRITE_GOLDEN"):
        for name, text in rendered.items():
            (GOLDEN / f"{name}.sql").write_text(text, "utf-8")
    assert {path.stem: path.read_text("utf-8") for path in GOLDEN.glob("*.sql")} == rendered
