"""Log lines as JSON: one object a line, with the ids of request and run, and nobody's value."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from oncehub.api.app import create_app
from oncehub.config.catalogue import load_connector
from oncehub.config.connection import connection_from_document
from oncehub.errors import ConfigError
from oncehub.intake.sync import sync
from oncehub.logs import FORM, configure_logging
from oncehub.settings import Settings
from stubs.client import Systems

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
    assert {(each["source"], each["stream"], each["run_id"]) for each in logged} == {
        ("tax", "registrations", report.run_id)
    }


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
