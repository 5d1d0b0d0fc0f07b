"""What needs a person reaches one: by mail and by webhook, once when it begins and once when it ends."""

from __future__ import annotations

import email
import json
import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from oncehub.config.catalogue import load_connector
from oncehub.config.connection import Connection as SourceConnection
from oncehub.connect.source import Source
from oncehub.errors import ConfigError, OncehubError
from oncehub.intake.sync import sync
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.watch.alarms import AIRFLOW_URL, API_URL, DISKS, Lookout
from oncehub.watch.figures import HELP, read_figures
from oncehub.watch.notifier import Notifier
from oncehub.watch.watchdog import Watchdog

from ..connect.serving import Reply, Served, as_json

AT_ONCE = """
database_down: 0s
run_failing: 0s
stream_stale: 2h
run_stuck: 0s
reconcile_late: 0s
publish_late: 0s
log_unsigned: 0s
consumer_behind: 0s
quarantine_growing: 2
airflow_unhealthy: 0s
api_not_ready: 0s
disk_full: 0.0001
repeat: 6h
"""


@pytest.fixture
def hub(extendable: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A hub whose alarms are raised at once; nothing around it is watched unless a test says so."""
    for name in (AIRFLOW_URL, API_URL, DISKS):
        monkeypatch.delenv(name, raising=False)
    rules = extendable.mappings / "rules"
    shipped = rules.resolve()
    rules.unlink()
    shutil.copytree(shipped, rules)
    (rules / "alarms.yaml").write_text(AT_ONCE, "utf-8")
    return extendable


@pytest.fixture
def served() -> Iterator[Callable[[Any], Served]]:
    started: list[Served] = []

    def start(answering: Any) -> Served:
        started.append(Served(answering))
        return started[-1]

    yield start
    for each in started:
        each.stop()


class Mailbox:
    """What a mail server has taken."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(email.message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[str, Mailbox]]:
    """Gives the address of a mail server, and what it takes."""
    mailbox = Mailbox()
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield f"mailto://127.0.0.1:{port}?mode=insecure&from=hub@example.vn&to=oncall@example.vn", mailbox
    controller.stop()


def names(settings: Settings) -> set[str]:
    """The alarms of a look."""
    return {each.name for each in Lookout(settings, patient=False).look().alarms}


def read_tax(settings: Settings, host: str) -> None:
    """Try to read the tax register, without waiting between tries."""
    connection = SourceConnection(host, login="a", password="b")
    connector = load_connector(settings, "tax")
    sync(settings, connector, connection, opener=lambda *given: Source(*given, pause=lambda _: None))


def execute(database: Connection, statement: str) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(statement)


def source_down(settings: Settings, served: Any, database: Connection) -> Settings:
    with pytest.raises(OncehubError):
        read_tax(settings, "http://127.0.0.1:9")
    return settings


def nonsense(settings: Settings, served: Any, database: Connection) -> Settings:
    with pytest.raises(OncehubError):
        read_tax(settings, served(lambda _: Reply(body=b"<html>maintenance</html>")).host)
    return settings


def database_down(settings: Settings, served: Any, database: Connection) -> Settings:
    return replace(settings, database_url="postgresql://hub:secret-word@127.0.0.1:9/hub")


def signing_stopped(settings: Settings, served: Any, database: Connection) -> Settings:
    execute(
        database,
        """
        insert into audit.entry
        (client_id, agency, agreement, purpose, legal_basis, action, attributes, refused, outcome, request_id)
        values ('c', 'a', 'g', 'p', 'l', 'lookup', '{}', '{}', 'not_found', gen_random_uuid())
        """,
    )
    return settings


def run_stuck(settings: Settings, served: Any, database: Connection) -> Settings:
    execute(
        database, "insert into intake.run (source, stream, mode) values ('tax', 'registrations', 'changes')"
    )
    return settings


INCIDENTS = {
    "run_failing tax.registrations": source_down,
    "run_failing tax.registrations (nonsense)": nonsense,
    "database_down": database_down,
    "log_unsigned": signing_stopped,
    "run_stuck tax.registrations": run_stuck,
}


@pytest.mark.parametrize("incident", INCIDENTS)
def test_each_incident_reaches_mail_and_webhook_once(
    incident: str,
    hub: Settings,
    database: Connection,
    served: Callable[[Any], Served],
    mail: tuple[str, Mailbox],
    names_nobody: Callable[[str], bool],
) -> None:
    hook = served(lambda _: as_json({}))
    address, mailbox = mail
    troubled = INCIDENTS[incident](hub, served, database)
    watchdog = Watchdog(troubled, Notifier(f"{address} {hook.host.replace('http', 'json')}/hook"))
    watchdog.look()
    watchdog.look()
    title = f"oncehub alarm: {incident.partition(' (')[0]}"
    hooked = [json.loads(each.body) for each in hook.asked]
    assert [each["title"] for each in hooked].count(title) == 1
    assert [each["Subject"] for each in mailbox.mails].count(title) == 1
    [told] = [each["message"] for each in hooked if each["title"] == title]
    assert "docs/operations/runbook.md" in told
    assert names_nobody(told)
    assert "secret-word" not in str(hooked)


def test_what_is_over_is_told_too_and_what_lasts_is_repeated(
    hub: Settings, database: Connection, served: Callable[[Any], Served]
) -> None:
    hook = served(lambda _: as_json({}))
    run_stuck(hub, served, database)
    watchdog = Watchdog(hub, Notifier(f"{hook.host.replace('http', 'json')}/hook"))
    watchdog.look()
    execute(database, "update intake.run set state = 'failed', finished_at = now(), error = 'x'")
    rules = hub.mappings / "rules" / "alarms.yaml"
    rules.write_text(AT_ONCE.replace("repeat: 6h", "repeat: 0s"), "utf-8")
    watchdog.look()
    watchdog.look()
    titles = [json.loads(each.body)["title"] for each in hook.asked]
    assert titles.count("oncehub over: run_stuck tax.registrations") == 1
    assert titles.count("oncehub alarm: run_failing tax.registrations") == 2


def test_a_notification_that_nobody_took_is_sent_again(
    hub: Settings, database: Connection, served: Callable[[Any], Served], caplog: pytest.LogCaptureFixture
) -> None:
    hook = served(lambda _: Reply(status=500))
    run_stuck(hub, served, database)
    watchdog = Watchdog(hub, Notifier(f"{hook.host.replace('http://', 'json://me:secret-word@')}/hook"))
    watchdog.look()
    failed = next(each.value for each in watchdog.figures if each.name == "notification_failures")
    assert failed > 0
    assert "addresses took no notification" in caplog.text
    assert "secret-word" not in caplog.text
    hook.answering = lambda _: as_json({})
    hook.asked.clear()
    watchdog.look()
    assert "run_stuck" in str([json.loads(each.body)["title"] for each in hook.asked])


def test_a_watch_waits_as_long_as_the_rules_say(hub: Settings) -> None:
    down = database_down(hub, None, None)  # type: ignore[arg-type]
    rules = hub.mappings / "rules" / "alarms.yaml"
    rules.write_text(AT_ONCE.replace("database_down: 0s", "database_down: 1h"), "utf-8")
    lookout = Lookout(down)
    assert not lookout.look().alarms
    rules.write_text(AT_ONCE, "utf-8")
    assert [each.name for each in lookout.look().alarms] == ["database_down"]


@pytest.mark.parametrize(
    ("address", "complaint"),
    [("nonsense", "address 1"), ("json://127.0.0.1 ftp://me:secret-word@x", "address 2")],
)
def test_an_address_that_cannot_be_meant_is_refused_without_its_password(
    address: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        Notifier(address)
    assert "secret-word" not in str(refused.value)


def test_a_stream_is_stale_when_a_run_was_due_and_none_succeeded(hub: Settings, database: Connection) -> None:
    execute(
        database,
        """
        insert into intake.run (source, stream, mode, state, started_at, finished_at)
        select 'tax', 'registrations', 'changes', 'succeeded', at, at
        from (select now() - interval '1 hour') as one (at)
        """,
    )
    # It is due at 01:40 each night.
    assert "stream_stale" not in names(hub)
    execute(database, "update intake.run set finished_at = now() - interval '27 hours'")
    assert "stream_stale" in names(hub)
    execute(database, "delete from intake.run")
    assert "stream_stale" not in names(hub)
    execute(database, "update oncehub_migration set applied_at = now() - interval '27 hours'")
    assert len([each for each in Lookout(hub).look().alarms if each.name == "stream_stale"]) == 6


def test_what_waits_for_the_next_step_is_told(hub: Settings, database: Connection) -> None:
    assert not names(hub)
    execute(
        database,
        """
        insert into intake.run (source, stream, mode, state, read, accepted, started_at, finished_at)
        values ('tax', 'registrations', 'full', 'succeeded', 1, 1, now(), now());
        insert into intake.dirty values ('tax', 'registrations', 'k');
        insert into share.feed (feed) values ('residence'), ('of a former agreement');
        insert into share.change (person_key, kind, attributes) values (gen_random_uuid(), 'created', '{}');
        insert into share.client (client_id, agreement) values ('c', 'portal-residence');
        insert into share.consumer_offset (feed, kind, sequence, client_id)
        values ('residence', 'fetched', 1, 'c');
        insert into share.feed_entry (feed, sequence, person_key, line)
        values ('residence', 1, gen_random_uuid(), '{}');
        insert into intake.rejected
        (run_id, source, stream, stage, reason, path, digest, payload, kind, key_id)
        select run_id, source, stream, 'contract', 'r', 'p', n::text::bytea, '', 'records', 'k'
        from intake.run, generate_series(1, 2) as n
        """,
    )
    found = Lookout(hub, patient=False).look().alarms
    assert {(each.name, each.subject) for each in found} == {
        ("reconcile_late", ""),
        ("publish_late", "residence"),
        ("consumer_behind", "residence"),
        ("quarantine_growing", "tax.registrations"),
    }


@pytest.mark.parametrize(
    ("health", "wrong"),
    [
        ({"scheduler": {"status": "healthy"}, "triggerer": {"status": None}}, set()),
        ({"scheduler": {"status": "unhealthy"}, "triggerer": {"status": "healthy"}}, {"scheduler"}),
        ([], {"api-server"}),
    ],
)
def test_airflow_is_watched_by_what_it_says_of_itself(
    health: Any,
    wrong: set[str],
    hub: Settings,
    served: Callable[[Any], Served],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(AIRFLOW_URL, served(lambda _: as_json(health)).host)
    found = Lookout(hub, patient=False).look().alarms
    assert {each.subject for each in found if each.name == "airflow_unhealthy"} == wrong


def test_the_api_and_disks_are_watched_where_they_are_named(
    hub: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwatched = Lookout(hub).look().unwatched
    assert [each.partition(":")[0] for each in unwatched] == ["Airflow's components", "the API"]
    monkeypatch.setenv(API_URL, "http://127.0.0.1:9")
    monkeypatch.setenv(DISKS, str(tmp_path))
    rules = hub.mappings / "rules" / "alarms.yaml"
    rules.write_text(AT_ONCE.replace("disk_full: 0.0001", "disk_full: 99.9"), "utf-8")
    assert names(hub) == {"api_not_ready", "disk_full"}
    monkeypatch.setenv(DISKS, os.pathsep.join([str(tmp_path), str(tmp_path / "gone")]))
    with pytest.raises(ConfigError, match="gone, which does not exist"):
        Lookout(hub).look()


def test_every_figure_is_explained(hub: Settings) -> None:
    assert {each.name for each in read_figures(hub)} <= set(HELP)
