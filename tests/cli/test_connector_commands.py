"""An engineer's hour: a source described only by its documentation lands, and nobody wrote Python."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from oncehub.settings import Settings
from oncehub.store.connection import Connection
from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant

from .conftest import Command

PEOPLE = 60


@pytest.fixture(scope="module")
def landuse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileSource]:
    """The land-use register, as its documentation describes it."""
    state = tmp_path_factory.mktemp("landuse")
    with HostileSource.start(state, variant=Variant(), people=PEOPLE, seed=1) as running:
        yield running


@pytest.fixture
def oncehub(
    command_in: Callable[[Mapping[str, str]], Command], extendable: Settings, landuse: HostileSource
) -> Command:
    """Run `oncehub` with a configuration of its own and the land-use register's credentials."""
    environment = {
        "ONCEHUB_ROOT": str(extendable.root),
        "ONCEHUB_DATABASE_URL": str(extendable.database_url),
        "ONCEHUB_HOME": str(extendable.home),
        "ONCEHUB_CONN_LANDUSE": json.dumps(landuse.connection),
        "COLUMNS": "140",
    }

    return command_in(environment)


def done(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout


@pytest.fixture
def described(oncehub: Command, landuse: HostileSource, tmp_path: Path) -> None:
    """Begin from the register's OpenAPI description and take what its holders suggest."""
    description = tmp_path / "api.json"
    description.write_bytes(requests.get(f"{landuse.connection['host']}/openapi.json", timeout=10).content)
    done(oncehub("connector", "new", "landuse", "--from-openapi", str(description)))
    done(oncehub("connector", "discover", "landuse.holders", "--write"))


def personal_values(landuse: HostileSource) -> set[str]:
    return {str(record[name]) for record in landuse.records() for name in ("maSo", "hoTen", "soDinhDanh")}


@pytest.mark.usefixtures("described")
def test_from_a_description_to_records_that_land(
    oncehub: Command, landuse: HostileSource, extendable: Settings, database: Connection
) -> None:
    # Nothing about documents is known by name, and no field is taken for a person's name on a guess.
    refused = oncehub("check")
    assert "documents.yaml:3:3: person.full_name:" in refused.stderr + refused.stdout
    documents = extendable.mappings / "sources/landuse/documents.yaml"
    documents.write_text("document:\n  file_id: {from: soPhatHanh}\n", "utf-8")
    done(oncehub("check"))
    told = done(oncehub("connector", "check", "landuse.holders"))
    assert f"{PEOPLE} can be landed" in told
    # The code of deletion stands in the documentation only.
    path = extendable.connectors / "landuse" / "connector.yaml"
    flag = "    deletes: {kind: flag, field: trangThai, equals: HUY}\n  documents:\n"
    path.write_text(path.read_text("utf-8").replace("  documents:\n", flag, 1), "utf-8")

    [run] = json.loads(done(oncehub("sync", "landuse", "--stream", "holders", "--json")))
    assert (run["read"], run["accepted"], run["quarantined"]) == (PEOPLE, PEOPLE, 0)
    [again] = json.loads(done(oncehub("sync", "landuse", "--stream", "holders", "--json")))
    assert (again["mode"], again["accepted"]) == ("changes", 0)
    window = ("--since", "2025-11-01", "--until", "2025-11-04")
    [part] = json.loads(done(oncehub("sync", "landuse", "--stream", "holders", "--json", *window)))
    assert (part["mode"], part["accepted"], part["done"]) == ("backfill", 0, True)
    with database, database.cursor() as cursor:
        cursor.execute("select full_name, personal_id from record.person where source = 'landuse'")
        held = set(cursor.fetchall())
    assert held == {(record["hoTen"], record["soDinhDanh"]) for record in landuse.records()}


@pytest.mark.usefixtures("described")
def test_a_path_to_the_next_page_that_no_page_has_fails_at_every_gate(
    oncehub: Command, extendable: Settings, database: Connection
) -> None:
    path = extendable.connectors / "landuse" / "connector.yaml"
    text = path.read_text("utf-8")
    pages = text.replace("value: 1000", "value: 25").replace(", total: data.total", "")
    path.write_text(pages.replace("data.next", "data.nxt"), "utf-8")
    read = ("connector", "read", "landuse.holders", "--limit", "1000")
    for command in (
        ("connector", "check", "landuse.holders"),
        read,
        ("connector", "test", "landuse", "holders", "--json"),
        ("sync", "landuse", "--stream", "holders"),
    ):
        refused = oncehub(*command)
        told = refused.stdout + refused.stderr
        assert (refused.returncode, "no next page is named at `data.nxt`" in told) == (1, True), command
        assert ('"unproven_end"' in told) == (command[1] == "test"), command
    with database, database.cursor() as cursor:
        cursor.execute("select state, accepted from intake.run")
        assert cursor.fetchall() == [("failed", 0)]
    path.write_text(pages, "utf-8")
    assert len(done(oncehub(*read)).splitlines()) == PEOPLE


@pytest.mark.usefixtures("described")
def test_no_output_shows_personal_data_unless_requested_and_logged(
    oncehub: Command, landuse: HostileSource, database: Connection
) -> None:
    secret = personal_values(landuse)
    shown = [
        oncehub("connector", "check", "landuse.holders"),
        oncehub("connector", "read", "landuse.holders", "--limit", "20"),
        oncehub("connector", "read", "landuse.holders", "--limit", "20", "--mapped"),
        oncehub("connector", "discover", "landuse.holders", "--json"),
        oncehub("mapping", "diff", "landuse.holders", "--old-root", str(Path.cwd()), "--live", "5"),
    ]
    for result in shown:
        assert not [value for value in secret if value in result.stdout + result.stderr]
    line = json.loads(done(shown[1]).splitlines()[0])
    assert re.fullmatch(r"[xX ]+", line["hoTen"])
    assert line["gioiTinh"] in ("0", "1")

    told = done(oncehub("connector", "read", "landuse.holders", "--limit", "2", "--show-personal-data"))
    assert [json.loads(row)["maSo"] in secret for row in told.splitlines()] == [True, True]
    with database, database.cursor() as cursor:
        cursor.execute("select command, source, stream, records from audit.disclosure")
        assert cursor.fetchall() == [("connector read", "landuse", "holders", 2)]


@pytest.mark.usefixtures("described")
def test_without_a_log_nothing_is_shown_in_clear(oncehub: Command) -> None:
    unreachable = "postgresql://nobody@127.0.0.1:1/none"
    refused = oncehub(
        "connector", "read", "landuse.holders", "--show-personal-data", ONCEHUB_DATABASE_URL=unreachable
    )
    assert refused.returncode == 1
    assert refused.stdout == ""


@pytest.mark.usefixtures("described")
def test_a_change_of_the_mapping_is_reported_field_by_field(
    oncehub: Command, extendable: Settings, tmp_path: Path
) -> None:
    path = extendable.mappings / "sources/landuse/holders.yaml"
    before = path.read_text("utf-8")
    frozen = tmp_path / "frozen"
    subprocess.run(["cp", "-rL", str(extendable.root), str(frozen)], check=True)
    path.write_text(re.sub(r"(?m)^  phone:.*\n", "", before).replace("sex_1_0", "sex_1_2"), "utf-8")
    command = (
        "mapping",
        "diff",
        "landuse.holders",
        "--old-root",
        str(frozen),
        "--live",
        str(PEOPLE),
        "--json",
    )
    found: Any = json.loads(done(oncehub(*command)))
    differing = {each["attribute"]: each for each in found["differences"] if each["same"] < PEOPLE}
    assert differing["person.phone"]["emptied"] > 0
    assert found["records"] == PEOPLE
    same = json.loads(done(oncehub(*command[:4], str(extendable.root), *command[5:])))
    assert all(each["same"] == PEOPLE for each in same["differences"])


@pytest.mark.usefixtures("described")
def test_a_refused_record_is_listed_shown_masked_and_lands_after_the_fix(
    oncehub: Command, extendable: Settings, landuse: HostileSource
) -> None:
    path = extendable.mappings / "sources/landuse/holders.yaml"
    sound = path.read_text("utf-8")
    path.write_text(sound.replace("partial_date: dd/MM/yyyy", "partial_date: MM/yyyy"), "utf-8")
    connector = extendable.connectors / "landuse/connector.yaml"
    text = connector.read_text("utf-8")
    bound = "    quarantine: {at_most: 1.0}\n  documents:\n"
    connector.write_text(text.replace("  documents:\n", bound, 1), "utf-8")
    [run] = json.loads(done(oncehub("sync", "landuse", "--stream", "holders", "--json")))
    assert run["quarantined"] == PEOPLE

    listed = json.loads(done(oncehub("quarantine", "list", "landuse", "--json")))
    assert len(listed) == PEOPLE
    assert {each["path"] for each in listed} == {"person.birth_date"}
    payload = done(oncehub("quarantine", "show", str(listed[0]["rejected_id"])))
    # What a code list may have refused can be seen; it says nothing about anybody.
    assert json.loads(payload)["gioiTinh"] in ("0", "1")
    told = done(oncehub("quarantine", "list", "landuse", "--limit", "3"))
    assert "mapping person.birth_date" in told
    assert "the newest 3 only" in told
    assert not [value for value in personal_values(landuse) if value in payload]
    wrong = oncehub("quarantine", "show", str(listed[0]["rejected_id"]), ONCEHUB_KEY_DATA="A" * 43 + "=")
    assert wrong.returncode == 2
    assert "is not in the key ring (ONCEHUB_KEY_DATA" in wrong.stderr

    path.write_text(sound, "utf-8")
    [report] = json.loads(done(oncehub("quarantine", "replay", "landuse.holders", "--json")))
    assert (report["tried"], report["landed"], report["rejected"]) == (PEOPLE, PEOPLE, 0)
    assert json.loads(done(oncehub("quarantine", "list", "landuse", "--json"))) == []


WRONG = {
    "parameter: cursor": ("parameter: trang", "page 2: answered 400; check the path and the parameters sent"),
    "since: since": ("since: from", "requesting changes: landuse.holders: page 1: answered 400"),
    "records: data.items": ("records: items", "holds no list at `items`; there is one at `data.items`"),
    "key: [maSo]": ("key: [gioiTinh]", "share their key with another record"),
    "path: /holders,": ("path: /holder,", "answered 404; check the path"),
    "scope: sodiachinh.read": ("scope: sodiachinh.write", "(invalid_scope: scope must contain"),
}


@pytest.mark.usefixtures("described")
@pytest.mark.parametrize("right", WRONG)
def test_a_look_finds_what_a_newcomer_writes_wrong(
    right: str, oncehub: Command, extendable: Settings, landuse: HostileSource
) -> None:
    path = extendable.connectors / "landuse" / "connector.yaml"
    text = re.sub(r"value: \d+", "value: 20", path.read_text("utf-8"))
    wrong, told = WRONG[right]
    assert right in text
    path.write_text(text.replace(right, wrong, 1), "utf-8")
    result = oncehub("connector", "check", "landuse.holders")
    assert told in result.stdout
    assert not [value for value in personal_values(landuse) if value in result.stdout + result.stderr]
    assert str(landuse.connection["password"]) not in result.stdout + result.stderr


@pytest.mark.usefixtures("described")
def test_a_stream_is_read_before_it_has_a_contract(oncehub: Command, extendable: Settings) -> None:
    (extendable.schemas / "sources/landuse/holders.json").unlink()
    line = json.loads(done(oncehub("connector", "read", "landuse.holders", "--limit", "1")).splitlines()[0])
    assert line["gioiTinh"] == "9"
    looked = oncehub("connector", "check", "landuse.holders")
    assert looked.returncode == 1
    assert "oncehub connector discover landuse.holders --write" in looked.stdout


@pytest.mark.usefixtures("described")
def test_a_failed_run_is_shown_whole_at_any_width(
    oncehub: Command, extendable: Settings, landuse: HostileSource
) -> None:
    path = extendable.connectors / "landuse" / "connector.yaml"
    once = re.sub(r"limits: \{", "limits: {attempts: 1, ", path.read_text("utf-8"))
    path.write_text(once, "utf-8")
    nowhere = json.dumps(landuse.connection | {"host": "http://127.0.0.1:9"})
    failed = oncehub("sync", "landuse.holders", ONCEHUB_CONN_LANDUSE=nowhere)
    assert failed.returncode == 1
    shown = oncehub("status", COLUMNS="80")
    assert shown.returncode == 1
    *table, error = shown.stdout.splitlines()
    assert any("landuse.holders  failed" in line for line in table)
    assert max(map(len, table)) <= 80
    assert error.startswith("landuse.holders: ")
    assert error.endswith("tried once")
    assert "127.0.0.1" not in error


def test_the_template_begins_a_source_that_checks(oncehub: Command, extendable: Settings) -> None:
    told = done(oncehub("connector", "new", "landuse"))
    assert "ONCEHUB_CONN_LANDUSE" in told
    done(oncehub("check"))
    written = json.loads(done(oncehub("connector", "new", "landuse2", "--json")))["wrote"]
    assert written[0] == str(extendable.connectors / "landuse2" / "connector.yaml")
    assert all(Path(path).is_file() for path in written)
    again = oncehub("connector", "new", "landuse")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_what_is_discovered_takes_the_place_of_the_template_whole(
    oncehub: Command, extendable: Settings, landuse: HostileSource
) -> None:
    done(oncehub("connector", "new", "landuse", "--stream", "holders"))
    path = extendable.connectors / "landuse" / "connector.yaml"
    text = path.read_text("utf-8")
    for wrong, right in {
        "{kind: none}": "{kind: oauth2, token_path: /oauth2/token, scope: sodiachinh.read}",
        "records: items": "records: data.items",
        "next: next": "next: data.next",
        "key: [id]": "key: [maSo]",
        "field: updatedAt": "field: capNhat",
    }.items():
        assert wrong in text
        text = text.replace(wrong, right)
    path.write_text(text, "utf-8")
    done(oncehub("connector", "discover", "landuse", "--write"))
    done(oncehub("check"))
    assert f"{PEOPLE} can be landed" in done(oncehub("connector", "check", "landuse"))


def test_mistakes_are_reported_with_what_to_write(oncehub: Command) -> None:
    for arguments, told in (
        (("connector", "check", "nothing"), "there are: banking, customs"),
        (("connector", "read", "portal"), "portal.accounts, portal.dossiers"),
        (("connector", "check", "tax"), "ONCEHUB_CONN_TAX is not set"),
        (("sync", "tax", "--since", "2026-01-01"), "a backfill needs both bounds"),
        (("sync", "tax", "--since", "x", "--until", "y"), "since is not a time"),
        (("sync", "tax", "--full", "--since", "2026-01-01"), "leave --since and --until out"),
        (("quarantine", "show", "99"), "there is no rejected record 99"),
        (("mapping", "diff", "tax", "--old", "no-such-revision"), "name another revision with --old"),
    ):
        result = oncehub(*arguments, ONCEHUB_CONN_TAX="" if "check" in arguments else '{"host": "https://a"}')
        assert result.returncode in (1, 2), arguments
        assert told in result.stderr, arguments
        assert "Traceback" not in result.stderr


def test_the_transforms_are_listed_with_examples(oncehub: Command) -> None:
    listed = json.loads(done(oncehub("mapping", "transforms", "--json")))
    assert {"nfc", "tcvn3", "partial_date", "phone_vn"} <= {each["name"] for each in listed}
    assert all(each["summary"] and each["examples"] for each in listed)


def test_pages_that_are_out_of_date_are_named(oncehub: Command, extendable: Settings) -> None:
    assert oncehub("connector", "docs", "--check").returncode == 2
    done(oncehub("connector", "docs"))
    page = extendable.root / "docs/connectors/tax.md"
    assert "| tax_code |" in page.read_text("utf-8")
    assert done(oncehub("connector", "docs", "--check")) == ""
    page.write_text("x", "utf-8")
    stale = oncehub("connector", "docs", "--check")
    assert str(page) in stale.stdout
    for arguments, state in ((("--check",), "out of date"), ((), "wrote")):
        told = oncehub("connector", "docs", "--json", *arguments)
        assert json.loads(told.stdout) == [{"page": str(page), "state": state}]
    assert json.loads(done(oncehub("connector", "docs", "--json"))) == []
