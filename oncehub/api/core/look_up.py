"""A look-up: who asks is admitted, counted and entitled, the database logs and tells in one message."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from oncehub.api.auth.tokens import Caller, admission, check_admission
from oncehub.api.core.audited_request import audited_request, nobody, stated_by
from oncehub.api.core.hub import Hub
from oncehub.config.agreements import Agreement
from oncehub.encryption.field_values import decrypting, is_encrypted
from oncehub.errors import PersonNotFound, Refusal
from oncehub.share.agreements.permissions import (
    require_attributes,
    require_in_force,
    require_purpose,
    require_search,
    today,
)
from oncehub.share.people.lookup import Asked, Person, Question, Told, Withheld, told


async def look_up(
    hub: Hub,
    caller: Caller,
    request_id: UUID,
    *,
    search: Mapping[str, str],
    wanted: tuple[str, ...],
    purpose: str | None,
) -> Person:
    """Look one person up for a caller; what came of it is in the access log before this returns.

    Of most look-ups this process already has the count that the limits allow it, and admission is asked in
    the message of the look-up itself. What needs the database before, waits in a thread.

    Raises:
        NotAuthenticated: when the client is no longer admitted.
        TooManyRequests: when the limit of the agreement or of the client is reached.
        LogUnsigned: when entries have been unsigned for too long.
        Refusal: after it was logged.
        StoreError: when the database does not answer, or does not take the request as proven.
    """
    agreement = hub.agreement(caller.agreement)
    try:
        require_in_force(agreement, today())
        require_purpose(agreement, purpose)
        require_search(agreement, search)
        require_attributes(agreement, wanted)
    except Refusal as refusal:
        await run_in_threadpool(_refuse, hub, caller, request_id, wanted, refusal)
    if not (hub.checkpoints.is_recent and hub.limits.take_leased(agreement, caller.client_id)):
        await run_in_threadpool(_admit, hub, caller, agreement)
    stated = stated_by(caller, agreement) | {"key": caller.key}
    asked = Asked(Question("lookup", search, wanted, stated=stated), request_id, hub.proof_keys)
    answer = await hub.look_ups.ask(asked, agreement.name)
    if answer.outcome == "not admitted":
        await run_in_threadpool(_require_admitted, hub, caller)
    if any(map(is_encrypted, answer.given.values())):
        return _found(hub, agreement, await run_in_threadpool(_decrypted, hub, agreement, asked, answer))
    return _found(hub, agreement, told(agreement, asked, answer))


def _refuse(hub: Hub, caller: Caller, request_id: UUID, wanted: tuple[str, ...], refusal: Refusal) -> None:
    """Log a refusal of one who is admitted and within the limits, and raise it."""
    with audited_request(hub, caller, request_id, "lookup", attributes=wanted):
        raise refusal


def _admit(hub: Hub, caller: Caller, agreement: Agreement) -> None:
    with hub.database.begun_by(admission(caller)) as (connection, admitted):
        alone = check_admission(caller, admitted)
        hub.limits.take(connection, agreement, caller.client_id, alone=alone)
        hub.checkpoints.require_signed(connection)


def _require_admitted(hub: Hub, caller: Caller) -> None:
    with hub.database.begun_by(admission(caller)) as (_, admitted):
        check_admission(caller, admitted)


def _decrypted(hub: Hub, agreement: Agreement, asked: Asked, answer: Told) -> Person | Withheld | None:
    with hub.database.transaction() as connection, decrypting(hub.home, connection):
        return told(agreement, asked, answer)


def _found(hub: Hub, agreement: Agreement, sought: Person | Withheld | None) -> Person:
    """Return a person who was found; only the log records why another is not."""
    if isinstance(sought, Person):
        hub.metrics.note_outcome(agreement.name, "lookup", "answered")
        return sought
    hub.metrics.note_outcome(agreement.name, "lookup", "refused" if sought else "not_found")
    refusal = PersonNotFound(nobody(agreement))
    refusal.logged = True
    raise refusal
