"""Sends notifications to the addresses of `ONCEHUB_NOTIFY`: mail, webhooks and chats, through Apprise."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
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
        self._recipients: list[Apprise] = []
        given = (os.environ.get(ADDRESSES, "") if addresses is None else addresses).split()
        for place, address in enumerate(given, 1):
            self._recipients.append(Apprise())
            if not self._recipients[-1].add(address):
                raise ConfigError(
                    f"address {place} of {ADDRESSES} is not one that Apprise knows; write for instance "
                    "mailtos://user:password@smtp.example.vn?to=oncall@example.vn or jsons://host/path, "
                    "with special characters percent-encoded"
                )
        self.addresses = len(given)

    def send(
        self, title: str, text: str, *, to: Collection[int] | None = None, is_over: bool = False
    ) -> frozenset[int]:
        """Send to addresses; return those that did not take it.

        Args:
            title: in one line.
            text: without a value of anybody's.
            to: the places of addresses in the setting, from 0; all unless given.
            is_over: whether it says that an alarm has ended.
        """
        asked = sorted(range(self.addresses) if to is None else to)
        if not asked:
            return frozenset()
        kind = NotifyType.SUCCESS if is_over else NotifyType.FAILURE

        def taken(place: int) -> bool:
            return bool(
                self._recipients[place].notify(body=text, title=title, notify_type=kind, timeout=_SECONDS)
            )

        with ThreadPoolExecutor(len(asked)) as threads:
            refused = frozenset(
                place for place, took in zip(asked, threads.map(taken, asked), strict=True) if not took
            )
        for place in sorted(refused):
            _log.error("address %d of %s took no notification", place + 1, ADDRESSES)
        return refused
