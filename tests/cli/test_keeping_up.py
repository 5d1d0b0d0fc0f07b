"""Whether agencies keep up with what they are told, as an engineer asks at the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from oncehub.audit.log.pseudonyms import feed_pseudonym, pseudonym_key
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.share.delivery.consumer_offsets import note_page
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds.consumer_snapshot import digest
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection
from tests.api.asking import read_changes

from .conftest import Command

AN = {"personal_id": "001084000999", "full_name": "Nguyễn Thị An"}


@pytest.fixture
def oncehub(command_in: Callable[[Mapping[str, str]], Command], editable: Settings) -> Command:
    return command_in(
        {
            "ONCEHUB_ROOT": str(editable.root),
            "ONCEHUB_HOME": str(editable.home),
            "ONCEHUB_DATABASE_URL": str(editable.database_url),
            "COLUMNS": "160",
        }
    )


def test_corrections_status_shows_every_source_that_gets_notices(
    oncehub: Command,
    editable: Settings,
    database: Connection,
    believe: Callable[..., str],
    disagree: Callable[..., int],
) -> None:
    disagree(believe(**AN), "full_name", stated="Nguyễn Thị Anh", believed="Nguyễn Thị An")
    publish_corrections(editable, "tax", database)
    (tax,) = json.loads(oncehub("corrections", "status", "--json").stdout)
    assert (tax["source"], tax["open"], tax["published"], tax["acknowledged"]) == ("tax", 1, 1, 0)
    shown = oncehub("corrections", "status").stdout
    assert "correction notices" in shown
    assert "Nguyễn" not in shown


def test_feeds_check_names_the_persons_a_client_missed_and_ends_with_status_1(
    oncehub: Command, editable: Settings, database: Connection, believe: Callable[..., str], tmp_path: Path
) -> None:
    person = believe(**AN)
    publish(editable, "residence", database)
    add_client(database, "portal", "portal-residence", new_client_key(tmp_path / "key.pem"))
    agreement, key = load_agreements(editable)["portal-residence"], pseudonym_key(editable.home)
    with database:
        page = read_changes(database, agreement, Start(0, 10), key)
        (line,) = page.lines
        note_page(database, "residence", "portal", 0, 1)
    held = tmp_path / "held.jsonl"

    def check(values: dict[str, Any]) -> tuple[int, Any]:
        told = [{"sequence": 1, "epoch": page.epoch}, {"person": line["person"], "digest": digest(values)}]
        held.write_text("".join(json.dumps(entry) + "\n" for entry in told))
        done = oncehub("feeds", "check", "portal", "--held", str(held), "--every", "--json")
        return done.returncode, json.loads(done.stdout)

    assert check(line["values"]) == (
        0,
        [
            {
                "feed": "residence",
                "epoch": page.epoch,
                "client": "portal",
                "published": 1,
                "fetched": 1,
                "acknowledged": 0,
                "in_flight": {"persons": 0, "keys": []},
                "stale": {"persons": 0, "keys": []},
                "oldest_stale": None,
                "missed": {"persons": 0, "keys": []},
                "unpublished": {"persons": 0, "keys": []},
            }
        ],
    )
    status, (portal,) = check(line["values"] | {"person.full_name": "Nguyễn Thị Anh"})
    assert status == 1
    assert portal["missed"] == {"persons": 1, "keys": [feed_pseudonym(key, "residence", person)]}


def test_a_name_that_is_neither_feed_nor_client_is_reported_with_the_nearest_name(oncehub: Command) -> None:
    done = oncehub("feeds", "check", "residense")
    assert done.returncode == 2
    assert "'residense'; did you mean 'residence'?" in done.stderr.replace("with the name ", "")
    done = oncehub("feeds", "check", "residence", "--held", "x")
    assert "the name of the client instead of the feed" in done.stderr
    shown = oncehub("feeds", "check").stdout
    assert "taxpayers" in shown


def test_a_client_whose_agreement_is_gone_is_not_suggested_as_its_own_nearest_name(
    oncehub: Command, editable: Settings, database: Connection, tmp_path: Path
) -> None:
    add_client(database, "portal", "portal-residence", new_client_key(tmp_path / "key.pem"))
    (editable.mappings / "agreements" / "portal-residence.yaml").unlink()
    done = oncehub("feeds", "check", "portal")
    assert done.returncode == 2
    assert "the client portal has no feed: its agreement portal-residence has none, or is gone" in done.stderr
