"""Submissions: what a citizen confirmed, corrected and answered on a prefilled form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from oncehub.api.core.audited_request import AuditedRequest, RequestId, TheCaller, audited_request
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.core.vouching import EvidenceToken, TheBody, vouched_citizen
from oncehub.api.http.bodies import NAME, Body, SearchTerms
from oncehub.api.http.description import answers
from oncehub.api.http.terms import require_search_terms
from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.config.procedures import Procedure
from oncehub.errors import Fault, SubmissionInvalid, SubmissionRefused
from oncehub.share.agreements.permissions import (
    require_own,
    require_procedure,
    require_search,
    require_submissions,
    today,
)
from oncehub.share.agreements.procedures import named
from oncehub.share.agreements.submission_routing import Desk, Record
from oncehub.share.forms.prefill import FormRequest
from oncehub.share.forms.submission_answers import Answer, Answers, Kind
from oncehub.share.forms.submissions import (
    OpenForm,
    Opening,
    Submitted,
    content_digest,
    find_open_form,
    require_open,
    require_unchanged,
    take,
)
from oncehub.share.people.lookup import Opened, Person

router = APIRouter(prefix="/v1", tags=["procedures"])


DossierCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
"""Mã hồ sơ (dossier code), or the portal's own reference before there is one."""


class GivenAnswer(Body):
    """The answer to one item.

    `confirmed`: the value shown is right. `corrected`: `value` is right instead. `answered`: `value` is the
    answer to a missing item; an item that is not an attribute of the person needs no value, as the hub does
    not keep it. `none`: there is no value. A value is written as on the form: `+84912000001`, `2026-01-31`,
    all parts of a composite, a list of objects for the members of a household.
    """

    kind: Kind
    value: Any = None


class SubmissionRequest(Body):
    """The citizen's answers to a form that the hub filled; other data cannot be submitted.

    `request_id` is that of the prefill; `search` must find the same person.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "request_id": "7d0f5a6e-4a53-4f8e-9d53-1f6b2c7a9e10",
                    "search": {"person.personal_id": "001084000999"},
                    "dossier": "G01.01-261127-0001",
                    "answers": {
                        "phone": {"kind": "corrected", "value": "+84912000001"},
                        "email": {"kind": "confirmed"},
                        "request": {"kind": "answered"},
                        "other_name": {"kind": "none"},
                    },
                }
            ]
        },
    )

    request_id: UUID
    search: SearchTerms
    dossier: DossierCode
    answers: Annotated[dict[str, GivenAnswer], Field(max_length=200)]
    evidence: EvidenceToken = None


class SubmissionAnswer(BaseModel):
    """The accepted submission; submitting the same again returns the same answer.

    `kept` lists the items that the hub keeps, each as a record of the agency's source once it has landed;
    all other items stay with the agency only. `request_id` is that of the first request.
    """

    submission: str
    kept: list[str]
    submitted_at: datetime
    request_id: str


_NO_FORM = Fault(("request_id",), "is not of a form that was filled for this client, person and procedure")


@router.post(
    "/procedures/{code}/submissions",
    status_code=202,
    operation_id="submitAnswers",
    responses=answers(404, 409),
)
def submit(
    code: Annotated[str, Path(pattern=NAME)],
    body: SubmissionRequest,
    sent: TheBody,
    *,
    hub: TheHub,
    caller: TheCaller,
    request_id: RequestId,
) -> SubmissionAnswer:
    """Submit the answers to a form; the kept ones become records of the agency's source."""
    require_search_terms(body.search, hub.attributes)
    known = named(hub.procedures, code)
    with audited_request(
        hub, caller, request_id, "submission", procedure=known.id if known else None
    ) as request:
        require_submissions(request.agreement)
        citizen = vouched_citizen(hub, request, sent, f"/v1/procedures/{code}/submissions")
        request.open()
        opening = Opening(body.request_id, caller.client_id, request.agreement)
        form = find_open_form(request.connection, opening)
        procedure = require_procedure(request.agreement, known, code, form.day if form else today())
        require_search(request.agreement, body.search)
        require_own(citizen.number, body.search)
        if form is None or form.procedure != procedure.id:
            raise SubmissionInvalid([_NO_FORM])
        returned = _Returned(hub, request, body, opening, procedure)
        opened = returned.opened(form)
        if form.taken is None:
            returned.take(form, opened)
            form = find_open_form(request.connection, opening) or form
        return returned.answer(form)


@dataclass(frozen=True)
class _Returned:
    """The answers to a form of a procedure, within their audited request."""

    hub: Hub
    request: AuditedRequest
    body: SubmissionRequest
    opening: Opening
    procedure: Procedure

    def opened(self, form: OpenForm) -> Opened:
        """Find the person of the form, who is a `Person`, with the attributes that the form may contain."""
        request = self.request
        wanted = FormRequest(self.procedure, form.day, request.agreement)
        opened = request.open_living(wanted, self.body.search)
        assert isinstance(opened.person, Person)
        request.attributes = ()
        if form.person != person_pseudonym(self.hub.pseudonym_key, opened.person.key):
            raise SubmissionInvalid([_NO_FORM])
        return opened

    def take(self, form: OpenForm, opened: Opened) -> None:
        """Check the answers, queue the kept ones for landing, and mark the form as answered."""
        require_open(form)
        person, items_on = opened.person, self.procedure.items_on(form.day)
        assert isinstance(person, Person)
        given = {name: Answer(answer.kind, answer.value) for name, answer in self.body.answers.items()}
        consented = {name for name, believed in person.attributes.items() if believed.consented}
        covered = consented & set(self.request.agreement.attributes)
        given_back = Answers(
            form,
            items_on,
            covered=covered,
            person=self.hub.person,
            given=given,
            most_members=opened.most_members,
        )
        given_back.require_fitting()
        confirmed, stated = given_back.confirmed(), given_back.stated()
        items = confirmed | {name: attribute for name, (attribute, _) in stated.items()}
        self.request.attributes = tuple(sorted(set(items.values())))
        require_unchanged(form, self.hub.pseudonym_key, self.opening.request_id, person, confirmed)
        values = {attribute: person.attributes[attribute].value for attribute in confirmed.values()}
        records = self._records(values | dict(stated.values()), items)
        self.request.attributes = tuple(sorted(records))
        kept = [name for name, attribute in items.items() if attribute in records]
        submitted = Submitted(self.body.dossier, self._digest(), tuple(kept), self.request.vouched_by)
        if take(self.request.connection, self.opening, submitted):
            self._desk.submit(self.request.connection, list(records.values()))

    def answer(self, form: OpenForm) -> SubmissionAnswer:
        """Return the submission that was accepted for the form, from this request or an equal one before."""
        assert form.taken is not None
        if form.taken.digest != self._digest():
            raise SubmissionRefused("the form was already submitted with other answers; have it filled again")
        return SubmissionAnswer(
            submission=str(form.taken.submission_id),
            kept=list(form.taken.kept),
            submitted_at=form.taken.submitted_at,
            request_id=str(self.body.request_id),
        )

    @property
    def _desk(self) -> Desk:
        return self.hub.desks[self.request.agreement.name]

    def _records(self, values: Mapping[str, Any], items: Mapping[str, str]) -> dict[str, Record]:
        """Make records by attribute; a value that would not land is reported as a fault of its item."""
        form = str(self.opening.request_id)
        try:
            return self._desk.records(self.body.search, values, submission=form, procedure=self.procedure.id)
        except SubmissionInvalid as error:
            at = {attribute: name for name, attribute in items.items()}
            faults = [
                Fault(("answers", at[str(fault.place[0])], "value"), fault.detail) for fault in error.faults
            ]
            raise SubmissionInvalid(faults) from None

    def _digest(self) -> bytes:
        content = self.body.model_dump(mode="json", include={"dossier", "answers"})
        return content_digest(self.hub.pseudonym_key, self.opening.request_id, content)
