"""Starts everything that a demo runs; slow parts start first and are awaited last."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from demo.agencies import Agencies, admit_agencies
from demo.airflow.connection_file import airflow_connections
from demo.airflow.processes import (
    TASKS_AT_ONCE,
    Airflow,
    airflow_settings,
    finish_migration,
    start_migration,
    start_services,
)
from demo.airflow.rest import AirflowClient
from demo.failure import DemoFailed
from demo.processes.database import start_database
from demo.processes.loopback import HOST, Ports, loopback_session
from demo.processes.processes import Component, Components
from demo.progress import Progress
from oncehub.airflow.pools import pools
from oncehub.config.catalogue import load_connectors
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.store.connection import Connection, connect
from stubs.client import Systems

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Stage:
    """A running demo.

    Attributes:
        database: a connection with the hub's own rights.
        agencies: a client of the hub's API for each agreement.
    """

    settings: Settings
    components: Components
    systems: Systems
    airflow: Airflow
    airflow_client: AirflowClient
    hub_url: str
    agencies: Agencies
    database: Connection
    sources: tuple[str, ...]
    feeds: tuple[str, ...]

    @property
    def cycle_dag_ids(self) -> set[str]:
        """The DAGs that take part in a cycle."""
        return {
            "reconcile",
            *(f"sync_{source}" for source in self.sources),
            *(f"publish_{feed}" for feed in self.feeds),
        }

    @property
    def dag_ids(self) -> set[str]:
        """The DAGs that Airflow should know."""
        return self.cycle_dag_ids | {"checkpoint"}


@contextmanager
def raised(folder: Path, root: Path, *, people: int, ports: Ports, progress: Progress) -> Iterator[Stage]:
    """Start all parts of the demo in `folder`, and end them on leaving.

    Args:
        folder: empty and writable.
        root: of the project, with connectors, mappings, schemas and DAG files.
        people: in the simulated population.
        ports: where to listen.
        progress: shows each step.

    Raises:
        DemoFailed: when a part does not start.
    """
    with Components(folder / "log") as components:
        with progress.step("starting the database"):
            urls = start_database(components, folder / "postgres")
        settings = Settings(
            root=root,
            home=folder / "home",
            database_url=urls["oncehub"],
            # The simulated portal's, whose keys are made as it starts.
            identity_folder=folder / "systems" / "identity_providers",
        )
        airflow = airflow_settings(folder / "airflow", root / "dags", urls["airflow"], ports.airflow)
        with progress.step(f"making {people:,} people and both databases"):
            migration = start_migration(components, airflow)
            systems = _start_systems(components, folder / "systems", people, ports.systems)
            initialise(settings, make_keys=True)
            database = connect(urls["oncehub"])
            agencies = admit_agencies(settings, database, folder / "keys", f"http://{HOST}:{ports.hub}")
            connections = _connections(components, folder / "systems")
            finish_migration(components, migration)
        stage = Stage(
            settings=settings,
            components=components,
            systems=Systems(systems.started, connections, _control(folder / "systems")),
            airflow=airflow,
            airflow_client=AirflowClient(airflow),
            hub_url=f"http://{HOST}:{ports.hub}",
            agencies=agencies,
            database=database,
            sources=tuple(load_connectors(settings)),
            feeds=tuple(agreement.feed for agreement in load_agreements(settings).values() if agreement.feed),
        )
        with progress.step("starting the hub's API and Airflow"):
            _start_services(stage, ports)
            _await_services(stage, progress, connections)
        try:
            yield stage
        finally:
            database.close()


def _start_systems(components: Components, folder: Path, people: int, port: int) -> Component:
    folder.mkdir(mode=0o700)
    arguments = ["--people", str(people), "--state", str(folder), "--port-base", str(port)]
    return components.start("simulated systems", [sys.executable, "-m", "stubs", "serve", *arguments], {})


def _connections(components: Components, folder: Path) -> dict[str, dict[str, Any]]:
    # The control file is the last that the systems write.
    _await(components, (folder / "control.json").exists)
    connections: dict[str, dict[str, Any]] = json.loads((folder / "connections.json").read_bytes())
    return connections


def _control(folder: Path) -> dict[str, str]:
    control: dict[str, str] = json.loads((folder / "control.json").read_bytes())
    return control


def _start_services(stage: Stage, ports: Ports) -> None:
    settings = stage.settings
    environment = {
        "ONCEHUB_ROOT": str(settings.root),
        "ONCEHUB_HOME": str(settings.home),
        "ONCEHUB_DATABASE_URL": str(settings.database_url),
        "ONCEHUB_IDENTITY_PROVIDERS": str(settings.identity_providers),
    }
    command = [sys.executable, "-m", "oncehub.api", "--host", HOST, "--port", str(ports.hub)]
    stage.components.start("hub api", command, environment)
    start_services(stage.components, stage.airflow, environment)


def _await_services(stage: Stage, progress: Progress, connections: Mapping[str, dict[str, Any]]) -> None:
    client = stage.airflow_client
    progress.say("waiting for the hub's API")
    _await(stage.components, lambda: _answers(f"{stage.hub_url}/ready"))
    progress.say("waiting for Airflow's API server")
    _await(stage.components, lambda: client.dag_ids() is not None)
    client.add_pools(pools(load_connectors(stage.settings).values(), database_slots=TASKS_AT_ONCE))
    client.add_connections(airflow_connections(connections))
    progress.say("waiting for Airflow's DAGs")
    _await(stage.components, lambda: _has_dags(client, stage.dag_ids))


def _has_dags(client: AirflowClient, wanted: set[str]) -> bool:
    if errors := client.import_errors():
        raise DemoFailed(f"a DAG file cannot be imported: {errors[0]}")
    return wanted <= (client.dag_ids() or set())


def _answers(url: str) -> bool:
    try:
        return loopback_session().get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _await(components: Components, ready: Callable[[], bool]) -> None:
    """Wait as long as this machine takes; a component that ends meanwhile ends the demo at once."""
    while not ready():
        components.require_alive()
        time.sleep(_POLL_SECONDS)
