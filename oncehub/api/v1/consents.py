"""Consents: a portal records, shows and withdraws them on a citizen's behalf."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from oncehub.api.core.audited_request import AuditedRequest, RequestId, TheCaller, audited_request
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.core.vouching import EvidenceToken, TheBody, Vouched, vouched_citizen
from oncehub.api.http.bodies import MOMENT, Answer, Body, SearchTerms
from oncehub.api.http.description import KNOWN, answers
from oncehub.api.http.terms import require_named, require_search_terms
from oncehub.config.agreements import AgreementName
from oncehub.errors import AccessDenied, ConsentRefused
from oncehub.share.agreements.permissions import (
    require_consents,
    require_in_force,
    require_own,
    require_search,
    today,
)
from oncehub.share.consent.consents import (
    Channel,
    Proof,
    ShownText,
    consents_of,
    record_consent,
    withdraw_consent,
)
from oncehub.share.consent.evidence import Evidence
from oncehub.share.people.lookup import Person

router = APIRouter(prefix="/v1/consents", tags=["consents"])


Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._:/-]{5,99}$")]
"""Reference of a transaction or a paper; it begins with a letter, so it cannot be a citizen's number."""


class ConsentProof(Body):
    """The proof: channel and reference; at a counter the assertion's `act` must name the officer."""

    channel: Channel
    reference: Reference


class ConsentText(Body):
    """The text that was shown: its version, and SHA-256 of its bytes in hexadecimal."""

    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ConsentRequest(Body):
    """A citizen's consent to an agreement, for its purpose, with each attribute by name."""

    search: SearchTerms
    agreement: AgreementName
    purpose: Annotated[str, StringConstraints(max_length=100)]
    attributes: Annotated[
        list[Annotated[str, StringConstraints(max_length=100)]],
        Field(min_length=1, max_length=100, json_schema_extra={KNOWN: "attributes"}),
    ]
    text: ConsentText
    given_at: Annotated[AwareDatetime, MOMENT]
    proof: ConsentProof
    evidence: EvidenceToken = None


class ConsentAnswer(BaseModel):
    """The consent's id, by which it is withdrawn."""

    consent: str
    request_id: str


class ConsentQuery(Body):
    """Whose consents to show."""

    search: SearchTerms
    evidence: EvidenceToken = None


class ConsentLine(Answer):
    """A consent; it is valid until it is withdrawn."""

    consent: str = Field(validation_alias="consent_id")
    agreement: str
    purpose: str
    attributes: list[str]
    text_version: str
    given_at: datetime
    withdrawn_at: datetime | None


class ConsentsAnswer(Answer):
    """A citizen's consents, the oldest first."""

    consents: list[ConsentLine]
    request_id: str


class WithdrawalRequest(Body):
    """When the citizen withdrew it, and what proves it."""

    withdrawn_at: Annotated[AwareDatetime, MOMENT]
    proof: ConsentProof
    evidence: EvidenceToken = None


class WithdrawalAnswer(BaseModel):
    """When the consent ended, and by when the agency must answer the citizen and comply."""

    consent: str
    withdrawn_at: datetime
    answer_by: date
    due_on: date
    request_id: str


@router.post("", status_code=201, operation_id="recordConsent", responses=answers(404, 409))
def consent(
    body: ConsentRequest, sent: TheBody, hub: TheHub, caller: TheCaller, request_id: RequestId
) -> ConsentAnswer:
    """Record a citizen's consent; recording the same consent again returns the same id."""
    require_named(body.attributes, hub.attributes)
    require_search_terms(body.search, hub.attributes)
    with audited_request(
        hub, caller, request_id, "consent", attributes=tuple(dict.fromkeys(body.attributes))
    ) as request:
        require_consents(request.agreement, body.agreement)
        agreement = hub.agreement(body.agreement)
        require_in_force(agreement, today())
        if body.purpose != agreement.purpose:
            raise ConsentRefused(
                f"the agreement {agreement.name} has another purpose than the one consented to"
            )
        citizen = vouched_citizen(hub, request, sent, "/v1/consents")
        person = _person(request, citizen, body.search)
        recorded = record_consent(
            request.connection,
            agreement,
            person.key,
            body.attributes,
            text=ShownText(body.text.version, body.text.sha256),
            given_at=body.given_at,
            proof=_proof(hub, request, citizen, body.proof),
            under=request.agreement,
        )
        # The answer discloses no attribute.
        request.attributes = ()
        return ConsentAnswer(consent=recorded, request_id=str(request_id))


@router.post("/query", operation_id="listConsents", responses=answers(404))
def query(
    body: ConsentQuery, sent: TheBody, hub: TheHub, caller: TheCaller, request_id: RequestId
) -> ConsentsAnswer:
    """Show a citizen's consents to the agreements whose consents the caller records."""
    require_search_terms(body.search, hub.attributes)
    with audited_request(hub, caller, request_id, "consent") as request:
        own = require_consents(request.agreement)
        citizen = vouched_citizen(hub, request, sent, "/v1/consents/query")
        person = _person(request, citizen, body.search)
        found = consents_of(request.connection, request.agreement, person.key, own)
        return ConsentsAnswer.model_validate({"consents": found, "request_id": str(request_id)})


@router.post("/{consent_id}/withdrawal", operation_id="withdrawConsent", responses=answers(409))
def withdrawal(
    consent_id: UUID,
    body: WithdrawalRequest,
    sent: TheBody,
    *,
    hub: TheHub,
    caller: TheCaller,
    request_id: RequestId,
) -> WithdrawalAnswer:
    """Withdraw a consent: once this is answered, no request is answered on the basis of the consent."""
    with audited_request(hub, caller, request_id, "consent") as request:
        own = require_consents(request.agreement)
        citizen = vouched_citizen(hub, request, sent, f"/v1/consents/{consent_id}/withdrawal")
        request.open()
        withdrawn = withdraw_consent(
            request.connection,
            hub.deadlines,
            consent_id,
            own,
            withdrawn_at=body.withdrawn_at,
            proof=_proof(hub, request, citizen, body.proof),
            person_key=_acting_citizen(request, citizen),
            under=request.agreement,
        )
        request.person_key = withdrawn.person_key
        return WithdrawalAnswer(
            consent=str(consent_id),
            withdrawn_at=withdrawn.withdrawn_at,
            answer_by=withdrawn.due.answer_by,
            due_on=withdrawn.due.due_on,
            request_id=str(request_id),
        )


def _person(request: AuditedRequest, citizen: Vouched, search: dict[str, str]) -> Person:
    """Find the citizen who acts; no value is read."""
    require_search(request.agreement, search)
    require_own(citizen.number, search)
    return request.find(search)


def _acting_citizen(request: AuditedRequest, citizen: Vouched) -> str | None:
    """Return the key of the citizen who acts by themselves; None where an officer vouches for them."""
    number = citizen.number
    return _person(request, citizen, {"person.personal_id": number}).key if number else None


def _proof(hub: Hub, request: AuditedRequest, citizen: Vouched, proof: ConsentProof) -> Proof:
    caller = request.caller
    if (caller.officer if proof.channel == "counter" else citizen.number) is None:
        raise AccessDenied(
            "the channel is of another: at a counter the assertion's claim act names the officer; elsewhere "
            "the citizen acts, whom their identity provider proves"
        )
    assert request.vouched_by is not None
    evidence = citizen.evidence and Evidence(hub.home, *citizen.evidence)
    recorded = (caller.officer, caller.client_id, request.vouched_by)
    return Proof(proof.channel, proof.reference, *recorded, evidence)
