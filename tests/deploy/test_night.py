"""A night with two workers, run for real: `make night-test`, which needs a Docker engine and takes minutes.

One source is down, one sends nonsense, a worker is killed in the middle of a task, and the database restarts.
What could be in is in then, once, as in a hub that read the same sources undisturbed; the rest is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg2
import pytest

from benchmarks.measuring.installation import Installation, installed, until
from torture.allowed import Instead
from torture.comparing import differences

pytestmark = pytest.mark.night

PROJECT = "oncehub-night-test"
PEOPLE = 10_000
ENDLESS = 1_000_000

# Population sends ten pages; the first have landed when the seventh is slow, and so are all that follow.
FAULTS = (
    {"system": "tax", "kind": "drop", "count": ENDLESS},
    {"system": "banking", "kind": "nonsense", "count": ENDLESS},
    {"system": "population", "kind": "slow", "after": 6, "count": ENDLESS, "seconds": 12.0},
    {"system": "portal", "kind": "slow", "after": 1, "count": ENDLESS, "seconds": 12.0},
)
WHILE_DOWN = 2
"""Tries of a task that fail before its source is back; an hour has five of them."""

# The sources arrive in another order, and in between people are linked and published. What that leaves of the
# way is not compared; where it leads to is.
ON_THE_WAY = {
    "share.change": "select distinct person_key from share.change",
    "share.feed": "select feed from share.feed",
    "share.correction_feed": "select source from share.correction_feed",
    "share.feed_entry": """
        select feed, person_key, line -> 'values' as "values" from (
            select distinct on (feed, person_key) * from share.feed_entry
            order by feed, person_key, sequence desc
        ) as newest where line ->> 'kind' <> 'removed'
    """,
    "share.notice": """
        select n.source, n.attribute, n.person_key, d.stream, d.source_key, d.kind from (
            select distinct on (source, notice) * from share.notice order by source, notice, sequence desc
        ) as n left join truth.discrepancy d using (discrepancy_id) where n.change <> 'closed'
    """,
    "share.release": "select distinct feed from share.release",
    # Of the API, which stands before the night's database only.
    "audit.entry": "select from audit.entry where action <> 'refusals'",
    "share.asked": "select count(*) >= 0 as asked from share.asked",
    "share.request_key": "select count(*) >= 0 as made from share.request_key",
    "share.request_limit": "select count(*) >= 0 as counted from share.request_limit",
    "share.token_key": "select count(*) >= 0 as made from share.token_key",
    "truth.discrepancy": """
        select to_jsonb(d) - array['discrepancy_id', 'opened_at', 'changed_in'] as open
        from truth.discrepancy d where closed_at is null
    """,
    "truth.person_version": "select count(*) >= 0 as versions from truth.person_version",
    "truth.run_balance": """
        select subject, source, kind, (array_agg(closing order by run_id desc))[1] as closing,
            sum(unexplained) as unexplained
        from truth.run_balance group by subject, source, kind
    """,
}

REFUSED = """
import http.client
api = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
api.request("GET", "/v1/feeds/residence/changes")
assert api.getresponse().status == 401
"""

# The text of a task's log, as Airflow's pages show it.
LOGS = """
import json, os, sys
from demo.airflow.processes import Airflow
from demo.airflow.rest import AirflowClient
client = AirflowClient(Airflow("http://127.0.0.1:8080", os.environ["PASSWORD"], {}))
client.dag_ids()
found = {}
for dag, run, task, number in json.load(sys.stdin):
    path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{number}"
    found[f"{dag}.{task} {number}"] = json.dumps(client._get(path, full_content="true"))
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Database:
    """One of the databases on the installation's server, as the hub's own login sees it."""

    url: str

    def connect(self) -> Any:
        return psycopg2.connect(self.url)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with workers, of whose simulated systems nothing has been read."""
    with installed(
        tmp_path_factory.mktemp("checkout"),
        PROJECT,
        *("deploy/up", "--executor", "celery"),
        COMPOSE_FILE="docker-compose.yml:docker-compose.workers.yml:override.yml",
        COMPOSE_PROFILES="none",
        ONCEHUB_SIMULATED_PEOPLE=str(PEOPLE),
    ) as installation:
        installation.compose("--profile", "simulated", "up", "--detach", "--no-deps", "stubs")
        until(installation.unready, 600)
        once(installation, "connections")
        yield installation


def once(hub: Installation, service: str) -> None:
    hub.compose("--profile", "simulated", "run", "--rm", "--no-deps", "--no-TTY", service)


def well_again(hub: Installation, source: str) -> None:
    hub.control(("DELETE", f"/faults?system={source}", {}))


def task(hub: Installation, dag: str) -> list[str]:
    """State, try and worker of the tasks of a source."""
    return hub.query(
        f"select state, try_number, hostname from task_instance where dag_id = 'sync_{dag}' order by task_id",
        "airflow",
    )


def nothing_landed(hub: Installation) -> list[str]:
    landed = hub.query("select 1 from intake.run where source = 'population' and accepted > 0", "oncehub")
    return [] if landed else ["no record of the register has landed"]


def still_down(hub: Installation) -> list[str]:
    [failed] = hub.query(
        "select count(*) from intake.run where source = 'tax' and state = 'failed'", "oncehub"
    )
    return [] if int(failed) >= WHILE_DOWN else [f"tax has failed {failed} times"]


def state_of(hub: Installation, source: str, state: str) -> list[str]:
    """Nothing once a task of the source has that state."""
    found = task(hub, source)
    return [] if any(each.startswith(f"{state}|") for each in found) else found


def secret(hub: Installation, name: str) -> str:
    lines = (hub.folder / ".env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")[name]


def logs(hub: Installation) -> dict[str, str]:
    """The logs of all tries, as the API server gives them, by the task and the number of its try."""
    rows = hub.query(
        "select dag_id, run_id, task_id, number from task_instance, generate_series(1, try_number) as number "
        "where map_index < 0",
        "airflow",
    )
    tries = [row.split("|") for row in rows]
    password = secret(hub, "ONCEHUB_AIRFLOW_ADMIN_PASSWORD")
    asked = ("exec", "-T", "-e", f"PASSWORD={password}", "airflow-api-server", "python", "-c", LOGS)
    found: dict[str, str] = json.loads(hub.compose(*asked, given=json.dumps(tries)).splitlines()[-1])
    return found


def test_a_night_of_incidents_ends_with_all_in_that_could_be_and_the_rest_named(hub: Installation) -> None:
    hub.control(("DELETE", "/faults", {}), *(("POST", "/faults", fault) for fault in FAULTS))
    once(hub, "first-run")

    # A worker dies in the middle of a task: some of the register is in.
    until(partial(nothing_landed, hub), 600)
    [reading] = task(hub, "population")
    assert reading.startswith("running|1|worker-")
    victim = reading.split("|")[2]
    hub.compose("kill", "--signal", "KILL", victim)
    well_again(hub, "population")
    # The database restarts under what the other one does.
    until(partial(state_of, hub, "portal", "running"), 300)
    hub.compose("restart", "postgres")
    well_again(hub, "portal")
    until(partial(still_down, hub), 600)
    well_again(hub, "tax")

    until(lambda: [each for each in hub.unfinished() if each != "sync_banking running"], 900)
    [population] = task(hub, "population")
    assert population.startswith("success|2|")
    assert not population.endswith(victim)
    assert task(hub, "tax")[0].startswith("success|")

    # What is not in is named, between two of its tries.
    until(partial(state_of, hub, "banking", "up_for_retry"), 300)
    status = json.loads(hub.shell("oncehub", "status", "--json", status=1))
    failed = {f"{run['source']}.{run['stream']}": run["error"] for run in status["runs"] if run["error"]}
    assert failed.keys() == {"banking.accounts"}
    assert "the response is an HTML page" in failed["banking.accounts"]

    # In the morning the source makes sense again, and the worker is back: the next try comes in five minutes.
    well_again(hub, "banking")
    hub.compose("up", "--detach", "--no-recreate", "--no-deps", victim)
    until(hub.unfinished, 600)
    until(hub.unready, 120)


def test_each_table_is_that_of_a_hub_which_nothing_disturbed(hub: Installation) -> None:
    instead = {name: Instead(query, "the way, not the end") for name, query in ON_THE_WAY.items()}
    assert [str(each) for each in differences(*reference(hub), more=instead)] == []
    rejected = hub.query("select count(*) from intake.rejected where resolved_at is null", "oncehub")
    assert int(rejected[0]) > 0


def test_the_logs_of_every_worker_are_read_through_the_api_server(hub: Installation) -> None:
    shown = logs(hub)
    for name in ("worker-1", "worker-2", "worker-signing"):
        theirs = [text for text in shown.values() if f"http://{name}:8793/log/" in text]
        assert any("Workload finished" in text or "Done. Returned value was" in text for text in theirs), name
    assert not [name for name, text in shown.items() if "Could not read served logs" in text]
    # Also of the try that was killed.
    assert "population.citizens: full read of everything" in shown["sync_population.land_citizens 1"]


def test_the_signing_worker_alone_signs_and_its_anchors_are_kept_elsewhere(hub: Installation) -> None:
    # A refusal leaves an entry within a second.
    hub.compose("exec", "-T", "api", "python", "-c", REFUSED)
    until(lambda: [] if hub.query("select 1 from audit.entry", "oncehub") else ["no entry"], 30)
    for dag in ("purge", "checkpoint"):
        hub.compose("exec", "-T", "airflow-scheduler", "airflow", "dags", "trigger", dag)
    until(hub.unfinished, 300)
    assert task(hub, "population")
    signed = "select distinct hostname from task_instance where dag_id = 'checkpoint' and state = 'success'"
    assert hub.query(signed, "airflow") == ["worker-signing"]
    verified = hub.shell("oncehub", "audit", "verify")
    assert "no tampering found" in verified
    assert hub.compose("exec", "-T", "anchor", "cat", "/srv/state/anchor/heads.jsonl").startswith(
        '{"checkpoint":'
    )
    refused = hub.compose("exec", "-T", "worker-1", "oncehub", "audit", "checkpoint", status=2)
    assert "the signing key" in refused
    for name in ("worker-1", "worker-2", "worker-signing", "airflow-scheduler"):
        left = hub.compose("exec", "-T", name, "find", "/srv/state/hub", "/srv/state/anchor", "-type", "f")
        assert left == "", name


def reference(hub: Installation) -> tuple[Database, Database]:
    """The database of the night, and one into which commands have read the same sources."""
    hub.query(
        "create database reference owner oncehub template template0 encoding 'UTF8' "
        "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C.UTF-8'",
        "postgres",
    )
    hub.query("revoke connect, temporary on database reference from public", "postgres")
    hub.query("grant connect on database reference to oncehub_api, oncehub_signing", "postgres")
    # What an administrator sets in the hub's database, where the script has come to it.
    script = (hub.folder / "deploy" / "bootstrap.sql").read_text("utf-8").partition("\\connect oncehub\n")[2]
    assert script
    psql = ("psql", "-h", "/var/run/postgresql", "-U", "postgres", "-d", "reference")
    hub.compose("exec", "-T", "postgres", *psql, "-v", "ON_ERROR_STOP=1", "-f", "-", given=script)
    password = secret(hub, "ONCEHUB_DATABASE_PASSWORD")
    connections = json.loads(
        hub.compose(
            *("run", "--rm", "--no-deps", "--no-TTY", "connections"),
            *("python", "-m", "demo.airflow.connection_file"),
            *("/srv/state/systems/connections.json", "/dev/stdout"),
        ).splitlines()[-1]
    )
    settings = {
        "ONCEHUB_DATABASE_URL": f"postgresql://oncehub:{password}@postgres/reference",
        **{name: secret(hub, name) for name in ("ONCEHUB_KEY_SIGNING", "ONCEHUB_KEY_REQUEST")},
    }
    for connection in connections.values():
        extra = json.loads(connection["extra"])
        source = extra.pop("source")
        document = {key: connection.get(key) for key in ("host", "login", "password")} | {"extra": extra}
        settings[f"ONCEHUB_CONN_{source.upper()}"] = json.dumps(document)
    given = [part for name, value in settings.items() for part in ("-e", f"{name}={value}")]
    host = hub.address("postgres")
    night, calm = (
        Database(f"postgresql://oncehub:{password}@{host}/{name}") for name in ("oncehub", "reference")
    )
    for command in ("init", "sync", "reconcile", "publish"):
        hub.compose("exec", "-T", *given, "worker-1", "oncehub", command, seconds=300)
        if command == "init":
            encrypt_alike(night, calm)
    return night, calm


def encrypt_alike(night: Database, calm: Database) -> None:
    """Give a hub the data key of another, so that equal values are equal where they are encrypted."""
    with closing(night.connect()) as left, left.cursor() as cursor:
        cursor.execute("select id, wrapped, wrapped_under, former, made_at from hub.data_key")
        keys = cursor.fetchall()
    with closing(calm.connect()) as right, right, right.cursor() as cursor:
        cursor.execute("delete from hub.data_key")
        cursor.executemany("insert into hub.data_key values (%s, %s, %s, %s, %s)", keys)
