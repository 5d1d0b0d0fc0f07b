"""What each service of docker-compose.yml can reach, and how it is kept running."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.secrets.local_filesystem import load_connections_dict

from demo.airflow.connection_file import convert

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "init": {"ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_SIGNING", "ONCEHUB_KEY_REQUEST"},
    "api": {
        *("ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_REQUEST"),
        *("ONCEHUB_KEY_TOKEN", "ONCEHUB_KEY_TOKEN_OTHER"),
    },
    # Purging digests the keys of what it removes under the key for pseudonyms.
    "airflow-scheduler": {"ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_SIGNING"},
    "shell": {
        *("ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_SIGNING"),
        *("ONCEHUB_KEY_REQUEST", "ONCEHUB_KEY_TOKEN"),
    },
}
LOGINS = {
    "bootstrap": {"administration"},
    "postgres": {"administration"},
    "init": {"oncehub"},
    "api": {"oncehub_api"},
    "airflow-scheduler": {"oncehub", "oncehub_signing", "airflow"},
    "airflow-dag-processor": {"airflow"},
    "airflow-triggerer": {"airflow"},
    "airflow-api-server": {"airflow"},
    "airflow-init": {"airflow"},
    "connections": {"airflow"},
    "watch": {"oncehub"},
    "shell": {"oncehub", "oncehub_api", "oncehub_signing"},
}
SIMULATED = {"stubs", "connections", "first-run"}


WORKERS = ("worker-1", "worker-2")

Services = dict[str, dict[str, Any]]


class _Reset:
    """What a file takes out of the one that it is added to."""


class _Loader(yaml.SafeLoader):
    """Reads compose's own tags."""


_Loader.add_constructor("!reset", lambda *_: _Reset())
_Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((ROOT / name).read_text("utf-8"), _Loader)
    return found


@pytest.fixture(scope="module")
def services() -> Services:
    return read("docker-compose.yml")["services"]


@pytest.fixture(scope="module")
def with_workers(services: Services) -> Services:
    """The services of both files, as compose merges them."""
    merged = {name: dict(service) for name, service in services.items()}
    for name, changes in read("docker-compose.workers.yml")["services"].items():
        service = merged.setdefault(name, {})
        changes["environment"] = service.get("environment", {}) | changes.get("environment", {})
        changes["depends_on"] = service.get("depends_on", {}) | changes.get("depends_on", {})
        service |= changes
        for key in ("environment", "volumes"):
            if isinstance(service.get(key), _Reset):
                del service[key]
        service["environment"] = {
            key: value for key, value in service["environment"].items() if not isinstance(value, _Reset)
        }
    return merged


def sources(service: dict[str, Any]) -> set[str]:
    return {volume.split(":")[0] for volume in service.get("volumes", ())}


def test_each_service_has_the_keys_it_works_with_and_no_others(services: Services) -> None:
    given = {
        name: {key for key in service.get("environment", {}) if key.startswith("ONCEHUB_KEY_")}
        for name, service in services.items()
    }
    assert {name: keys for name, keys in given.items() if keys} == KEYS


def test_each_service_has_the_logins_it_works_with_and_the_superusers_socket_is_the_administrators(
    services: Services,
) -> None:
    given = {
        name: set(re.findall(r"postgresql\S*://(\w+):", str(service.get("environment"))))
        | (sources(service) & {"administration"})
        for name, service in services.items()
    }
    assert {name: logins for name, logins in given.items() if logins} == LOGINS


def test_with_workers_the_signing_key_and_login_are_one_workers_and_the_scheduler_has_none(
    with_workers: Services,
) -> None:
    keys = {
        name: {
            key.removesuffix("_FILE")
            for key in service.get("environment", {})
            if key.startswith("ONCEHUB_KEY_")
        }
        for name, service in with_workers.items()
    }
    tasks = {"ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM"}
    workers = dict.fromkeys(WORKERS, tasks) | {"worker-signing": {"ONCEHUB_KEY_SIGNING"}}
    expected = {name: each for name, each in KEYS.items() if name != "airflow-scheduler"} | workers
    assert {name: each for name, each in keys.items() if each} == expected
    logins = {
        name: set(re.findall(r"postgresql\S*://(\w+):", str(service.get("environment"))))
        for name, service in with_workers.items()
    }
    assert {name: logins[name] for name in (*workers, "airflow-scheduler")} == {
        "worker-1": {"oncehub"},
        "worker-2": {"oncehub"},
        "worker-signing": {"oncehub_signing"},
        "airflow-scheduler": {"airflow"},
    }
    for name in workers:
        given = {f"/run/secrets/{secret}" for secret in with_workers[name]["secrets"]}
        named = {value for key, value in with_workers[name]["environment"].items() if key.endswith("_FILE")}
        assert given == named


def test_each_worker_keeps_its_own_logs_and_nothing_else_and_serves_them_at_its_name(
    with_workers: Services,
) -> None:
    mounted = [with_workers[name]["volumes"] for name in (*WORKERS, "worker-signing")]
    assert all(len(volumes) == 1 and volumes[0].endswith(":/srv/state/airflow/logs") for volumes in mounted)
    assert len({volumes[0] for volumes in mounted}) == 3
    for name in (*WORKERS, "worker-signing"):
        assert with_workers[name]["hostname"] == name
        assert "ports" not in with_workers[name]
    assert {name for name in WORKERS if "systems" in with_workers[name]["networks"]} == set(WORKERS)
    assert "systems" not in with_workers["worker-signing"]["networks"]


def test_the_signing_task_alone_is_in_the_queue_of_its_worker(with_workers: Services) -> None:
    queues = {name: with_workers[name]["command"][-1] for name in (*WORKERS, "worker-signing")}
    assert queues == {"worker-1": "default", "worker-2": "default", "worker-signing": "signing"}
    waiting = {
        (path.stem, queue)
        for path in (ROOT / "dags").glob("*.py")
        for queue in re.findall(r"queue=\"(\w+)\"", path.read_text("utf-8"))
    }
    assert waiting == {("checkpoint", "signing")}


def test_only_their_keeper_reaches_the_file_of_anchors(with_workers: Services) -> None:
    assert [name for name, service in with_workers.items() if "anchor" in sources(service)] == ["anchor"]
    tokens = {
        name: set(re.findall(r"ONCEHUB_AUDIT_(\w+)_TOKEN:\?", str(service.get("environment"))))
        for name, service in with_workers.items()
    }
    assert {name: held for name, held in tokens.items() if held} == {
        "anchor": {"ANCHOR", "ADOPTION"},
        "worker-signing": {"ANCHOR"},
        "shell": {"ADOPTION"},
    }


def test_no_service_of_the_engine_sees_the_control_of_the_simulated_world(
    services: Services,
) -> None:
    assert {name for name, service in services.items() if "systems" in sources(service)} == {
        "stubs",
        "connections",
    }
    reaching = {name for name, service in services.items() if "systems" in service.get("networks", ())}
    # Tasks read the systems, and the API server tries their connections.
    assert reaching == {"stubs", "airflow-scheduler", "airflow-api-server"}


def test_the_simulated_provider_is_trusted_by_the_api_alone_and_by_a_file_that_needs_the_systems(
    services: Services,
) -> None:
    assert [name for name, service in services.items() if "identity-providers" in sources(service)] == [
        "stubs"
    ]
    assert not [name for name, service in services.items() if "PROVIDERS" in str(service.get("environment"))]
    [(name, trusting)] = read("docker-compose.simulated.yml")["services"].items()
    assert name == "api"
    folder = trusting["environment"]["ONCEHUB_IDENTITY_PROVIDERS"]
    assert trusting["volumes"] == [f"identity-providers:{folder}:ro"]
    # A service of another profile: compose refuses the file without that profile.
    assert trusting["depends_on"].keys() == {"stubs"} <= SIMULATED


def test_what_signs_and_what_verifies_know_witnesses_and_the_time_stamping_authority(
    with_workers: Services,
) -> None:
    attested = {
        name: service
        for name, service in with_workers.items()
        if "ONCEHUB_AUDIT_WITNESSES" in service.get("environment", {})
    }
    assert {"shell", "worker-signing"} <= attested.keys()
    for name, service in attested.items():
        [roots] = [each["target"] for each in service["configs"] if each["source"] == "timestamp-roots"]
        assert "ONCEHUB_TIMESTAMP_URL" in service["environment"], name
        assert service["environment"]["ONCEHUB_TIMESTAMP_ROOTS"] == f"${{ONCEHUB_TIMESTAMP_ROOTS:+{roots}}}"


def test_the_profile_for_real_use_has_no_simulated_system(services: Services) -> None:
    assert {
        name for name, service in services.items() if "simulated" in service.get("profiles", ())
    } == SIMULATED
    for name, service in services.items():
        if name not in SIMULATED:
            needed = {
                each for each, how in service.get("depends_on", {}).items() if how.get("required", True)
            }
            assert not needed & SIMULATED, name


def test_ports_are_published_on_loopback_only(services: Services) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not [name for name, service in services.items() if "network_mode" in service]


def test_each_service_is_bounded_and_what_stays_up_is_watched_and_comes_back(
    with_workers: Services,
) -> None:
    for name, service in with_workers.items():
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["stop_grace_period"] != "10s", name
        if service["restart"] != "no":
            assert service["restart"] == "always", name
            assert service["healthcheck"]["test"], name


def test_the_connections_of_the_systems_are_what_airflow_imports(tmp_path: Path) -> None:
    systems = {
        "tax": {
            "conn_type": "http",
            "host": "https://stubs:9002",
            "login": "key",
            "password": "s3cret",
            "extra": {},
        },
        "banking": {"conn_type": "http", "host": "https://stubs:9004", "extra": {"ca": str(tmp_path / "ca")}},
    }
    (tmp_path / "ca").write_text("-----BEGIN CERTIFICATE-----", "ascii")
    (tmp_path / "connections.json").write_text(json.dumps(systems), "utf-8")
    convert(tmp_path / "connections.json", tmp_path / "airflow.json")
    imported = load_connections_dict(str(tmp_path / "airflow.json"))
    assert imported.keys() == {"oncehub_tax", "oncehub_banking"}
    for source, given in systems.items():
        connection = imported[f"oncehub_{source}"]
        assert isinstance(connection.extra, str)
        assert connection.conn_type == "oncehub_source"
        assert connection.port in (9002, 9004)
        # A worker needs no file: what a path names becomes part of the connection.
        assert connection.extra_dejson == {
            "source": source,
            **dict.fromkeys(given["extra"], "-----BEGIN CERTIFICATE-----"),
        }
        assert (connection.host, connection.login, connection.password) == (
            given["host"],
            given.get("login"),
            given.get("password"),
        )
