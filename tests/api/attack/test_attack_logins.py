"""SQL of an attacker's own, run as the API's login and signing's, against the hub's keys and its log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from oncehub.api.core.hub import open_hub
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.verification import verify_database
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect
from tests.audit.conftest import add_lines

Attempt = Callable[[str, str], str | None]


@pytest.fixture
def attempt(settings: Settings) -> Attempt:
    """Run a statement as a login; give the server's refusal, None where it is done."""

    def run(login: str, statement: str) -> str | None:
        dsn = make_dsn(str(settings.database_url), user=login)
        with closing(connect(dsn)) as attacker:
            try:
                with attacker, attacker.cursor() as cursor:
                    cursor.execute(statement)
            except psycopg2.Error as error:
                return str(error).splitlines()[0]
        return None

    return run


def findings(settings: Settings, database: Connection) -> set[str]:
    key = signing_key(settings.home)
    return {each.what for each in verify_database(database, {key.id: key.private}, None).findings}


@pytest.mark.parametrize("login", ["oncehub_api", "oncehub_signing"])
def test_a_key_that_is_not_there_is_noted_by_no_login_and_stops_nothing(
    settings: Settings, database: Connection, attempt: Attempt, login: str
) -> None:
    open_hub(settings).database.close()
    for use in ("data", "pseudonym", "request", "token", "signing"):
        noted = f"insert into hub.key (use, id, fingerprint) values ('{use}', 'x', repeat('a', 64))"
        refused = attempt(login, noted)
        assert refused or (login, use) == ("oncehub_signing", "signing")
    for changed in ("update hub.key set use = 'data'", "delete from hub.key"):
        assert attempt(login, changed) == "permission denied for table key"
    open_hub(settings).database.close()
    assert initialise(settings, make_keys=False) == []
    add_lines(database, 3)
    assert write_checkpoints(settings, anchor_anew=True).lines == 3


@pytest.mark.parametrize(
    "rows",
    [
        "leaf (index, entry_id, salt) values (20, 9999, sha256('x'))",
        "subtree values (1, 0, sha256('x'))",
        "subtree values (1, 77, sha256('x'))",
        "checkpoint select 2, 40, commitments, note, horizon from audit.checkpoint",
        "checkpoint select 9, 999, sha256('x'), 'x', horizon from audit.checkpoint",
    ],
)
def test_what_signings_login_adds_without_the_key_is_named(
    settings: Settings, database: Connection, attempt: Attempt, rows: str
) -> None:
    add_lines(database, 20)
    write_checkpoints(settings, anchor_anew=True)
    assert findings(settings, database) == set()
    assert attempt("oncehub_signing", f"insert into audit.{rows}") is None
    assert findings(settings, database)
    for change in ("update audit.leaf set salt = sha256('x')", "delete from audit.checkpoint"):
        assert (attempt("oncehub_signing", change) or "").startswith("permission denied")
