"""The watchdog: looks at the hub once a minute, and tells people what begins and what ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from oncehub.config.catalogue import load_rules
from oncehub.config.operation import AlarmRules
from oncehub.settings import Settings
from oncehub.watch.alarms import Alarm, Lookout, Watched
from oncehub.watch.figures import Figure
from oncehub.watch.notifier import Notifier

EVERY: Final = timedelta(minutes=1)

_log = logging.getLogger(__name__)


@dataclass
class _Raised:
    """An alarm that lasts: its latest text, and when somebody was told last."""

    alarm: Alarm
    told_at: datetime | None = None


class Watchdog:
    """Looks, and tells; it keeps nothing on disk, so a new one tells again what still lasts.

    Args:
        settings: of the hub.
        notifier: who is told.
    """

    def __init__(self, settings: Settings, notifier: Notifier) -> None:
        self._settings = settings
        self._notifier = notifier
        self._lookout = Lookout(settings)
        self._raised: dict[tuple[str, str], _Raised] = {}
        self._failures = 0
        self._figures: tuple[Figure, ...] = ()

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures of the last look, and the alarms that last."""
        return self._figures

    def look(self) -> Watched:
        """Look once, and tell of every alarm that began, ended, or lasts since the last repetition.

        Raises:
            ConfigError: when a configuration file is wrong.
        """
        watched = self._lookout.look()
        repeat = load_rules(self._settings, "alarms", AlarmRules).repeat
        now = datetime.now(UTC)
        lasting = {(each.name, each.subject): each for each in watched.alarms}
        for key in [key for key in self._raised if key not in lasting]:
            self._end(key)
        for key, alarm in lasting.items():
            raised = self._raised.setdefault(key, _Raised(alarm))
            raised.alarm = alarm
            if raised.told_at is None or now - raised.told_at >= repeat:
                self._tell(raised, now)
        self._figures = (*watched.figures, *self._own_figures(watched.alarms))
        return watched

    def run(self, stopped: threading.Event, every: timedelta = EVERY) -> None:
        """Look again and again until `stopped`."""
        while not stopped.is_set():
            self.look()
            stopped.wait(every.total_seconds())

    def _tell(self, raised: _Raised, now: datetime) -> None:
        alarm = raised.alarm
        _log.error("alarm: %s", alarm)
        text = f"{alarm.text}\nWhat to do: docs/operations/runbook.md, {alarm.name}"
        if self._notifier.send(f"oncehub alarm: {alarm.name} {alarm.subject}".rstrip(), text):
            raised.told_at = now
        else:
            # The next look tries again.
            self._failures += 1

    def _end(self, key: tuple[str, str]) -> None:
        raised = self._raised[key]
        _log.warning("over: %s", raised.alarm)
        title = f"oncehub over: {raised.alarm.name} {raised.alarm.subject}".rstrip()
        if raised.told_at is not None and not self._notifier.send(title, "It is no longer so.", is_over=True):
            self._failures += 1
            return
        del self._raised[key]

    def _own_figures(self, alarms: Iterable[Alarm]) -> Iterable[Figure]:
        for alarm in alarms:
            yield Figure("alarm", 1, {"name": alarm.name, "subject": alarm.subject})
        yield Figure("notification_failures", self._failures)
