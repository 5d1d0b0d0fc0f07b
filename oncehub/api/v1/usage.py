"""Usage: a portal shows citizens who received their data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from oncehub.api.core.audited_request import RequestId, TheCaller, audited_request
from oncehub.api.core.hub import TheHub
from oncehub.api.core.vouching import EvidenceToken, TheBody, vouched_citizen
from oncehub.api.http.bodies import MOMENT, WHOLE_NUMBER, SearchTerms
from oncehub.api.http.description import answers
from oncehub.api.http.terms import require_search_terms
from oncehub.share.agreements.permissions import (
    require_citizen_view,
    require_own,
    require_search,
    require_usage,
    today,
)
from oncehub.share.data_subjects.usage import Period, find_usages

router = APIRouter(prefix="/v1/usage", tags=["usage"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _Answer(BaseModel):
    # As the Data Tracker names its fields.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class UsagePeriod(_Body):
    """A period with time zones; `until` is exclusive, and now by default."""

    since: Annotated[Annotated[AwareDatetime, MOMENT] | None, Field(alias="from")] = None
    until: Annotated[AwareDatetime, MOMENT] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.since and self.until and self.until <= self.since:
            raise ValueError("until must lie after from")
        return self


class UsageRequest(_Body):
    """Which requests for the data of the citizen who asks to list."""

    search: SearchTerms
    period: UsagePeriod = UsagePeriod()
    offset: Annotated[int, Field(ge=0, le=100_000), WHOLE_NUMBER] = 0
    limit: Annotated[int, Field(ge=1, le=500), WHOLE_NUMBER] = 50
    evidence: EvidenceToken = None


class UsageLine(_Answer):
    """One usage: `consulted` if it was about the citizen, `appeared` if about something else.

    `log` and `logIndex` say where the line is in the signed access log, by which the citizen asks the hub's
    operator for a proof of it; null until it is signed, some minutes later.
    """

    logtime: datetime
    action: str
    receiver_code: str
    receiver_name: str
    receiver_system: str
    involvement: Literal["consulted", "appeared"]
    outcome: Literal["answered", "not_found", "refused"]
    purpose: str
    legal_basis: str
    procedure: str | None
    attributes: list[str]
    log: str | None
    log_index: int | None


class UsageAnswer(_Answer):
    """A page of usages, the newest first; give this `until` for the next page, as each request is a usage."""

    total_usages: int
    usages: list[UsageLine]
    until: datetime
    request_id: str


@router.post("/find", operation_id="findUsage", responses=answers(404))
def find(
    body: UsageRequest, sent: TheBody, hub: TheHub, caller: TheCaller, request_id: RequestId
) -> UsageAnswer:
    """Show a citizen, whom evidence proves, who received their data; this request is itself a usage."""
    require_search_terms(body.search, hub.attributes)
    with audited_request(hub, caller, request_id, "usage") as request:
        require_usage(require_citizen_view(request.agreement))
        citizen = vouched_citizen(hub, request, sent, "/v1/usage/find")
        require_search(request.agreement, body.search)
        require_own(citizen.number, body.search)
        person = request.find(body.search)
        page = find_usages(
            request.connection,
            person.key,
            (hub.pseudonym_key, *hub.retired_pseudonym_keys),
            hub.agreements,
            Period(body.period.since, body.period.until),
            offset=body.offset,
            limit=body.limit,
            day=today(),
            under=request.agreement,
        )
        return UsageAnswer.model_validate(
            vars(page) | {"total_usages": page.total, "request_id": str(request_id)}
        )
