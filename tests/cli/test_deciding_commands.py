"""What clerks decide at the command line."""

from __future__ import annotations

import json

import pytest

from oncehub.reconcile import reconcile

_RECORD = """
insert into record.person (source, stream, source_key, personal_id, full_name, birth_date, stated_at)
values (%s, %s, %s, '001184000001', 'Nguyễn Thị Ánh', '1984-05-07', '2026-01-01')
"""


@pytest.fixture
def oncehub(command_in, settings):
    return command_in(
        {
            "ONCEHUB_DATABASE_URL": str(settings.database_url),
            "ONCEHUB_HOME": str(settings.home),
            "COLUMNS": "160",
        }
    )


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
    assert (before["link"]["method"], before["rulings"]) == ("personal_id", [])

    broken = oncehub("link", "break", *account, "--by", "clerk", "--reason", "another person's account")
    assert (broken.returncode, broken.stderr) == (0, "")
    assert oncehub("reconcile").returncode == 0
    shown = oncehub("link", "show", *account).stdout
    assert "linked to nobody" in shown
    assert "another person's account" in shown
    again = oncehub("link", "break", *account, "--by", "clerk", "--reason", "once more")
    assert (again.returncode, again.stdout) == (1, "")
    assert "linked to nobody" in again.stderr

    assert oncehub("link", "set", *account, person, "--by", "other", "--reason", "seen").returncode == 0
    assert oncehub("reconcile").returncode == 0
    after = json.loads(oncehub("link", "show", *account, "--json").stdout)
    assert (after["link"]["method"], [each["stands"] for each in after["rulings"]]) == (
        "ruling",
        [True, False],
    )


def test_a_decision_names_its_clerk_and_its_reason(oncehub, account):
    for options in (["--by", "clerk"], ["--reason", "seen"]):
        assert "Missing option" in oncehub("link", "break", *account, *options).stderr
    blank = oncehub("link", "break", *account, "--by", " ", "--reason", "seen")
    assert (blank.returncode, "the name of the clerk" in blank.stderr) == (2, True)


def test_people_are_joined_split_and_taken_apart(oncehub, settings, database, account):
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
    assert oncehub("person", "join", second, first, *word).returncode == 0
    again = oncehub("person", "join", first, second, *word)
    assert (again.returncode, "joined to somebody else already" in again.stderr) == (1, True)
    (joining,) = json.loads(oncehub("person", "joins", first, "--json").stdout)
    assert (joining["verdict"], joining["stands"]) == ("one", True)
    assert oncehub("person", "unjoin", second, *word).returncode == 0
    reconcile(settings)

    misnamed = oncehub("person", "split", first, "--record", "banking", *word)
    assert (misnamed.returncode, "source.stream/key" in misnamed.stderr) == (2, True)
    done = oncehub("person", "split", first, "--record", "banking.accounts/B1", "--to", second, *word)
    assert (done.returncode, done.stderr) == (0, "")
    reconcile(settings)
    standing = json.loads(oncehub("link", "show", *account, "--json").stdout)
    assert (standing["link"]["person_key"], standing["link"]["method"]) == (second, "ruling")
