"""The nightly steps by hand, as an engineer runs them: real command, real database, real sources."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from oncehub.settings import Settings
from oncehub.store.connection import Connection
from stubs.client import Systems

from .conftest import Command


@pytest.fixture
def oncehub(
    command_in: Callable[[Mapping[str, str]], Command], settings: Settings, systems: Systems
) -> Command:
    """Run `oncehub` with the test's database and the simulated systems' credentials."""
    environment = {
        "ONCEHUB_DATABASE_URL": str(settings.database_url),
        "ONCEHUB_HOME": str(settings.home),
        "COLUMNS": "120",
        **{f"ONCEHUB_CONN_{name.upper()}": json.dumps(part) for name, part in systems.connections.items()},
    }

    return command_in(environment)


def answered(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_steps_lead_from_sources_to_feeds(oncehub: Command) -> None:
    assert oncehub("init").stdout == "the database is up to date\n"

    runs = answered(oncehub("sync", "population", "tax", "--json"))
    assert [(run["source"], run["mode"], run["done"]) for run in runs] == [
        ("population", "full", True),
        ("tax", "full", True),
    ]
    assert all(
        run["read"] == run["accepted"] + run["unchanged"] + run["quarantined"] > run["quarantined"] > 0
        for run in runs
    )

    [report] = [answered(oncehub("reconcile", "--json"))]
    assert report["people_created"] == report["links"]["register"] == runs[0]["accepted"]
    assert report["links"]["personal_id"] > 500
    assert report["open_by_kind"]["stale"] > 0

    control = answered(oncehub("reconcile", "verify", "--recount", "--json"))
    assert (control["adds_up"], control["differences"]) == (True, [])
    opened = sum(total["added"] for total in control["totals"] if total["subject"] == "discrepancy")
    assert opened == report["opened"]
    table = oncehub("reconcile", "verify").stdout
    assert table.endswith(": adds up\n")
    assert "opening" in table

    feeds = answered(oncehub("publish", "--json"))
    published = {feed["feed"]: feed["changes"] for feed in feeds}
    assert 0 < published.pop("corrections.tax") <= report["opened"]
    # To a bank nobody has consented.
    assert published.pop("bank_customers") == 0
    assert published == dict.fromkeys(("residence", "taxpayers"), report["people_created"])

    status = answered(oncehub("status", "--json"))
    assert status["alarms"] == []
    assert [(row["source"], row["state"]) for row in status["runs"]] == [
        ("population", "succeeded"),
        ("tax", "succeeded"),
    ]

    again = answered(oncehub("sync", "tax", "--json"))
    assert [(run["mode"], run["accepted"], run["deleted"]) for run in again] == [("changes", 0, 0)]

    everything = answered(oncehub("reconcile", "--all", "--json"))
    assert everything["dirty"] == report["dirty"]
    assert (everything["people_created"], everything["people_changed"], everything["opened"]) == (0, 0, 0)


def test_tables_for_people_hold_the_same_and_no_traceback(oncehub: Command) -> None:
    landed = oncehub("sync", "customs")
    assert landed.returncode == 0, landed.stderr
    assert "customs.declarants" in landed.stdout
    assert "reconciled" in oncehub("reconcile").stdout
    assert "succeeded" in oncehub("status").stdout


def test_books_that_the_tables_contradict_end_in_a_status_that_a_script_sees(
    oncehub: Command, database: Connection
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into truth.link values ('tax', 'registrations', 'T1', gen_random_uuid(), 'tax_code')"
        )
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("insert into truth.unlinked values ('tax', 'registrations', 'T2')")
    assert oncehub("reconcile", "verify").returncode == 2
    assert oncehub("reconcile").returncode == 0
    assert oncehub("reconcile", "verify").returncode == 0
    counted = oncehub("reconcile", "verify", "--recount")
    assert counted.returncode == 1
    assert "differences from the tables" in counted.stdout
    assert "T2" not in counted.stdout


def test_checking_finds_the_project_sound(oncehub: Command) -> None:
    assert answered(oncehub("check", "--json"))["faults"] == []
    assert oncehub("schemas", "--check").returncode == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("mappings/sources/tax/registrations.yaml", "[tcvn3,", "[tcvn,", "did you mean 'tcvn3'?"),
        (
            "mappings/agreements/tax-registration.yaml",
            "person.phone",
            "person.fone",
            "did you mean 'person.phone'?",
        ),
        (
            "connectors/tax/connector.yaml",
            "kind: number",
            "kind: numbers",
            "'numbers' is not one of 'number'",
        ),
        (
            "mappings/rules/survivorship.yaml",
            "authority: tax",
            "authority: taxes",
            "there are: banking, customs",
        ),
    ],
)
def test_checking_reports_each_fault_with_its_place(
    oncehub: Command, tmp_path: Path, file: str, old: str, new: str, told: str
) -> None:
    root = Path(__file__).resolve().parents[2]
    for folder in ("connectors", "mappings", "schemas"):
        shutil.copytree(root / folder, tmp_path / "root" / folder)
    path = tmp_path / "root" / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")

    done = oncehub("check", ONCEHUB_ROOT=str(tmp_path / "root"))

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{path}:")
    assert told in line


def test_an_unknown_source_is_reported_with_the_known_ones(oncehub: Command) -> None:
    done = oncehub("sync", "land")
    assert done.returncode == 2
    assert done.stderr.startswith("oncehub: no connector 'land'")
    assert "banking, customs, population, portal, tax" in done.stderr
