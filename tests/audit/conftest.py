"""An access log with lines in it, and what it takes to bend it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from oncehub.audit.log.entries import Entry, write
from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.settings import Settings
from oncehub.store.connection import Connection

KEY = b"k" * 32
ENTRY = Entry(
    client_id="portal",
    agency="G01",
    agreement="portal-residence",
    purpose="dpv:RequestedServiceProvision",
    legal_basis="Luật 91/2025/QH15, Điều 19 khoản 1 điểm c",
    action="lookup",
    procedure=None,
    person=person_pseudonym(KEY, str(uuid.UUID(int=1))),
    attributes=("person.full_name", "person.sex"),
    refused=(),
    outcome="answered",
    request_id=uuid.UUID(int=7),
)


def add_lines(database: Connection, number: int, first: int = 0) -> None:
    """Write lines about different people, each in a transaction of its own."""
    for each in range(first, first + number):
        person = person_pseudonym(KEY, str(uuid.UUID(int=each)))
        with database:
            write(database, replace(ENTRY, person=person, request_id=uuid.UUID(int=each)))


@pytest.fixture
def signed_log(settings: Settings, database: Connection) -> Callable[[int, int], None]:
    """Fill and checkpoint the log: `signed_log(batches, lines)`."""

    def fill(batches: int, lines: int) -> None:
        for batch in range(batches):
            add_lines(database, lines, first=batch * lines)
            assert write_checkpoints(settings, database).lines == lines

    return fill
