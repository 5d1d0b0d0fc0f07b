"""docker-compose.yml run for real: `make compose-test`, which needs a Docker engine and takes some minutes.

The tests are steps over one installation, in the order in which they stand here: the command that the
documentation names brings it up, out of the files that git has; it is killed, restarted and taken down.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.measuring.installation import SOURCES, Installation, installed, until
from demo.processes.loopback import loopback_session
from oncehub.api.client import HubClient
from oncehub.errors import EvidenceRefused
from oncehub.share.clients.clients import new_client_key
from tests.audit.signing import time_authority

pytestmark = pytest.mark.compose

PROJECT = "oncehub-compose-test"
AUTHORITY = f"{PROJECT}-authority"

# Two adults of whom the register and the portal know enough for a form.
CITIZENS = """
select personal_id from truth.person
where life_status = 'alive' and personal_id is not null and phone is not null
    and birth_date < to_char(now() - interval '18 years', 'YYYY-MM-DD')
order by person_key limit 2
"""
FORM = "1.004222"

LISTENS = f"import socket; socket.create_connection(('{AUTHORITY}', 3161), 5).close()"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a time-stamping authority."""
    folder = tmp_path_factory.mktemp("authority")
    time_authority.make_authority(folder)
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, authority: Path) -> Iterator[Installation]:
    """An installation that `deploy/up` brought up, with 2,000 people."""
    with installed(
        tmp_path_factory.mktemp("checkout"),
        PROJECT,
        "deploy/up",
        COMPOSE_FILE="docker-compose.yml:docker-compose.simulated.yml:override.yml",
        ONCEHUB_TIMESTAMP_URL=f"http://{AUTHORITY}:3161",
        ONCEHUB_TIMESTAMP_ROOTS=str(authority / "root.pem"),
    ) as installation:
        yield installation


def test_one_command_brings_up_a_green_first_cycle_and_says_so(hub: Installation) -> None:
    for source in SOURCES:
        assert f"first run: sync_{source} triggered" in hub.said[0]
    assert "docker compose run --rm shell" in hub.said[0]
    until(hub.unready, 60)
    until(hub.unfinished, 180)
    ended = {line.split("|")[0] for line in hub.query("select dag_id, state from dag_run", "airflow")}
    assert {f"sync_{source}" for source in SOURCES} | {"reconcile", "publish_residence"} <= ended
    assert int(hub.query("select count(*) from truth.person", "oncehub")[0]) > 1900


def test_no_secret_is_in_any_log(hub: Installation) -> None:
    values = re.findall(r"^ONCEHUB_[A-Z_]+=(.+)$", (hub.folder / ".env").read_text("utf-8"), re.MULTILINE)
    logs = hub.compose("--profile", "*", "logs", "--no-color")
    assert len(values) > 10
    assert [value for value in values if value in logs] == []
    assert "Traceback" not in logs


def test_an_error_of_airflows_database_shows_no_secret(hub: Installation) -> None:
    # As Airflow takes no object for `extra`, its database refuses it, and the error tells the statement.
    wrong = {
        "oncehub_wrong": {"conn_type": "http", "login": "l0gin-is-here", "password": "s3cret", "extra": {}}
    }
    imported = "cat >/tmp/wrong.json && airflow connections import /tmp/wrong.json"
    command = ["docker", "compose", "exec", "-T", "airflow-scheduler", "sh", "-c", imported]
    said = subprocess.run(
        command,
        check=False,
        cwd=hub.folder,
        env=hub.environment,
        input=json.dumps(wrong),
        capture_output=True,
        text=True,
    )
    assert said.returncode == 1
    assert "INSERT INTO connection" in said.stderr
    assert "l0gin" not in said.stdout + said.stderr


def test_airflows_first_user_has_the_password_of_env_and_no_command_line_shows_it(hub: Installation) -> None:
    lines = (hub.folder / ".env").read_text("utf-8").splitlines()
    password = dict(line.split("=", 1) for line in lines if "=" in line)["ONCEHUB_AIRFLOW_ADMIN_PASSWORD"]
    command = hub.containers()["airflow-init"]["Config"]["Cmd"]
    assert any("airflow users create" in part for part in command)
    assert not [part for part in command if password in part or re.search(r" (-p|--password)\b", part)]
    for given, status in ((password, 201), ("another", 401)):
        answer = loopback_session().post(
            f"http://{hub.address('airflow-api-server')}:8080/auth/token",
            json={"username": "admin", "password": given},
            timeout=30,
        )
        assert answer.status_code == status


def test_no_login_that_serves_is_a_superuser(hub: Installation) -> None:
    logins = hub.query(
        "select distinct usename, usesuper from pg_stat_activity natural join pg_user "
        "where backend_type = 'client backend' and pid <> pg_backend_pid()",
        "oncehub",
    )
    assert {"oncehub_api|f", "airflow|f"} <= set(logins)
    assert not [login for login in logins if login.endswith("|t")]
    superusers = hub.query("select rolname from pg_roles where rolsuper", "oncehub")
    assert superusers == ["postgres"]


def test_the_shell_has_the_command_and_other_containers_start_no_database_of_their_own(
    hub: Installation,
) -> None:
    status = hub.compose("run", "--rm", "--no-TTY", "shell", "oncehub", "status")
    for stream in ("population.citizens", "tax.registrations"):
        assert re.search(rf"{stream}\s+succeeded", status)
    for service in ("api", "airflow-api-server"):
        refused = hub.compose("exec", "-T", service, "oncehub", "status", status=2)
        assert "ONCEHUB_DATABASE_URL is not set here" in refused


def test_no_process_can_gain_rights_or_write_outside_of_memory_and_volumes(hub: Installation) -> None:
    for name, each in hub.containers().items():
        settings = each["HostConfig"]
        assert (settings["CapDrop"], settings["SecurityOpt"]) == (["ALL"], ["no-new-privileges:true"]), name
        assert settings["ReadonlyRootfs"] == (name != "postgres"), name
    touch = ("exec", "-T", "--user", "root", "api", "touch", "/srv/oncehub/oncehub/errors.py")
    refused = hub.compose(*touch, status=1)
    assert "Read-only file system" in refused


def test_a_citizen_whom_the_simulated_portals_provider_proves_fills_a_form(
    hub: Installation, tmp_path: Path
) -> None:
    number, other = hub.query(CITIZENS, "oncehub")
    jwk = json.dumps(new_client_key(tmp_path / "portal.pem"))
    add = ("oncehub", "client", "add", "portal", "--agreement", "portal-residence")
    hub.shell(*add, "--public-key", "/dev/stdin", given=jwk)

    def sign_in(citizen: str, nonce: str) -> str:
        [answer] = hub.control(("POST", "/identity", {"number": citizen, "nonce": nonce}))
        return str(answer["id_token"])

    def portal(citizen: str | None) -> HubClient:
        """The portal, for the first citizen; somebody signs in for what it asks."""
        return HubClient(
            f"http://{hub.address('api')}:8000",
            "portal",
            (tmp_path / "portal.pem").read_bytes(),
            loopback_session(),
            citizen=number,
            agreement="portal-residence",
            prove_citizen=partial(sign_in, citizen) if citizen else None,
        )

    hers, search = portal(number), {"person.personal_id": number}
    form = hers.prefill(FORM, search)
    phone = form["items"]["phone"]["value"]
    corrected = f"{phone[:-1]}{(int(phone[-1]) + 1) % 10}"
    answers = {name: {"kind": "confirmed"} for name, item in form["items"].items() if item["confirm"]}
    answers |= {name: {"kind": "none"} for name in form["missing_items"]}
    answers |= {"phone": {"kind": "corrected", "value": corrected}}
    for citizen, check in ((None, "missing"), (other, "subject")):
        with pytest.raises(EvidenceRefused) as refused:
            portal(citizen).submit(FORM, form, search, answers, dossier="D-1")
        assert refused.value.check == check
    assert "phone" in hers.submit(FORM, form, search, answers, dossier="D-1")["kept"]

    # What she entered lands as any record of the portal, and her next form shows it.
    hub.compose("exec", "-T", "airflow-scheduler", "airflow", "dags", "trigger", "sync_portal")
    until(hub.unfinished, 180)
    shown = hers.prefill(FORM, search)["items"]["phone"]
    assert (shown["value"], shown["source"]) == (corrected, "portal")
    assert hers.usage()["totalUsages"] >= 3
    assert hub.query(
        "select distinct vouched_by from audit.entry where action = 'submission' and outcome <> 'refused'",
        "oncehub",
    ) == ["provider"]


def test_the_simulated_provider_is_trusted_with_the_simulated_systems_only(hub: Installation) -> None:
    def api(profile: str) -> dict[str, str]:
        """The environment of the API with an .env as deploy/up makes it."""
        made = ("docker", "run", "--rm", "oncehub", "oncehub", "init-secrets", "-", "--profile", profile)
        file = hub.folder / "made.env"
        file.write_text(hub.run(*made), "utf-8")
        compose = ("env", "-u", "COMPOSE_FILE", "docker", "compose", "--env-file", str(file))
        described = json.loads(hub.run(*compose, "config", "--format", "json"))
        found: dict[str, str] = described["services"]["api"]["environment"]
        return found

    assert "ONCEHUB_IDENTITY_PROVIDERS" in api("simulated")
    assert "ONCEHUB_IDENTITY_PROVIDERS" not in api("real")
    # The profile changed by hand.
    refused = hub.run("env", "COMPOSE_PROFILES=real", "docker", "compose", "config", status=15)
    assert 'service "api" depends on undefined service "stubs"' in refused
    trusted = hub.compose("exec", "-T", "api", "ls", "/srv/state/identity_providers").split()
    assert trusted == ["vneid.json", "vneid.yaml"]


def test_checkpoints_are_stamped_by_the_authority_that_the_operator_names(
    hub: Installation, authority: Path
) -> None:
    program = Path(time_authority.__file__)
    mounts = ("--volume", f"{authority}:{authority}", "--volume", f"{program}:/authority.py:ro")
    started = ("run", "--detach", "--rm", "--init", "--user", "root", "--name", AUTHORITY)
    serve = ("python", "/authority.py", str(authority), "0.0.0.0", "3161")
    hub.run("docker", *started, "--network", f"{PROJECT}_default", *mounts, "oncehub", *serve)
    try:
        until(lambda: listening(hub), 30)
        hub.compose("exec", "-T", "airflow-scheduler", "airflow", "dags", "trigger", "checkpoint")
        until(hub.unfinished, 60)
    finally:
        hub.run("docker", "rm", "--force", AUTHORITY)
    stamped = hub.query("select by from audit.attestation where kind = 'timestamp'", "oncehub")
    assert stamped
    assert set(stamped) == {f"http://{AUTHORITY}:3161"}
    verified = hub.shell("oncehub", "audit", "verify")
    assert "no tampering found" in verified
    assert f"{len(stamped)} cosignatures and time-stamps hold; 0 are by others" in verified


def listening(hub: Installation) -> list[str]:
    tried = ["docker", "compose", "exec", "-T", "airflow-scheduler", "python", "-c", LISTENS]
    done = subprocess.run(tried, check=False, cwd=hub.folder, env=hub.environment, capture_output=True)
    return [AUTHORITY] if done.returncode else []


def test_no_service_makes_a_key_of_its_own(hub: Installation) -> None:
    hub.compose("exec", "-T", "airflow-scheduler", "airflow", "dags", "trigger", "purge")
    until(hub.unfinished, 60)
    assert hub.query("select state from dag_run where dag_id = 'purge'", "airflow") == ["success"]
    for service, each in hub.containers().items():
        if each["State"]["Running"] and each["Config"]["Image"] == "oncehub":
            assert hub.compose("exec", "-T", service, "find", "/srv/state/hub", "-type", "f") == "", service


def test_the_proxy_passes_on_what_agencies_ask_and_keeps_the_rest_inside(hub: Installation) -> None:
    image = json.loads(hub.compose("config", "--format", "json", "proxy"))["services"]["proxy"]["image"]
    if subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True).returncode:
        pytest.skip(f"{image} is not here, and an installation with simulated systems does not need it")
    hub.compose("up", "--detach", "--wait", "--no-deps", "proxy")
    asked = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code} ")
    paths = ("/openapi.json", "/v1/feeds/residence/changes", "/ready", "/live", "/metrics")
    urls = [f"http://127.0.0.1:8000{path}" for path in paths]
    answers = "".join(hub.compose("exec", "-T", "proxy", *asked, url) for url in urls)
    assert answers.split() == ["200", "401", "404", "404", "404"]
    hub.compose("rm", "--force", "--stop", "proxy")


def test_every_service_comes_back_when_it_is_killed_and_the_rows_are_the_same(hub: Installation) -> None:
    before = hub.rows()
    up = {name: each for name, each in hub.containers().items() if each["State"]["Running"]}
    assert len(up) == 9
    for name, each in up.items():
        # As a crash: `docker kill` would count as a wish that it stay down.
        kill = ("--user", "root", "--pid", "host", "--privileged", "oncehub", "sh", "-c")
        hub.run("docker", "run", "--rm", *kill, f"kill -9 {each['State']['Pid']}")
        until(partial(hub.not_again, name, each["State"]["StartedAt"]), 60)
    until(hub.unready, 120)
    assert hub.rows() == before


def test_after_a_restart_of_every_service_the_sources_are_read_and_nothing_is_landed_twice(
    hub: Installation,
) -> None:
    before = hub.rows()
    hub.compose("restart")
    [restarted] = hub.query("select now()", "airflow")
    until(hub.unready, 120)
    for dag in ("sync_population", "sync_banking"):
        hub.compose("exec", "-T", "airflow-scheduler", "airflow", "dags", "trigger", dag)
    until(hub.unfinished, 120)
    read = hub.query(
        f"select dag_id from dag_run where dag_id like 'sync%' and start_date > '{restarted}'", "airflow"
    )
    assert sorted(read) == ["sync_banking", "sync_population"]
    assert hub.rows() == before


def test_a_password_that_breaks_urls_is_refused_by_name_and_corrected_without_loss(hub: Installation) -> None:
    before, file = hub.rows(), hub.folder / ".env"
    good = file.read_text("utf-8")
    file.write_text(re.sub(r"(?m)^(ONCEHUB_DATABASE_PASSWORD)=.*$", r"\1=with/slash-and@sign", good), "utf-8")
    refused = hub.run("deploy/up", status=1)
    assert "ONCEHUB_DATABASE_PASSWORD must have 12 characters or more" in refused
    assert "with/slash" not in refused
    file.write_text(
        re.sub(r"(?m)^(ONCEHUB_DATABASE_PASSWORD)=.*$", r"\1=another-good.password", good), "utf-8"
    )
    assert "every source has been read before" in hub.run("deploy/up")
    until(hub.unready, 90)
    assert hub.rows() == before
