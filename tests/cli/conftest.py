"""The command line as an engineer runs it, in this process: a start of its own takes a second and more."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

import pytest

from oncehub.cli import main
from oncehub.settings import Settings

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command_in(names_nobody: Callable[[str], bool]) -> Callable[[Mapping[str, str]], Command]:
    """Gives `oncehub` in an environment beside this process's own; a call may state further variables.

    Nothing that it writes to stderr may speak of anybody.
    """

    def make(environment: Mapping[str, str]) -> Command:
        def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
            with patch.dict(os.environ, {**environment, **variables}):
                done = _run(arguments)
            assert names_nobody(done.stderr)
            return done

        return run

    return make


def _run(arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(output), redirect_stderr(errors), patch.object(sys, "argv", ["oncehub", *arguments]):
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    texts = (stream.buffer.getvalue().decode() for stream in (output, errors))
    return subprocess.CompletedProcess(["oncehub", *arguments], status, *texts)


@pytest.fixture
def oncehub(command_in: Callable[[Mapping[str, str]], Command], settings: Settings) -> Command:
    """Gives `oncehub` over a test's own hub, in a terminal wide enough for every table."""
    return command_in(
        {
            "ONCEHUB_DATABASE_URL": str(settings.database_url),
            "ONCEHUB_HOME": str(settings.home),
            "COLUMNS": "160",
        }
    )
