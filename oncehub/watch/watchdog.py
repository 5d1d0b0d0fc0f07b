"""The watchdog: looks at the hub once a minute, and notifies people when an alarm begins or ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from oncehub.settings import Settings
from oncehub.watch.alarms import Alarm, Lookout, Watched
from oncehub.watch.figures import Figure
from oncehub.watch.notifier import WHAT_TO_DO, Notifier

EVERY: Final = timedelta(minutes=1)

_log = logging.getLogger(__name__)


@dataclass
class _Raised:
    """An alarm that lasts: its latest text, and when it was last sent."""

    alarm: Alarm
    told_at: datetime | None = None


class Watchdog:
    """Looks, and sends notifications; it keeps nothing on disk, so a new one sends again what still lasts.

    Args:
        settings: of the hub.
        notifier: sends to the recipients.
    """

    def __init__(self, settings: Settings, notifier: Notifier) -> None:
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
        """Look once, and send each alarm that began, ended, or has lasted since it was last sent.

        Raises:
            ConfigError: when a configuration file is wrong.
        """
        watched = self._lookout.look()
        now = datetime.now(UTC)
        lasting = {(each.name, each.subject): each for each in watched.alarms}
        for key in [key for key in self._raised if key not in lasting]:
            self._end(key)
        for key, alarm in lasting.items():
            raised = self._raised.setdefault(key, _Raised(alarm))
            raised.alarm = alarm
            if raised.told_at is None or now - raised.told_at >= watched.repeat:
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
        text = f"{alarm.text}\n{WHAT_TO_DO}, {alarm.name}"
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
