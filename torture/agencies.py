"""Agencies that look people up and read feeds while the API is killed; the twin must answer the same."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson

from demo.processes.loopback import loopback_session
from oncehub.share.clients.clients import add_client, new_client_key
from torture.hub import Failure, Hub
from torture.kills import KILLS
from torture.report import Report
from torture.serving import Answer, Api, Request

_CLIENTS: Final = 3
_PAUSE_SECONDS: Final = 0.03
_PEOPLE: Final = 40
_PAGE: Final = 50
_NOBODY: Final = ("000000000000", "001084000999")

_PORTAL, _TAX = "portal-residence", "tax-registration"
_LOOKUP: Final = "/v1/persons/lookup"
_ATTRIBUTES: Final = ("person.full_name", "person.birth_date", "person.permanent_address", "person.phone")
_SEQUENCES: Final = {
    "/v1/feeds/residence/changes": (_PORTAL, "changes"),
    "/v1/feeds/taxpayers/changes": (_TAX, "changes"),
    "/v1/corrections": (_TAX, "notices"),
}
"""By path: the agreement, and the list of lines in an answer."""

# Of a line, what depends on the order or the time of the publication.
_PUBLISHED: Final = ("sequence", "notice", "as_of", "opened_at", "closed_at", "resolution_times")

_NUMBERS: Final = """
select value from truth.identifier where scheme = 'personal_id' and current and not contested
order by md5(value || %s) limit %s
"""

# A request that was opened, and whose process was ended, has only the line of that.
_LOGGED: Final = """
select request_id::text, count(*) filter (where outcome <> 'opened') from audit.entry group by request_id
"""

_TARGETS: Final = (
    *(("API worker", kind) for kind in ("SIGKILL", "SIGTERM", "SIGSTOP")),
    *(("API master", kind) for kind in ("SIGKILL", "SIGTERM", "SIGSTOP")),
    *(("API's server", kind) for kind in ("backend", "postmaster", "immediate")),
)


class Agencies:
    """The clients of both hubs.

    Attributes:
        unanswered: requests with a line in the log of the killed hub, whose answer was cut off.
        answered: how many requests were answered.
    """

    def __init__(self, folder: Path, killed: Hub, twin: Hub, report: Report, draw: random.Random) -> None:
        self.unanswered: frozenset[str] = frozenset()
        self.answered = 0
        self._killed, self._twin = killed, twin
        self._report = report
        self._draw = draw
        self._ids: set[str] = set()
        self._read = dict.fromkeys(_SEQUENCES, 0)
        self._keys = {name: folder / f"{name}.pem" for name in (_PORTAL, _TAX)}
        self._targets: list[tuple[str, str]] = []

    def admit(self) -> None:
        """Register the clients with both hubs."""
        for name, path in self._keys.items():
            public = new_client_key(path)
            for hub in (self._killed, self._twin):
                with closing(hub.connect()) as connection:
                    add_client(connection, name, name, public)

    def ask(self, kills: int, meanwhile: Callable[[], None]) -> None:
        """Ask the killed hub while it is killed, then the twin the same; compare answers and log.

        Args:
            kills: of the API and its server.
            meanwhile: done between the kills, while the clients ask.

        Raises:
            Failure: when an answer is wrong, missing, or not exactly once in the log.
        """
        stopped, lookups = threading.Event(), self._lookups()
        with Api(self._killed, self._keys) as api, ThreadPoolExecutor(_CLIENTS + 1) as pool:
            clients = [pool.submit(_look_up, api, lookups, stopped) for _ in range(_CLIENTS)]
            reader = pool.submit(self._read_all, api)
            try:
                api.await_answer()
                for number in range(kills):
                    if number == kills // 2:
                        meanwhile()
                    time.sleep(self._draw.uniform(0.1, 1.0))
                    self._kill(api)
                reader.result()
            finally:
                stopped.set()
            for client in clients:
                client.result()
        with Api(self._twin, self._keys) as other, loopback_session() as session:
            for answer in api.answers:
                other.ask(answer.request, session)
        _compare(api.answers, other.answers)
        self._check_log(api)
        self.answered += len(api.answers)

    def _kill(self, api: Api) -> None:
        if not self._targets:
            self._targets = [*_TARGETS]
            self._draw.shuffle(self._targets)
        target, kind = self._targets.pop()
        workers = api.workers()
        process = self._draw.choice(workers) if target == "API worker" and workers else api.process.pid or 0
        self._report.lines[target].kills[kind] += 1
        begun = time.monotonic()
        KILLS[kind](self._killed, process, self._draw)
        self._killed.connect().close()
        if target == "API master" and kind != "SIGSTOP":
            self._killed.ended(api.process, f"the API after {kind}")
            api.start()
        api.await_answer()
        self._report.lines[target].recovered(time.monotonic() - begun)

    def _lookups(self) -> list[Request]:
        with closing(self._twin.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(_NUMBERS, (str(self._draw.random()), _PEOPLE))
            numbers = [number for (number,) in cursor]
        return [
            Request(
                _PORTAL,
                "POST",
                _LOOKUP,
                {"search": {"person.personal_id": number}, "attributes": _ATTRIBUTES},
            )
            for number in (*numbers, *_NOBODY)
        ]

    def _read_all(self, api: Api) -> None:
        """Read each sequence on from where the last reading ended, and acknowledge the notices."""
        for path, (agreement, lines) in _SEQUENCES.items():
            more = True
            while more:
                after = self._read[path]
                page = api.ask(Request(agreement, "GET", f"{path}?after={after}&limit={_PAGE}")).content
                found = [line["sequence"] for line in page[lines]]
                if found != list(range(after + 1, after + 1 + len(found))):
                    raise Failure(f"{path} has a gap after {after}")
                self._read[path], more = page["next"], page["more"]
        body = {"acknowledged": self._read["/v1/corrections"]}
        api.ask(Request(_TAX, "POST", "/v1/corrections/acknowledgements", body))

    def _check_log(self, api: Api) -> None:
        self._ids.update(answer.request_id for answer in api.answers)
        with closing(self._killed.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(_LOGGED)
            logged = dict(cursor.fetchall())
        if wrong := [each for each in self._ids if logged.get(each, 0) != 1]:
            raise Failure(
                f"{len(wrong)} answered requests have not exactly one line of the log, e.g. {wrong[0]}"
            )
        unanswered = frozenset(logged.keys() - self._ids)
        if len(unanswered - self.unanswered) > api.unanswered:
            raise Failure(
                f"the log has {len(unanswered - self.unanswered)} lines of {api.unanswered} failed requests"
            )
        self.unanswered = unanswered


def _look_up(api: Api, lookups: Sequence[Request], stopped: threading.Event) -> None:
    draw = random.Random(threading.get_ident())
    with loopback_session() as session:
        while not stopped.wait(_PAUSE_SECONDS):
            api.ask(draw.choice(lookups), session)


def _compare(killed: Sequence[Answer], twin: Sequence[Answer]) -> None:
    lines: list[Counter[bytes]] = [Counter(), Counter()]
    for one, other in zip(killed, twin, strict=True):
        parts = [_split(each, counter) for each, counter in zip((one, other), lines, strict=True)]
        if parts[0] != parts[1]:
            raise Failure(
                f"{one.request.path} was answered {one.status} by the killed hub and {other.status} by the "
                f"twin, with other content; request {one.request_id}"
            )
    if lines[0] != lines[1]:
        count = (lines[0] - lines[1]).total() + (lines[1] - lines[0]).total()
        raise Failure(f"feeds and notices: {count} lines are in the pages of one hub only")


def _split(answer: Answer, lines: Counter[bytes]) -> tuple[int, Any]:
    """Return what must be equal of an answer; the lines of a page are counted apart, without their order."""
    content = {name: value for name, value in answer.content.items() if name != "epoch"}
    for name in ("changes", "notices"):
        for line in content.pop(name, ()):
            lines[orjson.dumps({key: value for key, value in line.items() if key not in _PUBLISHED})] += 1
    return answer.status, content
