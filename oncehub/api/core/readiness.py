"""Whether look-ups can be answered now: one is tried, for a person who cannot exist."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Final

import asyncpg
import psycopg2
from starlette.concurrency import run_in_threadpool

from oncehub.api.auth.tokens import Caller, admission
from oncehub.api.core.hub import Hub
from oncehub.config.agreements import Agreement
from oncehub.errors import OncehubError
from oncehub.share.people.lookup import Asked, Question, try_look_up
from oncehub.store.connection import Connection
from oncehub.store.failures import describe

READY_SECONDS: Final = 3.0
"""How long the look-up may take."""

NOBODY: Final = "000000000000"
"""A value that no identifier has: 000 is no province's code (Thông tư 59/2021/TT-BCA)."""

_NAME: Final = "(readiness)"

# The database then says what the look-up waits for.
_BOUNDS: Final = "set local lock_timeout = '1s'; set local statement_timeout = '2s'"

_log = logging.getLogger("oncehub.api")


class Readiness:
    """Tries a look-up under every agreement when asked, one at a time in each process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._trying: asyncio.Task[str | None] | None = None

    async def wrong(self) -> str | None:
        """Return why look-ups cannot be answered; None when they can. It takes `READY_SECONDS` at most."""
        if self._trying is None or self._trying.done():
            # In one of the threads that forms, and look-ups that are refused, have.
            self._trying = asyncio.create_task(self._tried())
        done, _ = await asyncio.wait({self._trying}, timeout=READY_SECONDS)
        wrong = self._trying.result() if done else f"one got no answer in {READY_SECONDS:.0f} seconds"
        if wrong:
            _log.error("not ready: look-ups cannot be answered: %s", wrong)
        return wrong

    async def _tried(self) -> str | None:
        if wrong := await run_in_threadpool(self._try):
            return wrong
        try:
            await self._hub.look_ups.reach()
        except OncehubError as error:
            return str(error)
        except asyncpg.PostgresError as error:
            return f"the database refused: {type(error).__name__} ({error.sqlstate})"
        return None

    def _try(self) -> str | None:
        try:
            look_up_nobody(self._hub)
        except OncehubError as error:
            return str(error)
        except psycopg2.Error as error:
            return describe(error)
        return None


def look_up_nobody(hub: Hub) -> None:
    """Do what a look-up does, for nobody, under every agreement, and roll back.

    Nothing is counted, and no line of the access log is kept.

    Raises:
        OncehubError, psycopg2.Error: that a look-up would meet.
    """
    nobody = admission(Caller(_NAME, _NAME, _NAME))
    with hub.database.begun_by(nobody) as (connection, _):
        with connection.cursor() as cursor:
            cursor.execute(_BOUNDS)
        hub.checkpoints.require_signed(connection)
        for agreement in hub.agreements.values():
            _look_up(hub, connection, agreement)
        with connection.cursor() as cursor:
            cursor.execute("rollback")


def _look_up(hub: Hub, connection: Connection, agreement: Agreement) -> None:
    hub.limits.left(connection, agreement, _NAME, alone=True)
    search = dict.fromkeys(agreement.search_by[:1], NOBODY)
    question = Question("lookup", search, agreement.attributes[:1], stated={"client": _NAME})
    try_look_up(connection, agreement, Asked(question, uuid.uuid4(), hub.proof_keys))
