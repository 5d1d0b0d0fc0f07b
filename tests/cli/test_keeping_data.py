"""`oncehub keys` and `oncehub retention` as an operator runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from oncehub.cli.app import app
from oncehub.encryption.key_ring import load_key_ring
from oncehub.settings import Settings
from oncehub.store.connection import Connection


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command over the test's hub and returns what it prints, parsed where it is JSON."""
    for name in ("root", "home", "database_url"):
        monkeypatch.setenv(f"ONCEHUB_{name.upper()}", str(getattr(settings, name)))

    def running(*words: str) -> Any:
        done = CliRunner().invoke(app, words)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return json.loads(done.stdout) if "--json" in words else (done.exit_code, done.stdout)

    return running


def test_a_key_is_listed_followed_by_another_and_retired_and_a_data_key_replaced(
    run: Callable[..., Any], settings: Settings
) -> None:
    former = load_key_ring(settings.home).primary
    [ring, data] = run("keys", "list", "--json")
    assert (ring["key"], ring["wraps"], data["kind"]) == (former, [data["key"]], "data")
    assert run("keys", "rotate", "--json") == {"data_keys": 1}
    primary = load_key_ring(settings.home).primary
    assert [use["key"] for use in run("keys", "list", "--json")] == [primary, former, data["key"]]
    assert run("keys", "retire", former) == (0, f"the key {former} is removed\n")
    assert run("keys", "reencrypt", "--json") == {}
    [ring, replaced] = run("keys", "list", "--json")
    assert (ring["key"], replaced["key"] != data["key"]) == (primary, True)


def test_a_dry_run_purges_nothing_and_proofs_are_verified(
    run: Callable[..., Any], database: Connection
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into truth.person_version values "
            "(gen_random_uuid(), '2001-01-01', '2002-01-01', '{}', '{}')"
        )
    due = {each["kind"]: each["due"] for each in run("retention", "purge", "--dry-run", "--json")}
    assert due["person_versions"] == 1
    assert run("retention", "status", "--json")[2]["due"] == 1
    assert run("retention", "purge", "--json")["removed"] == {"person_versions": 1}
    assert run("retention", "verify") == (0, "all proofs are valid; 1 are not signed yet\n")
    assert run("audit", "checkpoint", "--json")["proofs"] == 1
    assert run("retention", "verify") == (0, "all proofs are valid\n")
    with database, database.cursor() as cursor:
        cursor.execute("alter table audit.purge disable trigger purge_insert_only")
        cursor.execute("update audit.purge set removed = 2")
    assert run("retention", "verify") == (1, "proof 1 differs from the columns beside it\n")
