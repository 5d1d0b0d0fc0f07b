"""The watchdog: looks at the hub once a minute, and notifies people when an alarm begins or ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.watch.alarms import Alarm, Clock, Lookout, Watched, present
from oncehub.watch.figures import Figure
from oncehub.watch.notifier import WHAT_TO_DO, Notifier

EVERY: Final = timedelta(minutes=1)

# The rules, which say how often alarms are repeated, may be what cannot be read.
REPEAT_BLIND: Final = timedelta(hours=6)

_log = logging.getLogger(__name__)


@dataclass
class _Raised:
    """An alarm that lasts.

    Attributes:
        alarm: its latest text.
        sent_at: when it was last sent to all.
        waiting: the addresses that have not taken it since.
        told: the addresses that know of it.
    """

    alarm: Alarm
    sent_at: datetime | None = None
    waiting: frozenset[int] = frozenset()
    told: frozenset[int] = frozenset()


class Watchdog:
    """Looks, and sends notifications; it keeps nothing on disk, so a new one sends again what still lasts.

    An address that did not take a notification is tried again at each look, until it takes it or the alarm is
    over. While the database or Airflow cannot be asked, alarms about them neither begin nor end.

    Args:
        settings: of the hub.
        notifier: sends to the recipients.
        clock: the present.
    """

    def __init__(self, settings: Settings, notifier: Notifier, clock: Clock = present) -> None:
        self._notifier = notifier
        self._lookout = Lookout(settings, clock=clock)
        self._clock = clock
        self._raised: dict[tuple[str, str], _Raised] = {}
        self._over: list[_Raised] = []
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
        raised = {(each.name, each.subject): each for each in watched.alarms}
        for key, each in list(self._raised.items()):
            if key not in raised and not watched.unknown(each.alarm):
                _log.warning("over: %s", each.alarm)
                self._over.append(self._raised.pop(key))
        for key, alarm in raised.items():
            self._raised.setdefault(key, _Raised(alarm)).alarm = alarm
        self._tell(watched.repeat)
        self._figures = (*watched.figures, *self._own_figures())
        return watched

    def run(self, stopped: threading.Event, every: timedelta = EVERY) -> None:
        """Look again and again until `stopped`; looks begin `every` apart, however long they take.

        What a wrong configuration file hides is an alarm itself.
        """
        due = time.monotonic()
        while not stopped.is_set():
            try:
                self.look()
            except ConfigError as error:
                self._tell_blind(error)
            due = max(due + every.total_seconds(), time.monotonic())
            stopped.wait(due - time.monotonic())

    def _tell_blind(self, error: ConfigError) -> None:
        alarm = Alarm("configuration_wrong", "", f"nothing is watched until it is corrected: {error}")
        self._raised.setdefault((alarm.name, alarm.subject), _Raised(alarm)).alarm = alarm
        self._tell(REPEAT_BLIND)

    def _tell(self, repeat: timedelta) -> None:
        """Send what began, lasts for long or is over to each address that does not know of it."""
        now = self._clock()
        everybody = frozenset(range(self._notifier.addresses))
        for each in self._raised.values():
            if each.sent_at is None or now - each.sent_at >= repeat:
                _log.error("alarm: %s", each.alarm)
                each.sent_at, each.waiting = now, everybody
            text = f"{each.alarm.text}\n{WHAT_TO_DO}, {each.alarm.name}"
            refused = self._send("alarm", each.alarm, text, each.waiting)
            each.told |= each.waiting - refused
            each.waiting = refused
        over, self._over = self._over, []
        for each in over:
            each.told = self._send("over", each.alarm, "It is no longer so.", each.told, is_over=True)
            if each.told:
                # The next look tries again.
                self._over.append(each)

    def _send(
        self, what: str, alarm: Alarm, text: str, to: frozenset[int], *, is_over: bool = False
    ) -> frozenset[int]:
        """Send to addresses; return those that did not take it."""
        title = f"oncehub {what}: {alarm.name} {alarm.subject}".rstrip()
        refused = self._notifier.send(title, text, to=to, is_over=is_over)
        self._failures += bool(refused)
        return refused

    def _own_figures(self) -> Iterable[Figure]:
        for each in self._raised.values():
            yield Figure("alarm", 1, {"name": each.alarm.name, "subject": each.alarm.subject})
        yield Figure("notification_failures", self._failures)
