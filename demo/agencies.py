"""The agencies of the demo: one client of the hub's API for each agreement, with keys made here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from demo.processes.loopback import loopback_session
from oncehub.api.client import HubClient
from oncehub.config.agreements import Agreement
from oncehub.errors import TooManyRequests
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.store.connection import Connection

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_FEED_PAGE = 500


@dataclass(frozen=True)
class Agency:
    """One agreement, and the API client of the agency that it names."""

    agreement: Agreement
    client: HubClient
    hub_url: str
    client_id: str
    key: Path

    def of_citizen(self, number: str, prove: Callable[[str], str]) -> HubClient:
        """Return a client through which a citizen acts; `prove` takes a nonce, and returns their ID token."""
        return HubClient(
            *(self.hub_url, self.client_id, self.key.read_bytes(), loopback_session()),
            citizen=number,
            agreement=self.agreement.name,
            prove_citizen=prove,
        )

    def changes(self, after: int) -> Iterator[dict[str, Any]]:
        """Read the agreement's feed to its present end."""
        more, epoch = self.agreement.feed is not None, None
        while more:
            page = paced(self.client.changes, str(self.agreement.feed), after, _FEED_PAGE, epoch=epoch)
            yield from page["changes"]
            after, epoch, more = page["next"], page["epoch"], page["more"]


Agencies = dict[str, Agency]
"""Agencies by their agreement's name."""


def admit_agencies(settings: Settings, database: Connection, keys: Path, hub_url: str) -> Agencies:
    """Make a key pair for each agreement in the folder `keys`, and register its client with the hub."""
    keys.mkdir(mode=0o700)
    agencies: Agencies = {}
    for name, agreement in load_agreements(settings).items():
        client_id = f"demo-{name}"
        key = keys / f"{name}.pem"
        add_client(database, client_id, name, new_client_key(key))
        client = HubClient(hub_url, client_id, key.read_bytes(), loopback_session())
        agencies[name] = Agency(agreement, client, hub_url, client_id, key)
    return agencies


def paced(call: Callable[Parameters, Result], *given: Parameters.args, **named: Parameters.kwargs) -> Result:
    """Call the hub's API, waiting and repeating each time the agreement's rate limit refuses the call."""
    while True:
        try:
            return call(*given, **named)
        except TooManyRequests as error:
            time.sleep(error.retry_after)
