"""The commands of `docs/guides/api.md` do what it says, as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncehub.settings import Settings

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "api.md"


@pytest.mark.skipif(
    not shutil.which("openssl") or not shutil.which("curl"),
    reason="the guide's commands are those of openssl and curl, and this machine lacks one of them",
)
def test_the_guide_leads_from_a_key_pair_to_a_look_up(
    http: TestClient,
    serve: Callable[[Any], tuple[str, int]],
    editable: Settings,
    believe: Callable[..., str],
    tmp_path: Path,
) -> None:
    address = {"unit": "00004", "edition": "2025-07-01", "detail": "1 Phố Mẫu"}
    believe(personal_id="001084000999", full_name="Nguyễn Thị An", permanent_address=address)
    host, port = serve(http.app)
    surroundings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HUB": f"http://{host}:{port}",
        "NO_PROXY": host,
        "ONCEHUB_ROOT": str(editable.root),
        "ONCEHUB_HOME": str(editable.home),
        "ONCEHUB_DATABASE_URL": str(editable.database_url),
    }
    steps = re.findall(r"```sh\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(steps)],
        cwd=tmp_path,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    agreement, end = json.JSONDecoder().raw_decode(done.stdout)
    assert agreement["agreement"]["name"] == "portal-residence"
    answer = json.loads(done.stdout[end:])
    assert answer["attributes"]["person.full_name"]["value"] == "Nguyễn Thị An"
    labels = answer["attributes"]["person.permanent_address"]["labels"]
    assert labels == {"vi": "Phường Ba Đình, Thành phố Hà Nội", "en": "Ba Đình Ward, Hà Nội City"}
