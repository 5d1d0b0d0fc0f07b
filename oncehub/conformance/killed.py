"""Lands pages in a separate process, and kills it once a given number have landed.

The process reads the pages as JSON from standard input, gets no credentials, writes a line to standard output
when they have landed, and waits to be killed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from oncehub.config.catalogue import load_connector
from oncehub.conformance.hub import Hub
from oncehub.conformance.readers import ReplayedPages, opener_of
from oncehub.conformance.verdict import Fault
from oncehub.connect.page import Page
from oncehub.connect.resume_token import ResumeToken
from oncehub.intake.runs.run import RunReport
from oncehub.settings import Settings

_LANDED = b"landed\n"
_FOR_EVER = 600.0


def land_until_killed(
    settings: Settings, names: tuple[str, str], pages: Sequence[Page], now: datetime, boundary: int
) -> None:
    """Land pages into the hub of `settings` in another process, and kill it when `boundary` have landed.

    Raises:
        Fault: when the process ended by itself before.
    """
    orders = {
        "root": str(settings.root),
        "home": str(settings.home),
        "database": settings.database_url,
        "names": names,
        "pages": [asdict(page) | {"next": page.next and page.next.stored()} for page in pages],
        "now": now.isoformat(),
        "boundary": boundary,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(orjson.dumps(orders))
        process.stdin.close()
        said = process.stdout.readline()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    if said != _LANDED:
        raise Fault("not_resumable", f"a process that landed the pages failed before page {boundary}")


def _land(orders: dict[str, Any]) -> None:
    settings = Settings(Path(orders["root"]), Path(orders["home"]), orders["database"])
    source, stream = orders["names"]
    tokens = [page["next"] and ResumeToken.load(page["next"], source, stream) for page in orders["pages"]]
    pages = ReplayedPages(
        [Page(**page | {"next": token}) for page, token in zip(orders["pages"], tokens, strict=True)]
    )

    def wait(report: RunReport) -> None:
        if report.pages == orders["boundary"] and not report.done:
            sys.stdout.buffer.write(_LANDED)
            sys.stdout.flush()
            time.sleep(_FOR_EVER)

    Hub(settings).read(
        load_connector(settings, source),
        stream,
        opener_of(pages),
        now=datetime.fromisoformat(orders["now"]),
        full=True,
        listener=wait,
    )


if __name__ == "__main__":
    _land(orjson.loads(sys.stdin.buffer.read()))
