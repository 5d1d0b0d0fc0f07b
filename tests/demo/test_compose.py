"""What each service of docker-compose.yml can reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).resolve().parents[2] / "docker-compose.yml"
KEYS = {
    "init": set(),
    "api": {"ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_TOKEN", "ONCEHUB_KEY_TOKEN_OTHER"},
    "proxy": set(),
    "stubs": set(),
    "connections": set(),
    "airflow-init": set(),
    "airflow-scheduler": {"ONCEHUB_KEY_DATA", "ONCEHUB_KEY_PSEUDONYM", "ONCEHUB_KEY_SIGNING"},
    "airflow-dag-processor": set(),
    "airflow-api-server": set(),
}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
    return found


def test_each_service_has_the_keys_it_works_with_and_no_others(services: dict[str, dict[str, Any]]) -> None:
    given = {
        name: {key for key in service.get("environment", {}) if key.startswith("ONCEHUB_KEY_")}
        for name, service in services.items()
        if name != "postgres"
    }
    assert given == KEYS


def test_no_service_of_the_engine_sees_the_control_of_the_simulated_world(
    services: dict[str, dict[str, Any]],
) -> None:
    whole = {
        name
        for name, service in services.items()
        for volume in service.get("volumes", ())
        if (volume.split(":")[0] if isinstance(volume, str) else volume["source"]) == "systems"
        and (isinstance(volume, str) or volume.get("volume", {}).get("subpath") != "tls")
    }
    assert whole == {"stubs", "connections"}


def test_ports_are_published_on_loopback_only(services: dict[str, dict[str, Any]]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
