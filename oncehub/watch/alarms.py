"""Alarms: what in the hub's figures or surroundings needs a person, by the rules of `alarms.yaml`."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests
from croniter import croniter

from oncehub.clock import VIETNAM
from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_connectors, load_folder, load_rules
from oncehub.config.connector import Connector
from oncehub.config.operation import AlarmRules
from oncehub.config.quantities import in_words
from oncehub.errors import ConfigError, OncehubError
from oncehub.settings import Settings
from oncehub.store.failures import without_values
from oncehub.watch.figures import Figure, read_figures

AIRFLOW_URL: Final = "ONCEHUB_AIRFLOW_URL"
API_URL: Final = "ONCEHUB_API_URL"
DISKS: Final = "ONCEHUB_WATCH_DISKS"

_TIMEOUT: Final = 10.0

# Looks that are due a minute apart come a little more or less than that apart.
_JITTER: Final = timedelta(seconds=5)

Clock = Callable[[], datetime]


def present() -> datetime:
    """Return the machine's time."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Alarm:
    """Something that needs a person.

    Attributes:
        name: a key of `alarms.yaml`, and a heading of the runbook.
        subject: what it is about: a stream, a feed, a disk; empty where there is only one.
        text: what is wrong, in one line without a value of anybody's.
    """

    name: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.name} {self.subject}: {self.text}" if self.subject else f"{self.name}: {self.text}"


@dataclass(frozen=True)
class Watched:
    """What one look found.

    Attributes:
        figures: of the database, when it can be read, and of the disks.
        alarms: what needs a person.
        unwatched: what was not looked at, and how to have it watched.
        unknown: whether an alarm that lasted may still last, because what raises it could not be asked.
        repeat: how long after a notification the same alarm is sent again.
    """

    figures: tuple[Figure, ...]
    alarms: tuple[Alarm, ...]
    unwatched: tuple[str, ...]
    unknown: Callable[[Alarm], bool]
    repeat: timedelta


class Lookout:
    """Looks at the hub, again and again, and remembers since when what it cannot date is wrong.

    Args:
        settings: of the hub.
        patient: whether what is wrong raises an alarm only after its time; else at the first look.
        clock: the present.
    """

    def __init__(self, settings: Settings, *, patient: bool = True, clock: Clock = present) -> None:
        self._settings = settings
        self._patient = patient
        self._clock = clock
        self._wrong_since: dict[str, datetime] = {}

    def look(self) -> Watched:
        """Look once at everything.

        Raises:
            ConfigError: when a configuration file is wrong.
        """
        rules = load_rules(self._settings, "alarms", AlarmRules)
        wrong: dict[str, tuple[timedelta, Alarm]] = {}

        def raised(after: timedelta, *alarms: Alarm) -> None:
            wrong.update({f"{each.name} {each.subject}": (after, each) for each in alarms})

        figures: list[Figure] = []
        try:
            with without_values("reading the hub's figures"):
                figures += read_figures(self._settings)
        except ConfigError:
            raise
        except OncehubError as error:
            raised(rules.database_down, Alarm("database_down", "", str(error)))
        disks = list(_disks(self._settings))
        unwatched: list[str] = []
        if airflow := os.environ.get(AIRFLOW_URL):
            raised(rules.airflow_unhealthy, *_airflow(airflow))
        else:
            unwatched.append(f"Airflow's components: set {AIRFLOW_URL} to the address of its API server")
        if api := os.environ.get(API_URL):
            raised(rules.api_not_ready, *_api(api))
        else:
            unwatched.append(f"the API: set {API_URL} to its address")
        by_age = [
            *(_by_figures(self._settings, rules, figures) if figures else ()),
            *_full(rules, disks),
        ]
        alarms = [*self._lasting(wrong), *by_age]
        asked = {
            name for name, known in (("figures", figures), ("airflow", _AIRFLOW_AWAY not in wrong)) if known
        }
        return Watched((*figures, *disks), tuple(alarms), tuple(unwatched), _unknown(asked), rules.repeat)

    def _lasting(self, wrong: Mapping[str, tuple[timedelta, Alarm]]) -> Iterator[Alarm]:
        now = self._clock()
        self._wrong_since = {key: self._wrong_since.get(key, now) for key in wrong}
        for key, (after, alarm) in wrong.items():
            if not self._patient or now - self._wrong_since[key] >= after - _JITTER:
                yield alarm


_AIRFLOW_AWAY: Final = "airflow_unhealthy api-server"

# What alarms are raised by; the others are by themselves.
_RAISED_BY: Final = {
    **dict.fromkeys(
        (
            "run_failing",
            "run_stuck",
            "stream_stale",
            "reconcile_late",
            "publish_late",
            "log_unsigned",
            "consumer_behind",
            "quarantine_growing",
        ),
        "figures",
    ),
    "airflow_unhealthy": "airflow",
}


def _unknown(asked: Collection[str]) -> Callable[[Alarm], bool]:
    """Tell of an alarm that is not raised whether that says nothing, as what raises it was not asked."""

    def unknown(alarm: Alarm) -> bool:
        raised_by = _RAISED_BY.get(alarm.name)
        return raised_by is not None and raised_by not in asked

    return unknown


@dataclass(frozen=True)
class _Late:
    """An alarm that a figure raises when it is over a limit.

    Attributes:
        alarm: its name.
        figure: in seconds.
        subject: the labels that name what it is about, joined by dots.
        text: with `{age}`, and labels of the figure.
    """

    alarm: str
    figure: str
    subject: tuple[str, ...]
    text: str


_LATE: Final = (
    _Late(
        "run_failing",
        "stream_failing_seconds",
        ("source", "stream"),
        "its runs have failed for {age}; see oncehub status",
    ),
    _Late(
        "run_stuck",
        "run_silent_seconds",
        ("source", "stream"),
        "a run ({reader}) has landed no page for {age}",
    ),
    _Late("reconcile_late", "reconcile_waiting_seconds", (), "landed records have waited for {age}"),
    _Late("publish_late", "publish_waiting_seconds", ("feed",), "changes have waited for {age}"),
    _Late("log_unsigned", "log_unsigned_seconds", (), "the oldest line has been unsigned for {age}"),
    _Late(
        "consumer_behind",
        "consumer_behind_seconds",
        ("feed",),
        "client {client} has not acknowledged an entry for {age}",
    ),
)


def _by_figures(settings: Settings, rules: AlarmRules, figures: Sequence[Figure]) -> Iterator[Alarm]:
    # What is no longer configured is not expected to go on.
    connectors = load_connectors(settings)
    feeds = {each.feed for each in load_folder(settings.mappings / "agreements", Agreement)}
    streams = {(source, stream) for source, each in connectors.items() for stream in each.landed}
    kept = [
        each
        for each in figures
        if ("feed" not in each.labels or each.labels["feed"] in feeds)
        and ("stream" not in each.labels or (each.labels["source"], each.labels["stream"]) in streams)
    ]
    for late, figure in itertools.product(_LATE, kept):
        if late.figure == figure.name and figure.value > getattr(rules, late.alarm).total_seconds():
            text = late.text.format(age=_age(figure.value), **figure.labels)
            yield Alarm(late.alarm, ".".join(figure.labels[label] for label in late.subject), text)
    for figure in kept:
        if figure.name == "quarantined_records" and figure.value >= rules.quarantine_growing:
            text = f"{figure.value:.0f} rejected records wait for a fix; see oncehub quarantine list"
            yield Alarm("quarantine_growing", _stream(figure), text)
    yield from _stale(connectors, rules.stream_stale, kept)


def _stale(
    connectors: Mapping[str, Connector], after: timedelta, figures: Iterable[Figure]
) -> Iterator[Alarm]:
    """Find the streams that no run has read since one was due, at the earliest after the hub was made."""
    values = {(each.name, _stream(each)): each.value for each in figures}
    now = datetime.fromtimestamp(values["now_timestamp_seconds", ""], UTC)
    for source, connector in connectors.items():
        for stream in connector.streams:
            name = f"{source}.{stream}"
            ended = values.get(("stream_success_timestamp_seconds", name))
            since = _vietnam(values["hub_made_timestamp_seconds", ""] if ended is None else ended)
            due: datetime = croniter(connector.schedule, since).get_next(datetime)
            if now - due > after:
                read = "never read" if ended is None else f"last read {since:%d/%m %H:%M}"
                yield Alarm("stream_stale", name, f"{read} with success; a run was due {due:%d/%m %H:%M}")


def _airflow(url: str) -> Iterator[Alarm]:
    health = _asked(f"{url.rstrip('/')}/api/v2/monitor/health")
    if isinstance(health, str):
        yield Alarm("airflow_unhealthy", "api-server", f"it does not answer ({health})")
        return
    for component in ("metadatabase", "scheduler", "dag_processor", "triggerer"):
        status = (health.get(component) or {}).get("status")
        # Airflow gives no status for a component that was never started.
        if status not in {"healthy", None}:
            yield Alarm("airflow_unhealthy", component, f"Airflow says that it is {status}")


def _api(url: str) -> Iterator[Alarm]:
    ready = _asked(f"{url.rstrip('/')}/ready")
    if isinstance(ready, str):
        yield Alarm("api_not_ready", "", f"it cannot answer look-ups ({ready})")


def _asked(url: str) -> dict[str, Any] | str:
    """Return what a component says of itself, or in a few words why it says nothing good."""
    try:
        response = requests.get(url, timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        return type(error).__name__
    if response.status_code != 200:
        return f"status {response.status_code}"
    try:
        content = response.json()
    except json.JSONDecodeError:
        return "no JSON"
    return content if isinstance(content, dict) else "no JSON object"


def _disks(settings: Settings) -> Iterator[Figure]:
    named = os.environ.get(DISKS)
    for path in named.split(os.pathsep) if named else [str(settings.home)]:
        if not Path(path).exists():
            if named:
                raise ConfigError(f"{DISKS} names {path}, which does not exist")
            continue
        usage = shutil.disk_usage(path)
        yield Figure("disk_free_ratio", usage.free / usage.total, {"path": path})


def _full(rules: AlarmRules, disks: Iterable[Figure]) -> Iterator[Alarm]:
    for disk in disks:
        if disk.value * 100 < rules.disk_full:
            text = f"{disk.value:.1%} of it is free, less than {rules.disk_full:g} %"
            yield Alarm("disk_full", disk.labels["path"], text)


def _stream(figure: Figure) -> str:
    return ".".join(figure.labels[label] for label in ("source", "stream") if label in figure.labels)


def _age(seconds: float) -> str:
    """Write an age in its largest whole unit: `3h`, `12m`."""
    unit = next((size for size in (86400, 3600, 60) if seconds >= size), 1)
    return in_words(timedelta(seconds=max(1, seconds // unit * unit)))


def _vietnam(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC).astimezone(VIETNAM)
