"""`oncehub connector test`: tables, JSON and statuses, and a database that goes again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from oncehub.conformance.hub import throwaway_hubs
from oncehub.errors import StoreUnavailable
from oncehub.settings import Settings
from oncehub.store.connection import connect
from stubs.hostile.client import HostileSource

from .conftest import ROOT
from .landuse import write_root


def run(root: Path, *arguments: str, scratch: Path, **connections: Any) -> subprocess.CompletedProcess[str]:
    """Run the command over a root, with temporary files in a folder of the test."""
    scratch.mkdir(exist_ok=True)
    scratch.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ONCEHUB_")},
        "ONCEHUB_ROOT": str(root),
        "ONCEHUB_HOME": str(scratch / "home"),
        "ONCEHUB_DATABASE_URL": "postgresql://nobody@localhost:9/nothing",
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(ROOT),
        **{f"ONCEHUB_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()},
    }
    command = [sys.executable, "-m", "oncehub.cli", "connector", "test", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.fixture
def scratch() -> Any:
    """A folder that the database's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="oncehub-test-") as folder:
        yield Path(folder)


def test_a_recording_is_tried_without_a_connection_and_its_database_goes(scratch) -> None:
    done = run(ROOT, "customs", "--recorded", "--case", "reads", "--case", "twice", scratch=scratch)
    assert done.returncode == 0, done.stderr
    assert "2 passed, 0 failed, 0 could not be shown" in done.stdout
    assert list(scratch.glob("oncehub-*")) == []
    assert not (scratch / "home").exists()


def test_an_interruption_takes_the_database_along(tmp_path) -> None:
    made: list[Settings] = []

    def interrupted() -> None:
        with throwaway_hubs(Settings(ROOT, tmp_path, None), 1) as [hub]:
            made.append(hub.settings)
            connect(str(hub.settings.database_url)).close()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not made[0].home.parent.exists()
    with pytest.raises(StoreUnavailable):
        connect(str(made[0].database_url))


def test_a_fault_is_named_with_status_1_and_as_json(tmp_path, scratch) -> None:
    with HostileSource.start(tmp_path / "source", plants=["promises_more"], people=30) as source:
        write_root(tmp_path / "root", ROOT, source, {}, {})
        connection = source.connection
        done = run(
            tmp_path / "root",
            *("landuse", "holders", "--case", "reads", "--json"),
            scratch=scratch,
            landuse=connection,
        )
    assert done.returncode == 1, done.stderr
    [verdict] = json.loads(done.stdout)
    assert (verdict["case"], verdict["outcome"], verdict["fault"]) == ("reads", "failed", "promises_more")
    assert connection["password"] not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "no connector 'nothing'"),
        (("tax",), "ONCEHUB_CONN_TAX is not set"),
        (("tax", "--recorded", "--record"), "give only one of them"),
        (("tax", "persons", "--recorded"), "tax has no stream 'persons'"),
    ],
)
def test_what_is_wrong_with_the_call_is_status_2(scratch, arguments: tuple[str, ...], said: str) -> None:
    done = run(ROOT, *arguments, scratch=scratch)
    assert done.returncode == 2
    assert said in done.stderr
