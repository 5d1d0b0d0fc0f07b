"""The API is as its description says: schemathesis tries every operation over HTTP, with a real token."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncehub.api import create_app
from oncehub.model.settings import Settings

CONFIG = Path(__file__).with_name("schemathesis.toml")
OPTIONS = """
--checks all --max-examples 10 --generation-deterministic --generation-allow-x00 false --no-shrink
--suppress-health-check all --warnings off --no-color
"""
"""Each operation is tried at every edge of its description, and ten times at random: the same each time."""


@pytest.fixture
def http(editable: Settings) -> Iterator[TestClient]:
    """An API whose portal may do whatever there is to do, as often as it likes."""
    path = editable.mappings / "agreements" / "portal-residence.yaml"
    text = re.sub(
        r"limits: .*", "limits: {per_second: 1000000, per_day: 1000000000}", path.read_text("utf-8")
    )
    more = {"cases": "{kinds: [wrong_person], sources: [portal]}", "corrections": "{source: portal}"}
    for name, content in more.items():
        text += f"{name}: {content}\n" if f"\n{name}:" not in text else ""
    path.write_text(text, "utf-8")
    with TestClient(create_app(editable), raise_server_exceptions=False) as client:
        yield client


def test_every_operation_keeps_to_its_description(
    http: TestClient,
    portal: Any,
    believe: Callable[..., str],
    serve: Callable[[Any], tuple[str, int]],
    tmp_path: Path,
) -> None:
    # Whom the examples of the description are about.
    believe(personal_id="001084000999", full_name="Nguyễn Thị An", sex="female", phone="+84912345678")
    token = portal.ask_token(portal.assertion(act={"sub": "officer"})).json()["access_token"]
    host, port = serve(http.app)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
            *("run", f"http://{host}:{port}/openapi.json", "--header", f"Authorization: Bearer {token}"),
            *OPTIONS.split(),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
