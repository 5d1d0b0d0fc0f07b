"""Commands that write files on a full disk: nothing is half-written, and the next run is exact."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oncehub.audit.log.entries import Entry, write
from oncehub.files import create_whole, write_whole
from oncehub.settings import Settings
from oncehub.store.connection import Connection

LARGEST_FILE = 16


def run(settings: Settings, command: list[str], *, full: bool) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if full:
            resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))

    own = {
        "ONCEHUB_ROOT": str(settings.root),
        "ONCEHUB_HOME": str(settings.home),
        "ONCEHUB_DATABASE_URL": str(settings.database_url),
    }
    return subprocess.run(
        [sys.executable, "-m", "oncehub.cli", *command],
        env=os.environ | own,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )


def files(*folders: Path) -> dict[Path, bytes]:
    """Every file with its content."""
    return {
        path: path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize(
    "command",
    [
        ["keys", "rotate"],
        ["audit", "checkpoint"],
        ["audit", "export", "{home}/archives"],
        ["connector", "new", "bridges"],
    ],
)
def test_what_does_not_fit_on_the_disk_is_whole_or_not_there(
    extendable: Settings, database: Connection, entry: Callable[..., Entry], command: list[str]
) -> None:
    if command[0] == "audit":
        # Keys and anchors are there already, as in operation.
        with database:
            write(database, entry(person="p"))
        assert run(extendable, ["audit", "checkpoint"], full=False).returncode == 0
        with database:
            write(database, entry(person="q"))
    command = [word.format(home=extendable.home) for word in command]
    before = files(extendable.home, extendable.root)
    failed = run(extendable, command, full=True)
    assert failed.returncode in (1, 2)
    assert "file too large" in failed.stderr.lower()
    assert "Traceback" not in failed.stderr
    left = files(extendable.home, extendable.root)
    assert {path: content for path, content in left.items() if before.get(path) != content} == {}
    assert run(extendable, command, full=False).returncode == 0
    assert files(extendable.home, extendable.root) != before
    if command[0] == "audit":
        assert run(extendable, ["audit", "verify"], full=False).returncode == 0


def test_a_file_is_replaced_whole_and_a_created_one_stays(tmp_path: Path) -> None:
    file, link = tmp_path / "made" / "file", tmp_path / "link"
    write_whole(file, b"one")
    link.symlink_to(file)
    write_whole(link, b"two")
    assert (link.is_symlink(), file.read_bytes()) == (True, b"two")
    with pytest.raises(FileExistsError):
        create_whole(file, b"three", mode=0o600)
    assert files(tmp_path) == {file: b"two"}


def test_a_pipe_is_written_to(settings: Settings, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    write_whole(pipe, b"through")
    assert reader.communicate(timeout=10)[0] == b"through"
    assert pipe.is_fifo()
