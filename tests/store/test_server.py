"""The embedded server as several processes meet it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from oncehub.errors import StoreUnavailable
from oncehub.store import server
from oncehub.store.connection import Connection
from oncehub.store.data_folder import settings_of_server
from oncehub.store.server import start_embedded


def test_readers_that_start_at_once_share_one_new_database(postgres: str) -> None:
    administering = make_dsn(postgres, dbname="postgres")
    together = Barrier(4)

    def ensure(number: int) -> int:
        together.wait()
        server._ensure_database(administering, "shared")
        return number

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ensure, range(4))) == [0, 1, 2, 3]


def test_texts_are_in_the_order_of_their_code_points_whatever_the_machine_is_set_to(
    database: Connection,
) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "select array_agg(each order by each) from unnest(array['ạ', 'b', 'Đ', 'a', 'B']) each"
        )
        assert cursor.fetchone() == (["B", "a", "b", "Đ", "ạ"],)
        cursor.execute("select datlocprovider::text from pg_database where datname = current_database()")
        assert cursor.fetchone() == ("b",)


def test_the_server_starts_with_buffers_for_the_machine_and_with_what_its_user_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    try:
        assert _asked(start_embedded(folder, cleanup=None), "shared_buffers", "max_wal_size") == [
            settings_of_server()["shared_buffers"].replace("2048MB", "2GB"),
            "4GB",
        ]
        server.stop_embedded(folder)
        (folder / "oncehub.conf").write_text("shared_buffers = '16MB'\n")
        assert _asked(start_embedded(folder, cleanup=None), "shared_buffers") == ["16MB"]
        assert (folder / "postgresql.conf").read_text().count("oncehub.conf") == 1
    finally:
        server.stop_embedded(folder)


def _asked(url: str, *names: str) -> list[str]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("select current_setting(name) from unnest(%s) as name", (list(names),))
        return [value for (value,) in cursor]


def test_a_disk_that_is_nearly_full_is_reported_before_the_server_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No test can fill the disk it shares; what the system reports of it is what the server goes by.
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(StoreUnavailable, match="only 5 MB left on the disk"):
        start_embedded(tmp_path / "postgres")


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="cannot hold the database"):
        start_embedded(tmp_path / "file" / "postgres")
