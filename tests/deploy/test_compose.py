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
    "init": {"ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_SIGNING"},
    "api": {"ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_TOKEN", "ONCEHUB_KEY_TOKEN_OTHER"},
    # Purging digests the keys of what it removes under the key for pseudonyms.
    "airflow-scheduler": {"ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_SIGNING"},
    "shell": {"ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_SIGNING", "ONCEHUB_KEY_TOKEN"},
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


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))[
        "services"
    ]
    return found


def sources(service: dict[str, Any]) -> set[str]:
    return {volume.split(":")[0] for volume in service.get("volumes", ())}


def test_each_service_has_the_keys_it_works_with_and_no_others(services: dict[str, dict[str, Any]]) -> None:
    given = {
        name: {key for key in service.get("environment", {}) if key.startswith("ONCEHUB_KEY_")}
        for name, service in services.items()
    }
    assert {name: keys for name, keys in given.items() if keys} == KEYS


def test_each_service_has_the_logins_it_works_with_and_the_superusers_socket_is_the_administrators(
    services: dict[str, dict[str, Any]],
) -> None:
    given = {
        name: set(re.findall(r"postgresql\S*://(\w+):", str(service.get("environment"))))
        | (sources(service) & {"administration"})
        for name, service in services.items()
    }
    assert {name: logins for name, logins in given.items() if logins} == LOGINS


def test_no_service_of_the_engine_sees_the_control_of_the_simulated_world(
    services: dict[str, dict[str, Any]],
) -> None:
    assert {name for name, service in services.items() if "systems" in sources(service)} == {
        "stubs",
        "connections",
    }
    reaching = {name for name, service in services.items() if "systems" in service.get("networks", ())}
    # Tasks read the systems, and the API server tries their connections.
    assert reaching == {"stubs", "airflow-scheduler", "airflow-api-server"}


def test_the_profile_for_real_use_has_no_simulated_system(services: dict[str, dict[str, Any]]) -> None:
    assert {
        name for name, service in services.items() if "simulated" in service.get("profiles", ())
    } == SIMULATED
    for name, service in services.items():
        if name not in SIMULATED:
            needed = {
                each for each, how in service.get("depends_on", {}).items() if how.get("required", True)
            }
            assert not needed & SIMULATED, name


def test_ports_are_published_on_loopback_only(services: dict[str, dict[str, Any]]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not [name for name, service in services.items() if "network_mode" in service]


def test_each_service_is_bounded_and_what_stays_up_is_watched_and_comes_back(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
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
        "banking": {"conn_type": "http", "host": "https://stubs:9004", "extra": {"ca": "/srv/ca.pem"}},
    }
    (tmp_path / "connections.json").write_text(json.dumps(systems), "utf-8")
    convert(tmp_path / "connections.json", tmp_path / "airflow.json")
    imported = load_connections_dict(str(tmp_path / "airflow.json"))
    assert imported.keys() == {"oncehub_tax", "oncehub_banking"}
    for source, given in systems.items():
        connection = imported[f"oncehub_{source}"]
        assert isinstance(connection.extra, str)
        assert connection.extra_dejson == given["extra"] | {"source": source}
        assert connection.conn_type == "oncehub_source"
        assert connection.port in (9002, 9004)
        assert (connection.host, connection.login, connection.password) == (
            given["host"],
            given.get("login"),
            given.get("password"),
        )
