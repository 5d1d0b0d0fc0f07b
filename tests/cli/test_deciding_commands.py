"""What clerks decide at the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from oncehub.reconcile.run import reconcile

ROOT = Path(__file__).resolve().parents[2]

_RECORD = """
insert into record.person (source, stream, source_key, personal_id, full_name, birth_date, stated_at)
values (%s, %s, %s, '001184000001', 'Nguyễn Thị Ánh', '1984-05-07', '2026-01-01')
"""


@pytest.fixture
def account(settings, database):
    """A person of the register and an account, linked by the number; gives the account's record."""
    record = ("banking", "accounts", "B1")
    with database, database.cursor() as cursor:
        for key in (("population", "citizens", "CD1"), record):
            cursor.execute("select record.attach_source(%s)", key[:1])
            cursor.execute(_RECORD, key)
            cursor.execute("insert into intake.dirty (source, stream, source_key) values (%s, %s, %s)", key)
    reconcile(settings)
    return record


def test_a_wrong_link_is_shown_broken_and_set_again(oncehub, account):
    before = json.loads(oncehub("link", "show", *account, "--json").stdout)
    person = before["link"]["person_key"]
    assert (before["link"]["method"], before["overrides"]) == ("personal_id", [])

    broken = oncehub("link", "remove", *account, "--by", "clerk", "--reason", "another person's account")
    assert (broken.returncode, broken.stderr) == (0, "")
    assert oncehub("reconcile").returncode == 0
    shown = oncehub("link", "show", *account).stdout
    assert "linked to nobody" in shown
    assert "another person's account" in shown
    again = oncehub("link", "remove", *account, "--by", "clerk", "--reason", "once more")
    assert (again.returncode, again.stdout) == (1, "")
    assert "is not linked" in again.stderr

    assert oncehub("link", "override", *account, person, "--by", "other", "--reason", "seen").returncode == 0
    assert oncehub("reconcile").returncode == 0
    after = json.loads(oncehub("link", "show", *account, "--json").stdout)
    assert (after["link"]["method"], [each["active"] for each in after["overrides"]]) == (
        "override",
        [True, False],
    )


def test_a_decision_names_its_clerk_and_its_reason(oncehub, account):
    for options in (["--by", "clerk"], ["--reason", "seen"]):
        assert "Missing option" in oncehub("link", "remove", *account, *options).stderr
    blank = oncehub("link", "remove", *account, "--by", " ", "--reason", "seen")
    assert (blank.returncode, "the name of the clerk" in blank.stderr) == (2, True)


def test_people_are_merged_split_and_unmerged(oncehub, settings, database, account):
    with database, database.cursor() as cursor:
        key = ("population", "citizens", "CD2")
        cursor.execute(
            "insert into record.person (source, stream, source_key, personal_id, full_name, stated_at) "
            "values (%s, %s, %s, '001184000002', 'Nguyễn Thị Ánh', '2026-01-01')",
            key,
        )
        cursor.execute("insert into intake.dirty (source, stream, source_key) values (%s, %s, %s)", key)
        cursor.execute(
            "select truth.person_key('population', 'citizens', name)::text "
            "from unnest(array['CD1', 'CD2']) name"
        )
        (first,), (second,) = cursor.fetchall()
    reconcile(settings)
    word = ("--by", "clerk", "--reason", "seen")
    assert oncehub("person", "merge", second, first, *word).returncode == 0
    again = oncehub("person", "merge", first, second, *word)
    assert (again.returncode, "merged into somebody else already" in again.stderr) == (1, True)
    (joining,) = json.loads(oncehub("person", "merges", first, "--json").stdout)
    assert (joining["verdict"], joining["active"]) == ("one", True)
    assert oncehub("person", "unmerge", second, *word).returncode == 0
    reconcile(settings)

    misnamed = oncehub("person", "split", first, "--record", "banking", *word)
    assert (misnamed.returncode, "source.stream/key" in misnamed.stderr) == (2, True)
    done = oncehub("person", "split", first, "--record", "banking.accounts/B1", "--to", second, *word)
    assert (done.returncode, done.stderr) == (0, "")
    reconcile(settings)
    standing = json.loads(oncehub("link", "show", *account, "--json").stdout)
    assert (standing["link"]["person_key"], standing["link"]["method"]) == (second, "override")


@pytest.fixture
def borrowed(settings, database):
    """An account under the number of somebody of another name: one open case; gives its number."""
    with database, database.cursor() as cursor:
        for key, name, born in (
            (("population", "citizens", "CD1"), "Nguyễn Thị Ánh", "1984-05-07"),
            (("portal", "accounts", "TK1"), "Trần Văn Bình", "1990-11-20"),
        ):
            cursor.execute("select record.attach_source(%s)", key[:1])
            cursor.execute(
                "insert into record.person (source, stream, source_key, personal_id, full_name, birth_date, "
                "stated_at) values (%s, %s, %s, '001184000001', %s, %s, '2026-01-01')",
                (*key, name, born),
            )
            cursor.execute("insert into intake.dirty (source, stream, source_key) values (%s, %s, %s)", key)
    reconcile(settings)
    with database, database.cursor() as cursor:
        cursor.execute("select case_id from truth.case_file")
        ((case_id,),) = cursor.fetchall()
    return str(case_id)


def test_a_case_is_listed_shown_masked_and_decided(oncehub, settings, database, borrowed, tmp_path):
    (listed,) = json.loads(oncehub("cases", "list", "--json").stdout)
    assert (str(listed["case_id"]), listed["kind"]) == (borrowed, "wrong_person")
    table = oncehub("cases", "list")
    assert "portal.accounts" in table.stdout

    masked = oncehub("cases", "show", borrowed)
    assert masked.returncode == 0, masked.stderr
    assert "side by side" in masked.stdout
    for personal in ("Trần Văn Bình", "Nguyễn Thị Ánh", "001184000001", "TK1"):
        assert personal not in masked.stdout + table.stdout
    file = json.loads(oncehub("cases", "show", borrowed, "--json").stdout)
    assert "Trần" not in json.dumps(file, ensure_ascii=False)

    shown = oncehub("cases", "show", borrowed, "--show-personal-data")
    assert "Trần Văn Bình" in shown.stdout
    with database, database.cursor() as cursor:
        cursor.execute("select command, source, stream, records from audit.disclosure")
        assert cursor.fetchall() == [("cases show", "portal", "accounts", 2)]

    unmodelled = oncehub("cases", "show", borrowed, "--chart", str(tmp_path / "chart.html"))
    assert (unmodelled.returncode, "no matching model is active" in unmodelled.stderr) == (2, True)

    word = ("--by", "clerk", "--reason", "not theirs")
    decided = oncehub("cases", "decide", borrowed, "different", *word, "--json")
    assert json.loads(decided.stdout)["takes_effect"] is True
    again = oncehub("cases", "decide", borrowed, "different", *word)
    assert (again.returncode, again.stdout) == (1, "")
    assert "it was decided by clerk" in again.stderr
    assert oncehub("cases", "list").stdout == "cases: none\n"
    assert "decided" in oncehub("cases", "list", "--all").stdout


def test_a_case_that_needs_four_eyes_names_who_must_confirm(command_in, editable, database, borrowed):
    rules = editable.mappings / "rules"
    rules.unlink()
    shutil.copytree(ROOT / "mappings" / "rules", rules)
    written = (rules / "cases.yaml").read_text("utf-8")
    alone, together = "wrong_person: {four_eyes: false}", "wrong_person: {four_eyes: true}"
    assert alone in written
    (rules / "cases.yaml").write_text(written.replace(alone, together), "utf-8")
    oncehub = command_in(
        {
            "ONCEHUB_DATABASE_URL": str(editable.database_url),
            "ONCEHUB_HOME": str(editable.home),
            "ONCEHUB_ROOT": str(editable.root),
        }
    )
    first = oncehub("cases", "decide", borrowed, "same", "--by", "clerk", "--reason", "seen")
    assert "has no effect until another clerk gives the same verdict with --follows" in first.stdout
    number = first.stdout.split()[1]
    second = ("cases", "decide", borrowed, "same", "--reason", "seen too", "--follows", number)
    assert "your own" in oncehub(*second, "--by", "clerk").stderr
    assert "is closed" in oncehub(*second, "--by", "other").stdout
