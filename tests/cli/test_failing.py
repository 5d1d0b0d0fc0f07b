"""What the command line says when a step fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from oncehub.settings import Settings
from oncehub.share.clients.clients import new_client_key
from oncehub.store.connection import Connection


def test_a_refusing_database_is_one_line_without_the_row_it_refused(
    settings: Settings, database: Connection, tmp_path: Path
) -> None:
    public = tmp_path / "public.json"
    public.write_text(json.dumps(new_client_key(tmp_path / "key.pem")))
    with database, database.cursor() as cursor:
        cursor.execute("alter table share.client add constraint none_may check (client_id = '')")
    command = ["client", "add", "sentinel", "--agreement", "portal-residence", "--public-key", str(public)]
    done = subprocess.run(
        [sys.executable, "-m", "oncehub.cli", *command],
        env=os.environ
        | {"ONCEHUB_DATABASE_URL": str(settings.database_url), "ONCEHUB_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "oncehub: the database refused: CheckViolation (23514) at share.client.none_may\n"
