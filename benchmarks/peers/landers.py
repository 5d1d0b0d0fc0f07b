"""The landers that `benchmarks.landing` compares, each in its own process.

`python -m benchmarks.peers.landers NAME` reads a `Task` from its input and writes a `Measured` to its output.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import requests

from benchmarks.data.register import PAGE_SIZE, PATH
from oncehub.config.catalogue import load_connector
from oncehub.config.connection import Connection
from oncehub.intake.sync import sync
from oncehub.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

_FIELDS = (
    *("mst", "soDinhDanh", "soCMND", "hoTen", "ngaySinh", "gioiTinh", "quocTich", "dienThoai", "email"),
    *("coQuanThue", "ngayCap", "trangThai", "ngayCapNhat"),
)
_ADDRESS_FIELDS = ("maXa", "chiTiet")
_MAKE_FLOOR = f"create table taxpayer ({', '.join(f'{name} text' for name in (*_FIELDS, *_ADDRESS_FIELDS))})"
_COPY_FLOOR = "copy taxpayer from stdin"

# Telemetry and reading Airflow's database are not part of what is measured.
_DLT_SETTINGS = {"RUNTIME__DLTHUB_TELEMETRY": "false", "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false"}


@dataclass(frozen=True)
class Task:
    """A task: land `count` records that `host` serves in the database at `database_url`.

    Attributes:
        home: folder with the hub's keys.
    """

    host: str
    count: int
    database_url: str
    home: str


@dataclass(frozen=True)
class Measured:
    """Costs of a landing, without start-up.

    Attributes:
        seconds: elapsed time.
        process_seconds: processor time of the landing process.
        peak_bytes: highest resident memory of the process.
        database_seconds: processor time of the database's processes.
    """

    records: int
    seconds: float
    process_seconds: float
    peak_bytes: int
    database_seconds: float = 0


def land_in_new_process(name: str, task: Task) -> Measured:
    """Land a register with the lander `name`, of `LANDERS`, in a new process.

    Raises:
        subprocess.CalledProcessError: when it fails; it writes its errors to this process's standard error.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers.landers", name],
        input=json.dumps(asdict(task)),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | _DLT_SETTINGS,
        check=True,
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def is_dlt_installed() -> bool:
    """Whether the extra `bench` is installed."""
    return importlib.util.find_spec("dlt") is not None


def by_hub(task: Task) -> int:
    """Land as `oncehub sync --full` does: contract, mapping, upsert, a commit for each page.

    Only the tax office's rate limit is raised, because it would determine the result.
    """
    settings = Settings(ROOT, Path(task.home), task.database_url)
    connector = load_connector(settings, "tax")
    limits = connector.limits.model_copy(update={"requests": 1e6})
    connector = connector.model_copy(update={"limits": limits})
    connection = Connection(task.host, login="benchmark", password="not checked")
    reports = sync(settings, connector, connection, streams=["registrations"], full=True)
    return sum(report.accepted + report.unchanged for report in reports)


def by_floor(task: Task) -> int:
    """Fetch a page ahead, parse, COPY as text, commit: no contract, no types, no key, no repeated landing.

    It is the fastest of the ways tried that parse with orjson: it prefetches, and does not escape values,
    because the served records never need it.
    """
    connection = psycopg2.connect(task.database_url)
    landed = 0
    with connection, connection.cursor() as cursor:
        cursor.execute(_MAKE_FLOOR)
    for body in _bodies(task):
        records = orjson.loads(body)["data"]["items"]
        with connection, connection.cursor() as cursor:
            cursor.copy_expert(_COPY_FLOOR, io.BytesIO("".join(map(_line, records)).encode()), size=2**20)
            landed += cursor.rowcount
    connection.close()
    return landed


def by_dlt(task: Task) -> int:
    """Land with a dlt pipeline of one resource, merged by the tax code; nested objects become columns."""
    import dlt  # noqa: PLC0415 - an extra

    pages = (orjson.loads(body)["data"]["items"] for body in _bodies(task))
    taxpayers = dlt.resource(pages, name="taxpayer", write_disposition="merge", primary_key="mst")
    with tempfile.TemporaryDirectory() as home:
        pipeline = dlt.pipeline(
            "taxpayers",
            pipelines_dir=home,
            destination=dlt.destinations.postgres(_dlt_credentials(task.database_url)),
            dataset_name="landed",
        )
        pipeline.run(taxpayers).raise_on_failed_jobs()
    with psycopg2.connect(task.database_url) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from landed.taxpayer")
        (landed,) = cursor.fetchone() or (0,)
    return int(landed)


def _dlt_credentials(url: str) -> dict[str, Any]:
    """Convert a libpq URL to dlt's credentials, which need a host and a password even for a socket."""
    stated = psycopg2.extensions.parse_dsn(url)
    host = stated["host"]
    return {
        "host": "localhost" if host.startswith("/") else host,
        "port": int(stated.get("port", 5432)),
        "username": stated["user"],
        "password": stated.get("password", "none"),
        "database": stated["dbname"],
        "query": {"host": host},
    }


Lander = Callable[[Task], int]
"""Runs the task and returns how many of its records the database then has."""

LANDERS: dict[str, Lander] = {"hub": by_hub, "floor": by_floor, "dlt": by_dlt}


def _bodies(task: Task) -> Iterator[bytes]:
    """Yield the pages; the next one is fetched while the caller works."""
    session = requests.Session()
    session.trust_env = False

    def fetch(number: int) -> bytes:
        answer = session.get(f"{task.host}{PATH}", params={"trang": number, "soDong": PAGE_SIZE}, timeout=30)
        answer.raise_for_status()
        return answer.content

    last = -(-task.count // PAGE_SIZE)
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(fetch, 1)
        for number in range(1, last + 1):
            body = coming.result()
            if number < last:
                coming = thread.submit(fetch, number + 1)
            yield body


_values = itemgetter(*_FIELDS)
_address_values = itemgetter(*_ADDRESS_FIELDS)


def _line(record: dict[str, Any]) -> str:
    values = (*_values(record), *_address_values(record["diaChi"]))
    return "\t".join([r"\N" if value is None else value for value in values]) + "\n"


def main() -> None:
    """Run the task of standard input with the lander that the argument names."""
    lander = LANDERS[sys.argv[1]]
    task = Task(**json.load(sys.stdin))
    start, spent = time.perf_counter(), time.process_time()
    landed = lander(task)
    seconds, process_seconds = time.perf_counter() - start, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(asdict(Measured(landed, seconds, process_seconds, peak))))


if __name__ == "__main__":
    main()
