from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2
import pytest

from oncehub.api.core.hub import open_hub
from oncehub.errors import StoreUnavailable
from oncehub.settings import Settings
from oncehub.store.connection import Connection

WHO = {"person.personal_id": "001084000999"}


def cut_off(database: Connection) -> None:
    """End every session of the API, as a restart of the server does."""
    with database, database.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'oncehub api' and datname = current_database()"
        )


def allow_connections(settings: Settings, database: Connection, *, allowed: bool) -> None:
    name = database.info.dbname
    url = str(settings.database_url).replace(f"/{name}?", "/postgres?")
    other = psycopg2.connect(url)
    other.autocommit = True
    with other.cursor() as cursor:
        cursor.execute(f"alter database {name} allow_connections {str(allowed).lower()}")
    other.close()


def test_the_hub_is_healthy_while_its_database_answers(http: Any) -> None:
    answer = http.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_after_a_restart_of_the_database_the_first_request_is_answered(
    portal: Any, database: Connection, believe: Callable[..., str]
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    portal.token()
    cut_off(database)
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 200


def test_without_its_database_the_hub_says_503_and_recovers(
    portal: Any, database: Connection, settings: Settings, believe: Callable[..., str]
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    portal.token()
    allow_connections(settings, database, allowed=False)
    cut_off(database)
    for answer in (
        portal.lookup(WHO, ["person.full_name"]),
        portal.http.get("/ready"),
        portal.ask_token(portal.assertion()),
    ):
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"]
    allow_connections(settings, database, allowed=True)
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 200


def test_a_hub_that_opens_while_its_database_crashes_says_so_without_a_traceback(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(opening: Connection) -> None:
        with database, database.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(%s, 5000)", (opening.info.backend_pid,))

    monkeypatch.setattr("oncehub.api.core.hub.require_current", crash)
    with pytest.raises(StoreUnavailable, match=r"opening the hub: .* failed .*; try again"):
        open_hub(settings)


def test_unknown_paths_and_methods_are_problems_too(http: Any) -> None:
    for path in ("/", "/docs", "/v1/persons/001084000999", "/v1/token"):
        answer = http.get(path)
        assert answer.status_code in (404, 405)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "001084000999" not in answer.text


def test_the_interface_describes_itself(http: Any) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/ready",
        "/live",
        "/metrics",
        "/v1/token",
        "/v1/persons/lookup",
        "/v1/persons/corrections",
        "/v1/persons/corrections/status",
        "/v1/procedures/{code}/prefill",
        "/v1/procedures/{code}/submissions",
        "/v1/consents",
        "/v1/consents/query",
        "/v1/consents/{consent_id}/withdrawal",
        "/v1/usage/find",
        "/v1/feeds/{feed}/changes",
        "/v1/corrections",
        "/v1/corrections/acknowledgements",
        "/v1/cases",
        "/v1/cases/{case_id}",
        "/v1/cases/{case_id}/decisions",
        "/v1/agreements/mine",
    }
