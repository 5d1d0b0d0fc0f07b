"""Every command, over a hub that holds somebody: nothing that it prints or logs speaks of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg2.extras import Json
from typer.testing import CliRunner

from oncehub.cli.app import COMMANDS, app, load_command
from oncehub.intake.quarantine.rejected_records import Quarantine
from oncehub.normalize.batch import Rejected
from oncehub.settings import Settings
from oncehub.share.clients.clients import new_client_key
from oncehub.store.connection import Connection

NAME = "Nguyễn Sentinel Thị Mẫu"
NUMBER = "001184000001"
# Commands that answer for good, write into the repository, or take minutes; transforms are told by examples.
LEFT_OUT = {
    ("api",),
    ("connector", "docs"),
    ("connector", "new"),
    ("connector", "test"),
    ("mapping", "transforms"),
    ("schemas",),
}


def every_command() -> Iterator[tuple[str, ...]]:
    for name in COMMANDS:
        subcommands = getattr(load_command(name), "commands", {})
        yield from ((name, each) for each in subcommands)
        if not subcommands or name == "reconcile":
            yield (name,)


@pytest.fixture
def arguments(
    settings: Settings,
    database: Connection,
    believe: Callable[..., str],
    disagree: Callable[..., int],
    tmp_path: Path,
) -> dict[tuple[str, ...], list[str]]:
    """What the commands are given, over a hub with a person, a discrepancy, a case and a rejected record."""
    person = believe(personal_id=NUMBER, full_name=NAME, phone="+84912000001", religion="Sentinel-Faith")
    found = disagree(person, "full_name", stated=f"{NAME} khác", believed=NAME, key=NUMBER)
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into truth.case_file (kind, person_key, source, stream, source_key, evidence) "
            "values ('wrong_person', %s, 'tax', 'registrations', %s, %s) returning case_id",
            (person, NUMBER, Json({"attribute": "personal_id", "value": NUMBER, "stated": NAME})),
        )
        (case,) = cursor.fetchone() or (0,)
        cursor.execute(
            "insert into intake.run (source, stream, mode, state) "
            "values ('tax', 'registrations', 'full', 'succeeded') returning run_id"
        )
        (run_id,) = cursor.fetchone() or (0,)
        cursor.execute(
            "insert into record.person "
            "(source, stream, source_key, full_name, personal_id, stated_at, deleted_at) "
            "values ('tax', 'registrations', %s, %s, %s, '2001-01-01', '2001-01-01')",
            (NUMBER, NAME, NUMBER),
        )
        bad = Rejected(NUMBER, "contract", "breaks 'type'", "name", json.dumps({"name": NAME}).encode())
        Quarantine(settings, "tax", "registrations").keep(database, run_id, [bad])
    public = tmp_path / "public.json"
    public.write_text(json.dumps(new_client_key(tmp_path / "key.pem")))
    word = ["--by", "clerk", "--reason", "seen"]
    record = ["tax", "registrations", NUMBER]
    return {
        ("audit", "export"): [str(tmp_path / "archive")],
        ("cases", "decide"): [str(case), "same", *word],
        ("cases", "show"): [str(case)],
        ("client", "add"): ["c", "--agreement", "portal-residence", "--public-key", str(public)],
        ("client", "new-key"): [str(tmp_path / "other.pem")],
        ("connector", "check"): ["tax"],
        ("connector", "discover"): ["tax"],
        ("connector", "drift"): ["tax"],
        ("connector", "read"): ["tax"],
        ("discrepancies", "show"): [str(found)],
        ("keys", "retire"): ["00000000"],
        ("link", "remove"): [*record, *word],
        ("link", "find"): ["bank_account.account_number"],
        ("link", "override"): [*record, person, *word],
        ("link", "show"): record,
        ("mapping", "diff"): ["tax.registrations"],
        ("match", "explain"): record,
        ("match", "train"): [],
        ("person", "explain"): [person],
        ("person", "history"): [person],
        ("person", "merge"): [person, person, *word],
        ("person", "merges"): [person],
        ("person", "split"): [person, "--record", "/".join(record), *word],
        ("quarantine", "replay"): ["tax.registrations"],
        ("quarantine", "show"): ["1"],
        ("watch",): ["--once"],
    }


def test_no_command_speaks_of_anybody(
    settings: Settings,
    arguments: dict[tuple[str, ...], list[str]],
    names_nobody: Callable[[str], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "ONCEHUB_ROOT": settings.root,
        "ONCEHUB_HOME": settings.home,
        "ONCEHUB_DATABASE_URL": settings.database_url,
    }.items():
        monkeypatch.setenv(name, str(value))
    every = [path for path in every_command() if path not in LEFT_OUT]
    assert set(arguments) <= set(every)
    assert len(every) > 55

    def said(*words: str) -> str:
        done = CliRunner().invoke(app, words)
        return done.output + (repr(done.exception) if done.exception else "")

    named = [path for path in every if not names_nobody(said(*path, *arguments.get(path, [])))]
    assert named == []
    shown = said("person", "explain", *arguments["person", "explain"], "--show-personal-data")
    assert NAME in shown
