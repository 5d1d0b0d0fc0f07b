"""The hub as Airflow's provider: its connection type, and what the button Test answers."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.sdk import Connection
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from demo.airflow.connection_file import airflow_connections
from oncehub.airflow.plugin import VietnamTime
from oncehub.settings import Settings
from stubs.client import Systems

TEST_ID = "drawn-at-random"
"""Airflow's page tests under an id that it draws."""


@pytest.fixture(autouse=True)
def installed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook finds the project as the API server does; it needs no database."""
    monkeypatch.setenv("ONCEHUB_ROOT", str(settings.root))
    monkeypatch.setenv("ONCEHUB_HOME", str(settings.home))
    monkeypatch.setenv("ONCEHUB_EMBEDDED", "off")
    monkeypatch.delenv("ONCEHUB_DATABASE_URL", raising=False)


def tried(source: str, systems: Systems, **changed: Any) -> tuple[bool, str]:
    given = airflow_connections(systems.connections)[f"oncehub_{source}"] | changed
    return Connection(conn_id=TEST_ID, **given).test_connection()


def test_the_installed_package_is_a_provider_as_airflow_wants_it() -> None:
    (found,) = entry_points(group="apache_airflow_provider").select(module="oncehub.airflow.provider")
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_bytes())
    jsonschema.validate(found.load()(), schema)
    assert found.dist is not None
    assert found.load()()["package-name"] == found.dist.metadata["name"]


def test_pages_begin_with_vietnams_time_zone_and_other_answers_are_as_they_are() -> None:
    page, other = "<html><head><title>x</title></head></html>", '{"a": "<head>"}'
    app = Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse(page)),
            Route("/api", lambda _: Response(other, media_type="application/json")),
        ],
        middleware=[Middleware(VietnamTime), Middleware(GZipMiddleware, minimum_size=1)],
    )
    client = TestClient(app, headers={"accept": "text/html,*/*", "accept-encoding": "gzip"})
    shown = client.get("/")
    assert shown.text.startswith("<html><head><script>localStorage.getItem('timezone')||")
    assert "JSON.stringify('Asia/Ho_Chi_Minh')" in shown.text
    assert shown.text.endswith("</script><title>x</title></head></html>")
    assert client.get("/api").text == other
    assert client.get("/", headers={"accept": "application/json"}).text == page


def test_airflow_finds_the_plugin_of_its_pages() -> None:
    (found,) = entry_points(group="airflow.plugins").select(module="oncehub.airflow.plugin")
    assert [each["middleware"] for each in found.load().fastapi_root_middlewares] == [VietnamTime]


@pytest.mark.parametrize("source", ["banking", "customs", "population", "portal", "tax"])
def test_a_connection_that_works_says_what_was_read(source: str, systems: Systems) -> None:
    sound, said = tried(source, systems)
    assert sound, said
    assert "records read" in said


def test_what_is_wrong_with_a_connection_is_one_sentence(systems: Systems) -> None:
    sound, said = tried("tax", systems, password="not the secret")
    assert not sound
    assert said.startswith("tax.registrations: page 1: answered 401; check auth")
    assert "secret" not in said

    sound, said = tried("tax", systems, host="http://127.0.0.1:9", port=9)
    assert (sound, said) == (False, "tax.registrations: page 1: connection refused; tried once")


def test_a_connection_that_names_no_source_is_told_which_there_are(systems: Systems) -> None:
    for extra in ("{}", json.dumps({"source": "taxes"})):
        assert tried("tax", systems, extra=extra) == (
            False,
            "enter the name of a connector as Source: banking, customs, population, portal, tax",
        )
