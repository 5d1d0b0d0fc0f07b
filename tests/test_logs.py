"""Log lines as JSON: one object a line, with the ids of request and run, and nobody's value."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncehub.api.app import create_app
from oncehub.config.catalogue import load_connector, load_connectors
from oncehub.config.connection import connection_from_document
from oncehub.errors import ConfigError
from oncehub.intake.quarantine.replay import show_rejected
from oncehub.intake.sync import sync
from oncehub.logs import FORM, configure_logging
from oncehub.reconcile.run import reconcile
from oncehub.settings import Settings
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection
from oncehub.watch.trail import trail
from stubs.client import Systems

from .conftest import PEOPLE

Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Log as JSON; gives what was written."""
    monkeypatch.setenv(FORM, "json")
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    before = logging.root.handlers[:], logging.root.level
    # Those of pytest would be closed.
    logging.root.handlers.clear()
    configure_logging(logging.INFO, "%(message)s")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.root.handlers[:], logging.root.level = before


def test_a_request_is_found_by_its_id(settings: Settings, lines: Lines) -> None:
    with TestClient(create_app(settings)) as client:
        asked = [client.get("/live").headers["X-Request-Id"] for _ in range(2)]
    logged = [each for each in lines() if each["logger"] == "oncehub.api.access"]
    assert [each["request_id"] for each in logged] == asked
    assert str(logged[0]["event"]).startswith("GET /live 200")
    assert {"level", "timestamp"} <= logged[0].keys()


def test_every_line_of_a_run_has_its_id(settings: Settings, systems: Systems, lines: Lines) -> None:
    connection = connection_from_document(systems.connections["tax"], "tax")
    [report] = sync(settings, load_connector(settings, "tax"), connection)
    logged = [each for each in lines() if str(each["logger"]).startswith("oncehub.intake")]
    assert logged
    assert {(each["source"], each["stream"], each["run"]) for each in logged} == {
        ("tax", "registrations", f"landing-{report.run_id}")
    }


def test_a_run_is_followed_from_source_to_feed_by_lines_that_name_nobody(
    settings: Settings, systems: Systems, database: Connection, lines: Lines
) -> None:
    land, merge, release = (replace(settings, started_by=f"{dag}/run-1") for dag in ("sync", "rec", "pub"))
    for source in sorted(systems.connections):
        connection = connection_from_document(systems.connections[source], source)
        sync(land, load_connector(settings, source), connection)
    reconcile(merge)
    publish(release, "residence")
    publish_corrections(release, "tax")
    with TestClient(create_app(settings)) as client:
        client.get("/v1/people/001084000999?full_name=A")
    # The caller's own lines are not the hub's.
    logged = [each for each in lines() if each["logger"] != "httpx2"]

    # The last line of a feed leads back to every landing, and a landing to the feed.
    (last,) = {each["last_sequence"] for each in trail(database) if each["feed"] == "residence"}
    ways = trail(database, f"residence:{last}")
    landings = {each["landing"] for each in ways}
    streams = [stream for each in load_connectors(settings).values() for stream in each.streams]
    assert len(landings) == len(ways) == len(streams)
    [reconciled], [released] = ({each[name] for each in ways} for name in ("reconcile", "release"))
    assert {(each["landed_by"], each["reconciled_by"], each["released_by"]) for each in ways} == {
        ("sync/run-1", "rec/run-1", "pub/run-1")
    }
    assert {(each["reconcile"], each["feed"]) for each in trail(database, min(landings))} == {
        (reconciled, "residence"),
        (reconciled, "corrections.tax"),
    }
    # So do the lines of the log.
    events = {str(each["run"]): str(each["event"]) for each in logged if "run" in each}
    assert landings | {reconciled, released} <= events.keys()
    [taken_in] = [str(each["event"]) for each in logged if "takes in" in str(each["event"])]
    assert all(each in taken_in for each in landings)
    assert events[released] == f"{released} of residence: lines 1 to {last}, of {reconciled}"

    text = "\n".join(each for line in logged for each in map(str, line.values()))
    values = values_of_people(settings, database)
    assert len(values) > 10 * PEOPLE
    assert not {each for each in values if each in text}


def values_of_people(settings: Settings, database: Connection) -> set[str]:
    """All that sources have stated of people, accepted or rejected, and is longer than a code."""
    with database, database.cursor() as cursor:
        cursor.execute(
            "select to_jsonb(p) - '{source,stream,received_at,stated_at}'::text[] from record.person p"
        )
        stated = [row for (row,) in cursor.fetchall()]
        cursor.execute("select rejected_id from intake.rejected")
        numbers = [number for (number,) in cursor.fetchall()]
    rejected = [show_rejected(settings, database, number).payload for number in numbers]
    assert rejected
    return {text for each in [*stated, *rejected] for text in texts(each) if len(text) >= 9}


def texts(value: Any) -> Iterator[str]:
    """The texts and numbers in a JSON value."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)
    elif value is not None:
        yield str(value)


def test_an_exception_is_logged_by_place_without_its_value(lines: Lines) -> None:
    try:
        int("001084000999 ")
        int("no number: 001084000999")
    except ValueError:
        logging.getLogger("oncehub").exception("unexpected")
    [line] = lines()
    assert (line["event"], line["exception"]) == ("unexpected", "ValueError")
    assert "test_logs.py" in str(line["places"])
    assert "001084000999" not in json.dumps(line)


def test_another_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORM, "xml")
    with pytest.raises(ConfigError, match="neither text nor json"):
        configure_logging(logging.INFO, "%(message)s")
