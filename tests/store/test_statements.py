"""SQL longer than fifteen lines stands in a file of its own, beside the code that runs it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from oncehub.store.statements import statement

ONCEHUB = Path(__file__).resolve().parents[2] / "oncehub"
MOST_LINES = 15
SQL = re.compile(r"\b(select|insert into|update|delete from|create (temporary )?(table|view|function))\b")
NAMED = re.compile(r'\bstatement\(__name__, "(\w+)"\)')


def long_statements(file: Path) -> Iterator[int]:
    """Give the lines at which SQL longer than fifteen lines begins; docstrings are none."""
    tree = ast.parse(file.read_text("utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        each.body[0].value
        for each in ast.walk(tree)
        if isinstance(each, documented) and each.body and isinstance(each.body[0], ast.Expr)
    }
    for each in ast.walk(tree):
        if not isinstance(each, ast.Constant) or not isinstance(each.value, str) or each in docstrings:
            continue
        if len(each.value.strip().splitlines()) > MOST_LINES and SQL.search(each.value):
            yield each.lineno


def test_no_module_holds_a_statement_of_more_than_fifteen_lines() -> None:
    found = {
        str(file.relative_to(ONCEHUB)): lines
        for file in sorted(ONCEHUB.rglob("*.py"))
        if (lines := list(long_statements(file)))
    }
    assert found == {}


def test_every_file_of_sql_is_run_and_every_statement_that_is_named_has_its_file() -> None:
    files = {file for file in ONCEHUB.rglob("*.sql") if file.parent.name == "sql"}
    named = {
        module.parent / "sql" / f"{name}.sql"
        for module in ONCEHUB.rglob("*.py")
        for name in NAMED.findall(module.read_text("utf-8"))
    }
    assert named <= files
    assert {file for file in files - named if not _named_in(file)} == set()


def _named_in(file: Path) -> bool:
    """Whether a module beside the file's folder names it in another way."""
    return any(f'"{file.stem}"' in module.read_text("utf-8") for module in file.parent.parent.glob("*.py"))


def test_a_statement_without_its_file_is_said_by_its_path() -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.sql"):
        statement("oncehub.store.statements", "none")
