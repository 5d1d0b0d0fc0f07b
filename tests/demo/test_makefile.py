"""The first thing a newcomer runs, on a machine that is not ready for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without a virtual environment."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements-dev.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    return tmp_path


def make(checkout: Path, python: Path | str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-C", str(checkout), "install", f"PYTHON={python}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def interpreter_of(checkout: Path, version: tuple[int, ...]) -> Path:
    """An interpreter that says it is of another version."""
    path = checkout / f"python{version[0]}.{version[1]}"
    shown = ".".join(map(str, version))
    path.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = -V ] && {{ echo Python {shown}; exit; }}\n'
        f'[ "$1" = -c ] && exec {sys.executable} -c "import sys; sys.version_info = {version}; $2"\n'
        "exit 9\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", [(3, 9, 2), (3, 10, 12), (3, 14, 0)])
def test_a_python_of_another_version_is_refused_by_name(checkout: Path, version: tuple[int, ...]) -> None:
    python = interpreter_of(checkout, version)
    done = make(checkout, python)
    assert done.returncode != 0
    assert (
        f"oncehub needs Python 3.11 to 3.13, and {python} is Python {version[0]}.{version[1]}" in done.stderr
    )
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_absent_is_named(checkout: Path) -> None:
    done = make(checkout, "python3.99")
    assert done.returncode != 0
    assert "python3.99 does not run; install Python 3.11 to 3.13" in done.stderr


def test_the_locks_name_no_host_and_no_folder_of_one_machine() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", ".ci/installer.lock"):
        lines = (ROOT / name).read_text("utf-8").splitlines()
        assert [line for line in lines if "://" in line or line.startswith("-")] == []
        assert [line for line in lines if " /" in line or "(/" in line] == []
