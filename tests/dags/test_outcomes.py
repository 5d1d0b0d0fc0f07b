"""What Airflow's own state machine makes of a task: postponed, tried again, failed; and who is told of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from ..connect.serving import Served, as_json

DAG_FILE = """
from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag, task

from oncehub.airflow import failures
from oncehub.airflow.failures import clear_failures
from oncehub.airflow.notifier import told_after
from oncehub.airflow.schedule import one_at_a_time
from oncehub.errors import AuthenticationError, ContractBroken, SourceUnavailable, Throttled

failures.OUTAGE = tuple(each / 1000 for each in failures.OUTAGE)
failures.NONSENSE = tuple(each / 1000 for each in failures.NONSENSE)

TRIED = Path(__file__).parent / "tried"


@dag(schedule=None)
def postponing():
    @task(retries=0)
    def land(dag_run=None):
        with clear_failures(begun=dag_run.start_date):
            with TRIED.open("a") as tried:
                tried.write("x")
            if len(TRIED.read_text()) < 3:
                raise Throttled("tax.registrations: page 4: answered 429", 0.5)
        return {"read": 1}

    land()


@dag(schedule=None, **one_at_a_time(task=timedelta(minutes=1), run=timedelta(minutes=5)))
def failing():
    @task
    def outage():
        with clear_failures():
            raise SourceUnavailable("tax: does not answer")

    @task
    def nonsense():
        with clear_failures():
            raise ContractBroken("tax: answered a maintenance page")

    @task
    def hopeless():
        with clear_failures():
            raise AuthenticationError("tax: refused the credentials")

    outage(), nonsense(), hopeless()


@dag(schedule=None, deadline=told_after(timedelta(seconds=1)))
def late():
    @task
    def land():
        return None

    land()


postponing()
failing()
late()
"""

_RUN = """
import asyncio, json, sys
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.models.taskreschedule import TaskReschedule
from airflow.utils.session import create_session
manager = DagBundlesManager()
manager.sync_bundles_to_db()
bag = BundleDagBag(dag_folder=sys.argv[1], bundle_path=sys.argv[1], bundle_name="dags-folder")
sync_bag_to_db(bag, "dags-folder", None)
outcomes = {}
for name in ("postponing", "failing"):
    run = bag.dags[name].test()
    with create_session() as session:
        outcomes[name] = run.state
        for instance in run.get_task_instances(session=session):
            outcomes[instance.task_id] = [instance.state, instance.try_number]
        outcomes["postponed"] = session.query(TaskReschedule).count()

# As the API server starts a run, the scheduler finds its deadline missed, and the triggerer notifies.
from airflow._shared.timezones.timezone import utcnow
from airflow.models.deadline import Deadline
from airflow.models.serialized_dag import SerializedDagModel
from airflow.triggers.callback import CallbackTrigger
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
with create_session() as session:
    SerializedDagModel.get_dag("late", session=session).create_dagrun(
        run_id="night", run_after=utcnow(), run_type=DagRunType.MANUAL, state=DagRunState.QUEUED,
        triggered_by=DagRunTriggeredByType.REST_API, session=session,
    )
    session.flush()
    (deadline,) = session.query(Deadline)
    deadline.handle_miss(session)
    session.commit()
    asked = CallbackTrigger(**deadline.callback.trigger.kwargs)
    async def events():
        return [event.payload["state"] async for event in asked.run()]
    outcomes["callback"] = asyncio.run(events())
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of the tasks, what was written meanwhile, and what a webhook was told."""
    folder = tmp_path_factory.mktemp("dags")
    (folder / "outcomes.py").write_text(DAG_FILE, "utf-8")
    hook = Served(lambda _: as_json({}))
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "ONCEHUB_NOTIFY": f"{hook.host.replace('http', 'json')}/hook",
    }
    environment.pop("_AIRFLOW__AS_LIBRARY", None)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    hook.stop()
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcomes | {
        "tried": (folder / "tried").read_text("utf-8"),
        "written": done.stdout + done.stderr,
        "told": [json.loads(each.body) for each in hook.asked],
    }


def test_a_task_of_a_throttling_source_is_postponed_at_no_retrys_cost(ran: dict[str, Any]) -> None:
    assert ran["postponing"] == "success"
    assert ran["land"] == ["success", 1]
    assert (ran["postponed"], ran["tried"]) == (2, "xxx")


def test_an_outage_is_tried_five_times_nonsense_twice_and_what_needs_a_person_once(
    ran: dict[str, Any],
) -> None:
    assert ran["failing"] == "failed"
    assert (ran["outage"], ran["nonsense"], ran["hopeless"]) == (["failed", 5], ["failed", 2], ["failed", 1])


def test_a_failed_try_shows_one_sentence(ran: dict[str, Any]) -> None:
    assert "tax: refused the credentials" in ran["written"]
    assert "Traceback" not in ran["written"]


def test_somebody_is_told_once_of_each_task_that_failed_for_good(ran: dict[str, Any]) -> None:
    told = [(each["title"], each["message"].splitlines()[0]) for each in ran["told"]]
    assert sorted(each for each in told if "late" not in each[0]) == [
        ("oncehub task failed: failing.hopeless", "tax: refused the credentials"),
        ("oncehub task failed: failing.nonsense", "tax: answered a maintenance page"),
        ("oncehub task failed: failing.outage", "tax: does not answer"),
    ]


def test_somebody_is_told_of_a_run_that_misses_its_deadline(ran: dict[str, Any]) -> None:
    assert ran["callback"] == ["running", "success"]
    (told,) = [each for each in ran["told"] if "late" in each["title"]]
    assert told["title"] == "oncehub run late: late"
    assert re.match(
        r"Run night has not ended by 20\d\d-\d\d-\d\dT\d\d:\d\d\+07:00; it goes on\.", told["message"]
    )
