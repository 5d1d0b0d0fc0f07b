"""Sends notifications to the addresses of `ONCEHUB_NOTIFY`: mail, webhooks and chats, through Apprise."""

from __future__ import annotations

import logging
import os
from typing import Final

from oncehub.errors import ConfigError
from oncehub.extras import needs_extra

with needs_extra("watch"):
    from apprise import Apprise, NotifyType

ADDRESSES: Final = "ONCEHUB_NOTIFY"

WHAT_TO_DO: Final = "What to do: docs/operations/runbook.md"
"""Ends each notification of something that is wrong."""

_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


class Notifier:
    """Sends notifications to all addresses; without an address it sends none.

    The addresses hold passwords: they are in no error, no log and no `repr`.
    """

    def __init__(self, addresses: str | None = None) -> None:
        """Take the addresses.

        Args:
            addresses: Apprise URLs such as `mailtos://user:password@smtp.example.vn?to=a@example.vn` or
                `jsons://hooks.example.vn/path`, apart by spaces; those of `ONCEHUB_NOTIFY` unless given.

        Raises:
            ConfigError: when one is no address that Apprise knows; it says which by its place.
        """
        # Apprise logs the addresses that it cannot use.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._apprise = Apprise()
        given = (os.environ.get(ADDRESSES, "") if addresses is None else addresses).split()
        for place, address in enumerate(given, 1):
            if not self._apprise.add(address):
                raise ConfigError(
                    f"address {place} of {ADDRESSES} is not one that Apprise knows; write for instance "
                    "mailtos://user:password@smtp.example.vn?to=oncall@example.vn or jsons://host/path, "
                    "with special characters percent-encoded"
                )
        self.addresses = len(given)

    def send(self, title: str, text: str, *, is_over: bool = False) -> bool:
        """Send to every address; return whether at least one took it, or there is none.

        Args:
            title: in one line.
            text: without a value of anybody's.
            is_over: whether it says that an alarm has ended.
        """
        if not self.addresses:
            return True
        kind = NotifyType.SUCCESS if is_over else NotifyType.FAILURE
        outcome = self._apprise.notify(body=text, title=title, notify_type=kind, timeout=_SECONDS)
        taken = sum(map(bool, outcome))
        if taken < self.addresses:
            _log.error("%d of %d addresses took no notification", self.addresses - taken, self.addresses)
        return taken > 0
