"""Triggers the first run of every source in a new installation: `python -m demo.airflow.first_run URL`.

The schedule alone would leave a new hub empty until the night. The password is in the environment.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Final

from demo.airflow.processes import USER, Airflow
from demo.airflow.rest import AirflowClient
from demo.failure import DemoFailed
from oncehub.config.catalogue import load_connectors
from oncehub.settings import load_settings

_PASSWORD: Final = "ONCEHUB_AIRFLOW_ADMIN_PASSWORD"
_SAY_SECONDS: Final = 30
_POLL_SECONDS: Final = 1.0


def main() -> None:
    """Trigger the DAGs of the sources that were never read, and say so."""
    client = AirflowClient(Airflow(sys.argv[1], os.environ[_PASSWORD], {}))
    wanted = {f"sync_{source}" for source in load_connectors(load_settings())}
    _await_dags(client, wanted)
    read = {run.dag_id for run in client.runs() if run.state == "success" or not run.ended}
    for dag_id in sorted(wanted - read):
        client.trigger(dag_id)
        print(f"first run: {dag_id} triggered")
    if wanted <= read:
        print("first run: every source has been read before; the schedule reads on")
    else:
        print("first run: linking and publishing follow by themselves; ready in about two minutes")
    print(f"first run: see http://127.0.0.1:8080 (user {USER}, password in .env: {_PASSWORD}),")
    print("first run: or `oncehub status` in the shell: docker compose run --rm shell")


def _await_dags(client: AirflowClient, wanted: set[str]) -> None:
    """Wait until Airflow has read the DAG files, as long as this machine takes, and say so now and then.

    Raises:
        DemoFailed: when a file cannot be imported.
    """
    said = time.monotonic()
    while not (known := client.dag_ids()) or not wanted <= known:
        if known is not None and (errors := client.import_errors()):
            raise DemoFailed(f"a DAG file cannot be imported: {errors[0]}")
        if time.monotonic() - said > _SAY_SECONDS:
            said = time.monotonic()
            print("first run: waiting until airflow-dag-processor has read the DAG files", flush=True)
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    try:
        main()
    except DemoFailed as failure:
        sys.exit(f"first run: {failure}")
