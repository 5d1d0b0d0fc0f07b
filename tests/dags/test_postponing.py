"""A task whose source asks for peace runs again later, by Airflow's own state machine, at no retry's cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

DAG_FILE = """
from pathlib import Path

from airflow.sdk import dag, task

from oncehub.errors import Throttled
from oncehub.airflow.failures import clear_failures

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


postponing()
"""

_RUN = """
import json, sys
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
run = bag.dags["postponing"].test()
with create_session() as session:
    instance = run.get_task_instances(session=session)[0]
    counted = session.query(TaskReschedule).count()
    print(json.dumps({
        "run": run.state, "task": instance.state, "try": instance.try_number, "postponed": counted,
    }))
"""


def test_a_task_of_a_throttling_source_is_postponed_until_it_may_ask_again(tmp_path: Path) -> None:
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "postponing.py").write_text(DAG_FILE, "utf-8")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    environment.pop("_AIRFLOW__AS_LIBRARY", None)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "run": "success",
        "task": "success",
        "try": 1,
        "postponed": 2,
    }
    assert (folder / "tried").read_text("utf-8") == "xxx"
