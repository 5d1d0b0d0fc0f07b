"""Runs Airflow as in production, but small: scheduler, DAG processor and API server over PostgreSQL."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from demo.processes.loopback import HOST
from demo.processes.processes import Component, Components
from oncehub.clock import VIETNAM

USER = "admin"
TASKS_AT_ONCE = 2
_SERVICES = {
    "airflow scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow dag processor": ("dag-processor",),
    "airflow api server": ("api-server",),
    "airflow triggerer": ("triggerer", "--skip-serve-logs"),
}


@dataclass(frozen=True)
class Airflow:
    """One Airflow: its folder, its settings as environment, and how to sign in as `USER`."""

    url: str
    password: str
    environment: dict[str, str]


def airflow_settings(folder: Path, dags: Path, database_url: str, port: int) -> Airflow:
    """Return the settings of an Airflow in `folder` (created here) that runs the DAG files in `dags`.

    Args:
        folder: AIRFLOW_HOME.
        dags: folder of DAG files.
        database_url: libpq URL of its own database.
        port: of its API server.
    """
    folder.mkdir(parents=True)
    password = secrets.token_urlsafe(12)
    passwords = folder / "passwords.json"
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({USER: password}), "utf-8")
    url = f"http://{HOST}:{port}"
    options: dict[str, dict[str, Any]] = {
        "CORE": {
            "DAGS_FOLDER": dags,
            "LOAD_EXAMPLES": False,
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": TASKS_AT_ONCE,
            "DAGS_ARE_PAUSED_AT_CREATION": False,
            "SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords,
            "EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "FERNET_KEY": Fernet.generate_key().decode(),
            "TEST_CONNECTION": "Enabled",
            "DEFAULT_TIMEZONE": VIETNAM.key,
        },
        "API": {"HOST": HOST, "PORT": port, "SECRET_KEY": secrets.token_hex(32)},
        # One secret everywhere: what the scheduler signs for a task, the API server verifies.
        "API_AUTH": {"JWT_SECRET": secrets.token_hex(32)},
        "DATABASE": {"SQL_ALCHEMY_CONN": database_url.replace("postgresql://", "postgresql+psycopg2://", 1)},
        "DAG_PROCESSOR": {"MIN_FILE_PROCESS_INTERVAL": 300},
        "SCHEDULER": {"SCHEDULER_IDLE_SLEEP_TIME": 0.3},
    }
    environment = {
        f"AIRFLOW__{section}__{name}": str(value)
        for section, values in options.items()
        for name, value in values.items()
    }
    return Airflow(url, password, {"AIRFLOW_HOME": str(folder), **environment})


def start_migration(components: Components, airflow: Airflow) -> Component:
    """Start migrating Airflow's database; `finish_migration` waits for the end."""
    return components.start("airflow migration", _airflow("db", "migrate"), airflow.environment)


def finish_migration(components: Components, migration: Component) -> None:
    """Wait until the migration that `start_migration` started has ended.

    Raises:
        DemoFailed: when it failed.
    """
    components.finish(migration)


def start_services(components: Components, airflow: Airflow, hub: Mapping[str, str]) -> None:
    """Start scheduler, DAG processor and API server.

    Args:
        components: where the processes are added.
        airflow: the settings of the services.
        hub: the hub's settings, as environment variables.
    """
    for name, arguments in _SERVICES.items():
        components.start(name, _airflow(*arguments), {**airflow.environment, **hub})


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]
