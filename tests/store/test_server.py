"""The embedded server as several processes meet it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from psycopg2.extensions import make_dsn

from oncehub.store import server


def test_readers_that_start_at_once_share_one_new_database(postgres: str) -> None:
    administering = make_dsn(postgres, dbname="postgres")
    together = Barrier(4)

    def ensure(number: int) -> int:
        together.wait()
        server._ensure_database(administering, "shared")
        return number

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ensure, range(4))) == [0, 1, 2, 3]
