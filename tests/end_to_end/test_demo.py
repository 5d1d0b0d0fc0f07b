"""The whole hub under a real Airflow, as `make demo` runs it: killed at its worst, then run to its end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from demo.processes.leftovers import MARK, end_leftovers
from oncehub.settings import Settings
from oncehub.share.agreements.procedures import load_procedures

PEOPLE = 2000
ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"banking", "customs", "population", "portal", "tax"}
DAGS = {
    "reconcile",
    "publish_bank_customers",
    "publish_residence",
    "publish_taxpayers",
    *(f"sync_{source}" for source in SOURCES),
}
COUNTS = {"read", "accepted", "quarantined", "unchanged", "deleted"}

# Personal numbers are the sentinels: each record of a person holds one, and no log may.
_PERSONAL_ID = re.compile(rb"(?<![0-9A-Za-z.-])0[0-9]{11}(?![0-9A-Za-z.-])")


@dataclass(frozen=True)
class Finished:
    """What a demo that ran to its end left."""

    status: int
    output: str
    summary: dict[str, Any]
    folder: Path


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "demo",
        "--exit",
        "--people",
        str(PEOPLE),
        "--folder",
        str(folder),
        *options,
    ]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell may hold settings of another hub and another Airflow: they must not reach the demo.
        env={**os.environ, "COLUMNS": "80", "ONCEHUB_ISSUER": "urn:other", "_AIRFLOW__AS_LIBRARY": "1"},
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"the demo ended before it said {words!r}:\n{''.join(lines)}")


def processes_of(folder: Path) -> list[int]:
    return [process.pid for process in psutil.process_iter() if marked(process, folder)]


def running(folder: Path, module: str) -> list[int]:
    """Processes that run a module, not counting their guards."""
    commands = {pid: psutil.Process(pid).cmdline() for pid in processes_of(folder)}
    return [pid for pid, command in commands.items() if command[1:3] == ["-m", module]]


def marked(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == str(folder)
    except (psutil.Error, OSError):
        return False


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.1)


@pytest.fixture
def folder(server_folder: Callable[[], Path]) -> Iterator[Path]:
    folder = server_folder() / "demo"
    yield folder
    end_leftovers(folder)


@pytest.fixture(scope="module")
def finished(server_folder: Callable[[], Path]) -> Iterator[Finished]:
    """A demo killed in the midst of landing records, and the next one in its folder, run to the end."""
    folder = server_folder() / "demo"
    try:
        killed = start(folder)
        read_until(killed, "first cycle")
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        summary = folder.parent / "summary.json"
        process = start(folder, "--summary", str(summary))
        output, _ = process.communicate()
        assert process.returncode == 0, output[-4000:]
        yield Finished(process.returncode, output, json.loads(summary.read_bytes()), folder)
    finally:
        end_leftovers(folder)


def test_the_summary_has_the_agreed_keys(finished: Finished) -> None:
    summary = finished.summary
    assert summary["people"] == PEOPLE
    for cycle in (summary["sources"], summary["delta"]["sources"]):
        assert set(cycle) == SOURCES
        assert all(set(counts) == COUNTS for counts in cycle.values())
    assert set(summary["discrepancies"]) == {"planted", "found", "missed", "false"}
    assert {"procedures", "items", "filled", "missing"} <= set(summary["provide_once"])
    assert set(summary["feed"]) == {"changes", "after_delta"}
    assert {"procedure", "agreement", "people", "items", "filled", "missing"} <= set(summary["coverage"][0])
    assert set(summary["submission"]) == {"confirmed", "corrected", "answered", "kept", "landed"}
    assert all(set(run) == {"dag_id", "state", "seconds"} for run in summary["dag_runs"])
    assert set(summary["seconds"]) == {"start", "first_cycle", "delta_cycle", "total"}


def test_every_planted_discrepancy_is_found_and_nothing_else(finished: Finished) -> None:
    figures = finished.summary["discrepancies"]
    assert figures["planted"] == figures["found"] > 100
    assert figures["missed"] == figures["false"] == 0


def test_every_dag_ran_and_succeeded(finished: Finished) -> None:
    runs = finished.summary["dag_runs"]
    assert {run["dag_id"] for run in runs} == DAGS
    assert {run["state"] for run in runs} == {"success"}
    # Once a cycle, each: the schedule of the night does not come in between.
    assert sum(run["dag_id"] == "sync_population" for run in runs) >= 2


def test_the_second_cycle_reads_what_changed(finished: Finished) -> None:
    for source in SOURCES - {"customs"}:
        first, delta = finished.summary["sources"][source], finished.summary["delta"]["sources"][source]
        assert 0 < delta["read"] < first["read"] / 10
    # Customs knows full snapshots only: there nearly all is unchanged.
    customs = finished.summary["delta"]["sources"]["customs"]
    assert customs["unchanged"] > customs["accepted"] > 0


def test_people_are_linked_by_each_kind_of_identifier(finished: Finished) -> None:
    links = finished.summary["links"]
    assert {"personal_id", "former_personal_id", "national_id_9", "tax_code", "unlinked"} <= set(links)
    assert all(count > 0 for count in links.values())


def test_a_model_trained_on_what_identifiers_linked_judges_the_rest(finished: Finished) -> None:
    matched, links = finished.summary["matched"], finished.summary["links"]
    assert matched["learned_from"] > PEOPLE
    assert matched["judged"] >= matched["linked"] + matched["cases"]
    assert matched["linked"] == links["model"] > 0


def test_the_coverage_of_every_procedure_adds_up(finished: Finished) -> None:
    coverage = finished.summary["coverage"]
    assert {row["procedure"] for row in coverage} == set(load_procedures(Settings(ROOT, ROOT / "var", None)))
    for row in coverage:
        answered = row["filled"] + row["confirm"] + row["papers"]
        assert answered + sum(row["missing"].values()) == row["people"] * row["items"]
        # An agreement of one province covers fewer people than one of the whole country.
        assert 0 < row["people"] <= PEOPLE
    assert max(row["people"] for row in coverage) > 0.9 * PEOPLE
    assert max(row["covered"] for row in coverage) > 0.5


def test_what_one_citizen_sent_back_is_kept_and_landed(finished: Finished) -> None:
    sent = finished.summary["submission"]
    assert sent["corrected"] + sent["answered"] >= 1
    assert sent["landed"] == sent["kept"] >= 1
    story = finished.output.partition("on her next form")[2].splitlines()[0]
    assert "portal" in story
    assert datetime.now(UTC).date().isoformat() in story


def test_forms_are_largely_filled_and_the_feed_has_the_changes_of_the_day(finished: Finished) -> None:
    provided = finished.summary["provide_once"]
    assert provided["procedures"] == 3
    assert provided["items"] == provided["filled"] + provided["missing"]
    assert provided["filled"] > provided["missing"] > 0
    feed = finished.summary["feed"]
    assert feed["changes"] > 0.9 * PEOPLE
    assert 0 < feed["after_delta"] < feed["changes"] / 10


def test_the_story_shows_forms_feed_entry_and_access_log(finished: Finished) -> None:
    story = finished.output.partition("one citizen's story")[2]
    for code in ("1.004222", "1.001193", "3.000333"):
        assert f"{code}  " in story
        assert f"{code}: missing items" in story
    assert "the entry in the agency's feed" in story
    log = story.partition("the access log of these look-ups")[2].partition("the form that she submitted")[0]
    assert log.count("answered") == 3


def test_tables_fit_a_terminal_of_80_columns_and_keys_can_be_copied(finished: Finished) -> None:
    tables = [line for line in finished.output.splitlines() if line[:1] in "┏┃┡│└┌"]
    assert max(map(len, tables)) <= 80
    assert not [line for line in tables if "…" in line]
    assert re.search(r"^[0-9a-f]{64}$", finished.output, re.MULTILINE)
    assert '"people":' not in finished.output


def test_no_log_holds_a_personal_number(finished: Finished) -> None:
    logs = [*finished.folder.joinpath("log").glob("*.log")]
    logs += finished.folder.joinpath("airflow", "logs").rglob("*.log")
    tasks = [log for log in logs if b"land_" in str(log).encode()]
    assert len(tasks) >= 12
    assert [log for log in logs if _PERSONAL_ID.search(log.read_bytes())] == []


def test_the_task_log_shows_window_and_counts(finished: Finished) -> None:
    folder = finished.folder / "airflow" / "logs" / "dag_id=sync_tax"
    logs = sorted(folder.rglob("*.log"), key=lambda log: log.stat().st_mtime)
    assert b"full read" in logs[0].read_bytes()
    assert re.search(rb"changes read of \[20\d\d-.*, 20\d\d-", logs[-1].read_bytes())
    assert re.search(rb"read \d+, accepted \d+", logs[-1].read_bytes())


def test_no_process_stays(finished: Finished) -> None:
    assert processes_of(finished.folder) == []
    assert not (finished.folder / "postgres" / "postmaster.pid").exists()


def test_an_interrupt_while_starting_ends_everything(folder: Path) -> None:
    process = start(folder)
    read_until(process, "people and both databases")
    until(lambda: len(processes_of(folder)) > 3)

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()

    assert process.returncode == 130, output
    assert output.splitlines()[-1] == "demo: interrupted"
    assert processes_of(folder) == []


def test_a_kill_leaves_no_process(folder: Path) -> None:
    process = start(folder)
    read_until(process, "people and both databases")
    until(lambda: (folder / "postgres" / "postmaster.pid").exists() and len(processes_of(folder)) > 3)

    process.kill()
    process.communicate()

    until(lambda: not processes_of(folder))


def test_a_component_that_dies_ends_the_demo_by_name(folder: Path) -> None:
    process = start(folder)
    read_until(process, "starting the hub's API")
    until(lambda: bool(running(folder, "oncehub.api")))

    [api] = running(folder, "oncehub.api")
    os.kill(api, signal.SIGKILL)
    output, _ = process.communicate()

    assert process.returncode == 1
    assert re.match(
        r"demo: hub api died with status 137; its log .*/hub-api.log ends: ", output.splitlines()[-1]
    )
    assert processes_of(folder) == []


def test_a_port_in_use_is_one_clear_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(folder, "--port-base", str(taken.getsockname()[1]))
        output, _ = process.communicate()

    assert process.returncode == 1
    [line] = [line for line in output.splitlines() if line.startswith("demo:")]
    assert "cannot listen on 127.0.0.1:" in line
    assert "Traceback" not in output


def test_a_summary_that_cannot_be_written_is_reported_before_anything_starts(folder: Path) -> None:
    process = start(folder, "--summary", str(folder / "absent" / "summary.json"))
    output, _ = process.communicate()

    assert process.returncode == 1
    assert output.strip().endswith("cannot be written; name a file in a folder that exists")
    assert not folder.exists()
