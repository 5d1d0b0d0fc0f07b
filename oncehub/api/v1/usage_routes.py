"""The endpoint by which a portal shows citizens, each to themselves, who looked at their data."""

from __future__ import annotations

from fastapi import APIRouter

from oncehub.api.core.audited_request import inquiry
from oncehub.api.core.hub import TheHub
from oncehub.api.http.description import answers
from oncehub.api.http.terms import require_search_terms
from oncehub.api.v1.routes import RequestId, TheCaller
from oncehub.api.v1.usage_bodies import UsageAnswer, UsageLine, UsageRequest
from oncehub.share.agreements.permissions import require_citizen, require_usage, today
from oncehub.share.data_subjects.usage import Period, find_usages

router = APIRouter(prefix="/v1/usage", tags=["usage"])


@router.post("/find", operation_id="findUsage", responses=answers(404))
def find(body: UsageRequest, hub: TheHub, caller: TheCaller, request_id: RequestId) -> UsageAnswer:
    """Show the citizen who is named in the token who had their data; this look is itself a usage."""
    require_search_terms(body.search, hub.attributes)
    with inquiry(hub, caller, request_id, "usage") as asked:
        require_usage(require_citizen(asked.agreement, caller.citizen, body.search))
        person = asked.find(body.search)
        page = find_usages(
            asked.connection,
            person.key,
            (hub.pseudonym_key, *hub.retired_pseudonym_keys),
            hub.agreements,
            Period(body.period.since, body.period.until),
            offset=body.offset,
            limit=body.limit,
            day=today(),
            under=asked.agreement,
        )
        return UsageAnswer(
            total_usages=page.total,
            usages=[UsageLine.of(usage) for usage in page.usages],
            until=page.until,
            request_id=str(request_id),
        )
