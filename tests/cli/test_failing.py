"""What the command line says when a step fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from oncehub.model.settings import Settings
from oncehub.store.connection import Connection


def test_a_refusing_database_is_one_line_without_the_row_it_refused(
    settings: Settings, database: Connection, believe: Callable[..., str]
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    with database, database.cursor() as cursor:
        cursor.execute("alter table share.delivery add constraint none_may check (line is null)")
    done = subprocess.run(
        [sys.executable, "-m", "oncehub.cli", "publish", "residence"],
        env=os.environ
        | {"ONCEHUB_DATABASE_URL": str(settings.database_url), "ONCEHUB_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "oncehub: the database refused: CheckViolation (23514) at share.delivery.none_may\n"
    )
