"""`oncehub sync` where memory, disk or open files end: one clear line, and the next run is exact."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import psutil
import pytest

from oncehub.errors import StoreUnavailable
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect
from oncehub.store.failures import without_values
from oncehub.store.server import start_embedded, stop_embedded

from .register import SOURCE, STREAM, configuration

ROOT = Path(__file__).resolve().parents[2]
MB = 2**20
PAGES = 6

LANDED = """
select count(*), count(distinct source_key), min(source_key), max(source_key)
from record.person where source = %s and deleted_at is null
"""
STREAMS = {
    STREAM: {
        "read": {"format": "json", "path": "/holders", "records": "holders"},
        "pages": {"kind": "number", "parameter": "page", "size": {"parameter": "size", "value": 100}},
        "contract": {"unknown": "ignore"},
    }
}


@dataclass
class Source:
    """A register of `PAGES` pages, whose records are padded to a size; the pages may differ in it."""

    url: str
    records: int = 200
    padding: int = 0
    large_page: int | None = None
    """Number of the only page whose records are padded."""
    small: bytes = b""
    """What page 2 holds beside its records."""

    def body(self, page: int) -> bytes:
        filled = "x" * self.padding if self.large_page in (None, page) else ""
        keys = range((page - 1) * self.records, page * self.records) if page <= PAGES else ()
        stated = {"at": "2026-03-01T00:00:00Z", "note": filled}
        holders = [{"id": f"{key:06d}", "name": f"N {key}"} | stated for key in keys]
        small = b"[" + (self.small if page == 2 else b"") + b"]"
        return b'{"holders":' + orjson.dumps(holders) + b',"small":' + small + b"}"


@pytest.fixture
def source() -> Iterator[Source]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = int(parse_qs(urlsplit(self.path).query)["page"][0])
            body = found.body(page)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Source(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def land(settings: Settings, tmp_path: Path) -> Settings:
    root = tmp_path / "land"
    configuration(root, ROOT, STREAMS)
    return replace(settings, root=root)


def environment(land: Settings, source: Source) -> dict[str, str]:
    return os.environ | {
        "ONCEHUB_ROOT": str(land.root),
        "ONCEHUB_HOME": str(land.home),
        "ONCEHUB_DATABASE_URL": str(land.database_url),
        f"ONCEHUB_CONN_{SOURCE.upper()}": json.dumps({"host": source.url}),
    }


Sync = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sync(land: Settings, sync_of: Callable[[Settings], Sync]) -> Sync:
    return sync_of(land)


@pytest.fixture
def sync_of(source: Source) -> Callable[[Settings], Sync]:
    """Runs `oncehub sync` in a process with limits: `sync_of(settings)({resource.RLIMIT_AS: bytes})`."""

    def run(land: Settings, limits: dict[int, int] | None = None) -> subprocess.CompletedProcess[str]:
        def limit() -> None:
            for each, most in (limits or {}).items():
                resource.setrlimit(each, (most, most))

        return subprocess.run(
            [sys.executable, "-m", "oncehub.cli", "sync", SOURCE, "--json"],
            env=environment(land, source),
            preexec_fn=limit,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return lambda land: partial(run, land)


def landed(database: Connection) -> tuple[object, ...]:
    with database, database.cursor() as cursor:
        cursor.execute(LANDED, (SOURCE,))
        return tuple(cursor.fetchone())


def whole(source: Source) -> tuple[object, ...]:
    count = PAGES * source.records
    return (count, count, "000000", f"{count - 1:06d}")


def failed_clearly(run: subprocess.CompletedProcess[str], reason: str) -> None:
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("oncehub: ")]
    assert reason in line
    assert "Traceback" not in run.stderr
    assert run.returncode == 1


@pytest.mark.parametrize(
    ("limit", "most", "padding", "reason"),
    [
        (resource.RLIMIT_AS, 600 * MB, 0, "limited to 600 MB of its addresses (`ulimit -v`)"),
        (resource.RLIMIT_DATA, 200 * MB, 0, "limited to 200 MB of its data (`ulimit -d`)"),
        (resource.RLIMIT_AS, 1500 * MB, 24 * MB, "MB are left of its addresses"),
        (resource.RLIMIT_DATA, 400 * MB, 24 * MB, "MB are left of its data"),
        (resource.RLIMIT_NOFILE, 8, 0, "may not open more files (8 at most, `ulimit -n`)"),
    ],
)
def test_too_little_is_said_and_the_next_run_is_exact(
    sync: Sync, source: Source, database: Connection, limit: int, most: int, padding: int, reason: str
) -> None:
    source.padding, source.large_page = padding // source.records, PAGES - 2
    failed_clearly(sync({limit: most}), reason)
    # Pages before the large one may have landed.
    assert landed(database)[0] in (0, (PAGES - 3) * source.records)
    assert sync().returncode == 0
    assert landed(database) == whole(source)


def test_small_values_count_for_what_they_take(sync: Sync, source: Source, database: Connection) -> None:
    source.small = b",".join([b"{}"] * 2_000_000)
    failed_clearly(sync({resource.RLIMIT_AS: 2500 * MB}), "landing land.holders: needs about")
    for value in (b"{}", b"[]"):
        source.small = b",".join([value] * 6_600_000)
        failed_clearly(sync({resource.RLIMIT_AS: 1500 * MB}), "land.holders: page 2: reading: needs about")
    source.small = b""
    assert sync().returncode == 0
    assert landed(database) == whole(source)


PARSE = """
import resource, sys
from oncehub.connect.formats.json import parse_json
from oncehub.connect.formats.page_reader import memory_for
body = sys.stdin.buffer.read()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + memory_for(body) * 3 // 2,) * 2)
parse_json(body)
"""


@pytest.mark.parametrize("value", [b"[]", b"[[]]", b"{}", b"0", b'":"', b'"a"'])
def test_a_page_is_read_in_the_memory_that_was_asked_for_it(value: bytes) -> None:
    body = b'{"a":[' + b",".join([value] * (5_000_000 // len(value))) + b"]}"
    done = subprocess.run([sys.executable, "-c", PARSE], input=body, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_command_that_is_killed_has_a_last_word(land: Settings, source: Source) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "oncehub.cli", "sync", SOURCE],
        env=environment(land, source),
        stderr=subprocess.PIPE,
    )
    while not psutil.Process(process.pid).children():
        assert process.poll() is None
    process.kill()
    _, said = process.communicate(timeout=30)
    assert said.startswith(
        b"oncehub: the command was killed, or crashed because memory ended; nothing is lost"
    )
    assert said.count(b"\n") == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("53100", "the disk .* is full; free space"),
        ("53200", "is out of memory"),
        ("53300", "no free connection"),
    ],
)
def test_what_the_server_lacks_is_named_with_the_way_out(
    database: Connection, code: str, reason: str
) -> None:
    with (
        pytest.raises(StoreUnavailable, match=f"^landing x: .*{reason}"),
        without_values("landing x"),
        database,
        database.cursor() as cursor,
    ):
        cursor.execute(f"do $$ begin raise exception using errcode = '{code}'; end $$")


@pytest.fixture
def small_disk(server_folder: Callable[[], Path]) -> Iterator[Path]:
    """A disk of its own, of 400 MB."""
    disk = server_folder() / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    yield disk
    stop_embedded(disk / "postgres")
    # This process still holds its lock beside the data.
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_fills_in_mid_batch_loses_nothing(
    land: Settings, source: Source, small_disk: Path, sync_of: Callable[[Settings], Sync]
) -> None:
    own = replace(land, database_url=start_embedded(small_disk / "postgres", cleanup=None))
    initialise(own, agreements={})
    source.records = 3000
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - MB))
    failed_clearly(sync_of(own)(), "landing land.holders: the ")
    filler.unlink()
    own = replace(own, database_url=start_embedded(small_disk / "postgres", cleanup=None))
    assert sync_of(own)().returncode == 0
    with closing(connect(str(own.database_url))) as database:
        assert landed(database) == whole(source)
