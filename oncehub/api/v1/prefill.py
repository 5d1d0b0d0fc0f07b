"""Prefill: a procedure's form, filled for one person."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.exceptions import RequestValidationError
from pydantic import AliasPath, BaseModel, ConfigDict, Field

from oncehub.api.core.audited_request import RequestId, TheCaller, audited_request
from oncehub.api.core.hub import TheHub
from oncehub.api.http.bodies import DAY, NAME, Answer, Body, SearchTerms
from oncehub.api.http.description import answers
from oncehub.api.http.terms import require_search_terms
from oncehub.api.v1.people import Label
from oncehub.config.procedures import Procedure
from oncehub.share.agreements.permissions import require_procedure, require_search, today
from oncehub.share.agreements.procedures import named
from oncehub.share.forms.item_values import Reason
from oncehub.share.forms.prefill import FormRequest, prefill
from oncehub.share.forms.submissions import Opening, note_form
from oncehub.share.people.confidence import Level

router = APIRouter(prefix="/v1", tags=["procedures"])


class PrefillRequest(Body):
    """Whose form to fill; `on`, the day of the dossier, selects the form's version; today by default."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"search": {"person.personal_id": "001084000999"}}]}
    )

    search: SearchTerms
    on: Annotated[date, DAY] | None = Field(
        None, description="The dossier's day, no later than today in Vietnam"
    )


def _of_kept_paper(name: str) -> Any:
    return Field(validation_alias=AliasPath("kept", name))


class Confidence(Answer):
    """Confidence in a value: its level, the number of sources that state it, and its weight today.

    `weight` is greater than 0 and at most 1; it is null for a value of an authority, which is not weighed.
    """

    level: Level
    sources: int
    weight: float | None


class FilledItem(Answer):
    """A filled item; `confirm`: the citizen must confirm it; `disputed`: another source states another value.

    `value` is a text, an object for a composite attribute, or, for the members of a household, a sorted list
    with one object a member, empty for a person who lives alone. For a list, `source` and `confidence` are
    those of the part with the lowest confidence, and `as_of` is that of the oldest part. `labels` is what a
    coded value is called, of an address the names of its commune and province, and of a list one object a
    member, with labels by attribute; null where there are none.
    """

    title: str
    value: str | dict[str, str | None] | list[dict[str, str]]
    labels: Label | list[dict[str, Label]] | None
    source: str | None
    as_of: str | None
    confidence: Confidence
    confirm: bool
    disputed: bool


class ReusablePaper(Answer):
    """A paper that need not be submitted again: where the earlier one is, or the result that replaces it."""

    title: str
    dossier: str = _of_kept_paper("dossier")
    file: str = _of_kept_paper("file")
    result: str | None = _of_kept_paper("result")
    component: str | None = _of_kept_paper("component")
    procedure: str = _of_kept_paper("procedure_code")
    decided_at: datetime | None = _of_kept_paper("decided_at")


class MissingItem(Answer):
    """An item to ask the citizen for, and the reason."""

    title: str
    reason: Reason
    question: str | None


class ProcedureHead(BaseModel):
    """The procedure, and the version of its form that was in use on the day.

    `code` is null where the procedure's code (mã thủ tục hành chính) is not known; `legal` names the text
    that lays the form down.
    """

    id: str
    code: str | None
    name: str
    owner: str
    form: str
    legal: list[str]
    on: date


class PrefillAnswer(Answer):
    """A procedure's form: every item is in `items`, `papers` or `missing_items`."""

    procedure: ProcedureHead
    items: dict[str, FilledItem]
    papers: dict[str, ReusablePaper]
    missing_items: dict[str, MissingItem]
    request_id: str


@router.post("/procedures/{code}/prefill", operation_id="prefillProcedure", responses=answers(404, 409))
def fill(
    code: Annotated[str, Path(pattern=NAME)],
    body: PrefillRequest,
    hub: TheHub,
    caller: TheCaller,
    request_id: RequestId,
) -> PrefillAnswer:
    """Fill a procedure's form for one person: filled items, reusable papers, and missing items."""
    require_search_terms(body.search, hub.attributes)
    day = dossier_day(body.on)
    known = named(hub.procedures, code)
    with audited_request(
        hub, caller, request_id, "prefill", procedure=known.id if known else None
    ) as request:
        procedure = require_procedure(request.agreement, known, code, day)
        require_search(request.agreement, body.search)
        wanted = FormRequest(procedure, day, request.agreement)
        opened = request.open_living(wanted, body.search)
        form = prefill(request.connection, opened, wanted, hub.confidence, hub.labels)
        request.attributes, request.relatives = form.released, form.relatives
        if request.agreement.submissions:
            opening = Opening(request_id, caller.client_id, request.agreement)
            note_form(request.connection, hub.pseudonym_key, opening, wanted, form)
        return PrefillAnswer.model_validate(
            vars(form) | {"procedure": head(procedure, day), "request_id": str(request_id)}
        )


def dossier_day(on: date | None) -> date:
    """Return the day that selects the form of a dossier: its own day, or today in Vietnam.

    Raises:
        RequestValidationError: when it is in the future.
    """
    if on and on > today():
        fault = {"type": "value_error", "loc": ("body", "on"), "msg": "lies in the future"}
        raise RequestValidationError([fault])
    return on or today()


def head(procedure: Procedure, day: date) -> ProcedureHead:
    """Return the head of a procedure that had a form on `day`."""
    form = procedure.form_on(day)
    return ProcedureHead(
        id=procedure.id,
        code=procedure.code,
        name=procedure.name.vi,
        owner=procedure.owner,
        form=form.name if form else "",
        legal=[form.text] if form else [],
        on=day,
    )
