"""The caller's own agreement."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from oncehub.api.auth.tokens import admission, check_admission
from oncehub.api.core.audited_request import TheCaller
from oncehub.api.core.hub import TheHub
from oncehub.api.http.description import answers
from oncehub.config.agreements import Agreement
from oncehub.share.agreements.permissions import (
    today,
)

router = APIRouter(prefix="/v1")


class AgreementAnswer(BaseModel):
    """The caller's agreement as configured in the hub, and the requests it allows today.

    `valid_until`: the last day on which both the agreement and its legal basis are in force.
    `needs_consent`: covers only people who have consented, and only the attributes they consented to.
    `remaining_today`: the number of requests left until midnight in Vietnam.
    """

    agreement: dict[str, Any]
    in_force: bool
    valid_until: date
    needs_consent: bool
    remaining_today: int

    @classmethod
    def of(cls, agreement: Agreement, *, day: date, left: int) -> AgreementAnswer:
        """Build the answer of a kept agreement on a day."""
        ends = [agreement.valid.until, agreement.legal_basis.until or agreement.valid.until]
        return cls(
            agreement=agreement.model_dump(mode="json", by_alias=True),
            in_force=agreement.in_force(day),
            valid_until=min(ends),
            needs_consent=agreement.needs_consent,
            remaining_today=left,
        )


@router.get(
    "/agreements/mine", operation_id="getOwnAgreement", tags=["access"], responses=answers(never=(403,))
)
def mine(hub: TheHub, caller: TheCaller) -> AgreementAnswer:
    """Show the caller's own agreement; nothing about persons."""
    agreement = hub.agreement(caller.agreement)
    with hub.database.begun_by(admission(caller)) as (connection, admitted):
        alone = check_admission(caller, admitted)
        hub.limits.take(connection, agreement, caller.client_id, alone=alone, today=False)
        left = hub.limits.left(connection, agreement, caller.client_id, alone=alone)
    return AgreementAnswer.of(agreement, day=today(), left=left)
