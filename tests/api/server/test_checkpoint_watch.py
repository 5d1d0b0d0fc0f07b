from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncehub.api.app import create_app
from oncehub.api.core.limits import CheckpointWatch, checkpoint_watch
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.errors import ConfigError, LogUnsigned
from oncehub.settings import Settings
from oncehub.store.connection import Connection

WHO = {"person.personal_id": "001084000999"}


def age_the_log(database: Connection, by: str) -> None:
    """Let the lines be older than they are, as if signing had stopped so long ago."""
    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update audit.entry set at = at - %s::interval", (by,))


def test_look_ups_stop_while_the_log_goes_unsigned_and_go_on_when_it_is_signed(
    portal: Any, database: Connection, editable: Settings, believe: Callable[..., str]
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    assert portal.lookup(WHO, ["person.full_name"]).status_code == 200
    age_the_log(database, "5 hours")
    with TestClient(create_app(editable), raise_server_exceptions=False) as again:
        portal.http = again
        refused = portal.lookup(WHO, ["person.full_name"])
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
        assert "has not been signed" in refused.json()["detail"]
        write_checkpoints(editable, database)
        assert portal.lookup(WHO, ["person.full_name"]).status_code == 200


def test_the_watch_asks_again_after_some_seconds(database: Connection, portal: Any) -> None:
    portal.lookup(WHO, ["person.full_name"])
    now = [0.0]
    watch = CheckpointWatch(longest=3600, clock=lambda: now[0])
    watch.require_signed(database)
    age_the_log(database, "2 hours")
    now[0] = 4.0
    watch.require_signed(database)
    now[0] = 6.0
    with pytest.raises(LogUnsigned):
        watch.require_signed(database)
    database.rollback()


@pytest.mark.parametrize("text", ["soon", "-1", "0", "1.5"])
def test_a_limit_that_is_no_number_of_seconds_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ONCEHUB_UNSIGNED_SECONDS", text)
    with pytest.raises(ConfigError, match="ONCEHUB_UNSIGNED_SECONDS"):
        checkpoint_watch()
