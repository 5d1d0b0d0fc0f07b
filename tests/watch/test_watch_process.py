"""The watchdog as a process beside its own server: five incidents reach a webhook, and so do their ends."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from oncehub.audit.log.entries import Entry, write
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.store.connection import connect
from oncehub.store.server import start_embedded, stop_embedded

from ..api.server.processes import await_true, environment
from ..connect.serving import Reply, Served, as_json
from .incidents import AT_ONCE, execute, read_tax

RULES = AT_ONCE.replace("run_stuck: 0s", "run_stuck: 1s").replace("log_unsigned: 0s", "log_unsigned: 1s")


class Told:
    """The titles that a webhook has received."""

    def __init__(self, hook: Served) -> None:
        self._hook = hook

    @property
    def titles(self) -> list[str]:
        return [json.loads(each.body)["title"].removeprefix("oncehub ") for each in self._hook.asked]

    def awaits(self, title: str, times: int = 1) -> None:
        await_true(lambda: self.titles.count(title) >= times, 60)


@pytest.fixture
def lone(extendable: Settings, server_folder: Callable[[], Path]) -> Any:
    """A hub on a server that a test may stop; gives its settings and the server's folder."""
    folder = server_folder() / "watched"
    hub = replace(extendable, database_url=start_embedded(folder, database="hub", cleanup=None))
    rules = hub.mappings / "rules"
    shipped = rules.resolve()
    rules.unlink()
    shutil.copytree(shipped, rules)
    (rules / "alarms.yaml").write_text(RULES, "utf-8")
    initialise(hub)
    yield hub, folder
    stop_embedded(folder)


def test_five_incidents_reach_a_webhook_from_the_running_watchdog_and_so_do_their_ends(
    lone: tuple[Settings, Path], served: Callable[[Any], Served], entry: Callable[..., Entry]
) -> None:
    hub, folder = lone
    hook = served(lambda _: as_json({}))
    told = Told(hook)
    watch = subprocess.Popen(
        [sys.executable, "-m", "oncehub.cli", "watch", "--port", "0", "--every", "0.2"],
        env=environment(hub) | {"ONCEHUB_NOTIFY": f"{hook.host.replace('http', 'json')}/hook"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout is not None
    assert watch.stdout.readline().startswith("watching; notifications go to 1 address")

    source = served(lambda _: as_json({}))
    source.stop()
    with pytest.raises(Exception, match="tax"):
        read_tax(hub, source.host)
    told.awaits("alarm: run_failing tax.registrations")
    with closing(connect(str(hub.database_url))) as database:
        execute(database, "update intake.run set state = 'succeeded', error = null")
        told.awaits("over: run_failing tax.registrations")
        with pytest.raises(Exception, match="tax"):
            read_tax(hub, served(lambda _: Reply(body=b"<html>maintenance</html>")).host)
        told.awaits("alarm: run_failing tax.registrations", times=2)
        with database:
            write(database, entry())
    told.awaits("alarm: log_unsigned")

    asked, release = Event(), Event()

    def hanging(_: Any) -> Reply:
        asked.set()
        release.wait(60)
        return Reply(status=503)

    connection = {"conn_type": "http", "host": served(hanging).host, "login": "a", "password": "b"}
    reading = subprocess.Popen(
        [sys.executable, "-m", "oncehub.cli", "sync", "tax"],
        env=environment(hub) | {"ONCEHUB_CONN_TAX": json.dumps(connection)},
        stderr=subprocess.DEVNULL,
    )
    assert asked.wait(60)
    reading.send_signal(signal.SIGSTOP)
    told.awaits("alarm: run_stuck tax.registrations")
    reading.kill()
    reading.wait()
    release.set()

    before = told.titles
    stop_embedded(folder)
    told.awaits("alarm: database_down")
    # Nothing that cannot be looked at is over.
    assert [title for title in told.titles[len(before) :] if title.startswith("over")] == []
    url = start_embedded(folder, database="hub", cleanup=None)
    told.awaits("over: database_down")
    write_checkpoints(replace(hub, database_url=url))
    told.awaits("over: log_unsigned")

    # A file that an operator breaks is told, too, and nothing else is lost.
    rules = hub.mappings / "rules" / "alarms.yaml"
    rules.write_text("database_down: soon\n", "utf-8")
    told.awaits("alarm: configuration_wrong")
    rules.write_text(RULES, "utf-8")
    told.awaits("over: configuration_wrong")
    assert told.titles.count("alarm: run_stuck tax.registrations") == 1
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(30) == 0
    watch.stdout.close()
