"""The command line as an engineer runs it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from oncehub.settings import Settings

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command_in(names_nobody: Callable[[str], bool]) -> Callable[[Mapping[str, str]], Command]:
    """Gives `oncehub` in an environment beside this process's own; a call may state further variables.

    Nothing that it writes to stderr may speak of anybody.
    """

    def make(environment: Mapping[str, str]) -> Command:
        def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
            done = subprocess.run(
                [sys.executable, "-m", "oncehub.cli", *arguments],
                env={**os.environ, **environment, **variables},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert names_nobody(done.stderr)
            return done

        return run

    return make


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
