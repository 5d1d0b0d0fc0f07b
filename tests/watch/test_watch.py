"""What needs a person reaches one: by mail and by webhook, once when it begins and once when it ends."""

from __future__ import annotations

import email
import json
import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.watch.alarms import AIRFLOW_URL, API_URL, DISKS, Lookout
from oncehub.watch.figures import HELP, read_figures
from oncehub.watch.notifier import Notifier
from oncehub.watch.watchdog import Watchdog

from ..connect.serving import Reply, Served, as_json
from .incidents import (
    AT_ONCE,
    database_down,
    execute,
    nonsense,
    run_stuck,
    signing_stopped,
    source_down,
)


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
    assert "address 1 of ONCEHUB_NOTIFY took no notification" in caplog.text
    assert "secret-word" not in caplog.text
    hook.answering = lambda _: as_json({})
    hook.asked.clear()
    watchdog.look()
    assert "run_stuck" in str([json.loads(each.body)["title"] for each in hook.asked])


def test_an_address_that_refused_is_tried_again_and_alone_and_hears_of_the_end_if_of_the_beginning(
    hub: Settings, database: Connection, served: Callable[[Any], Served]
) -> None:
    good, bad = served(lambda _: as_json({})), served(lambda _: Reply(status=500))
    addresses = " ".join(f"{each.host.replace('http', 'json')}/hook" for each in (good, bad))
    run_stuck(hub, served, database)
    watchdog = Watchdog(hub, Notifier(addresses))
    title = "oncehub alarm: run_stuck tax.registrations"

    def heard(hook: Served) -> list[str]:
        return [json.loads(each.body)["title"] for each in hook.asked]

    for _ in range(3):
        watchdog.look()
    assert (heard(good).count(title), heard(bad).count(title)) == (1, 3)
    bad.answering = lambda _: as_json({})
    watchdog.look()
    watchdog.look()
    assert (heard(good).count(title), heard(bad).count(title)) == (1, 4)

    good.answering = lambda _: Reply(status=500)
    execute(database, "update intake.run set state = 'succeeded', finished_at = now()")
    watchdog.look()
    good.answering = lambda _: as_json({})
    watchdog.look()
    watchdog.look()
    over = title.replace("alarm", "over")
    assert (heard(good).count(over), heard(bad).count(over)) == (2, 1)


def test_what_cannot_be_looked_at_is_not_over(
    hub: Settings, served: Callable[[Any], Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = served(lambda _: as_json({}))
    airflow = served(lambda _: as_json({"scheduler": {"status": "unhealthy"}}))
    monkeypatch.setenv(AIRFLOW_URL, airflow.host)
    watchdog = Watchdog(hub, Notifier(f"{hook.host.replace('http', 'json')}/hook"))
    watchdog.look()
    airflow.answering = lambda _: Reply(status=503)
    watchdog.look()
    airflow.answering = lambda _: as_json({"scheduler": {"status": "healthy"}})
    watchdog.look()
    titles = [json.loads(each.body)["title"] for each in hook.asked]
    assert titles == [
        "oncehub alarm: airflow_unhealthy scheduler",
        "oncehub alarm: airflow_unhealthy api-server",
        "oncehub over: airflow_unhealthy scheduler",
        "oncehub over: airflow_unhealthy api-server",
    ]


def test_a_watchdog_that_is_started_again_tells_once_more_what_lasts(
    hub: Settings, database: Connection, served: Callable[[Any], Served]
) -> None:
    hook = served(lambda _: as_json({}))
    run_stuck(hub, served, database)
    for _ in range(2):
        watchdog = Watchdog(hub, Notifier(f"{hook.host.replace('http', 'json')}/hook"))
        watchdog.look()
        watchdog.look()
    assert [json.loads(each.body)["title"] for each in hook.asked].count(
        "oncehub alarm: run_stuck tax.registrations"
    ) == 2


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
