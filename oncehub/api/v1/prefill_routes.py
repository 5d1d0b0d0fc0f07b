"""The endpoint that fills forms."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.exceptions import RequestValidationError

from oncehub.api.core.audited_request import inquiry
from oncehub.api.core.hub import TheHub
from oncehub.api.http.description import answers
from oncehub.api.http.terms import require_search_terms
from oncehub.api.v1.prefill_bodies import (
    FilledItem,
    MissingItem,
    PrefillAnswer,
    PrefillRequest,
    ProcedureHead,
    ReusablePaper,
)
from oncehub.api.v1.routes import RequestId, TheCaller
from oncehub.config.procedures import Procedure
from oncehub.share.agreements.permissions import require_procedure, require_search, today
from oncehub.share.agreements.procedures import named
from oncehub.share.forms.prefill import FormRequest, prefill
from oncehub.share.forms.submissions import Opening, note_form

router = APIRouter(prefix="/v1", tags=["procedures"])


@router.post("/procedures/{code}/prefill", operation_id="prefillProcedure", responses=answers(404, 409))
def fill(
    code: Annotated[str, Path(max_length=40)],
    body: PrefillRequest,
    hub: TheHub,
    caller: TheCaller,
    request_id: RequestId,
) -> PrefillAnswer:
    """Answer a procedure's form for one person: what is filled, which papers are there, what is to ask."""
    require_search_terms(body.search, hub.attributes)
    day = dossier_day(body.on)
    known = named(hub.procedures, code)
    with inquiry(hub, caller, request_id, "prefill", procedure=known.id if known else None) as asked:
        procedure = require_procedure(asked.agreement, known, code, day)
        require_search(asked.agreement, body.search)
        wanted = FormRequest(procedure, day, asked.agreement)
        person = asked.find_living(wanted, body.search)
        form = prefill(asked.connection, person, wanted, hub.confidence)
        asked.attributes, asked.relatives = form.released, form.relatives
        if asked.agreement.submissions:
            opening = Opening(request_id, caller.client_id, asked.agreement)
            note_form(asked.connection, hub.pseudonym_key, opening, wanted, form)
        return PrefillAnswer(
            procedure=head(procedure, day),
            items={name: FilledItem.of(item) for name, item in form.items.items()},
            papers={name: ReusablePaper.of(paper) for name, paper in form.papers.items()},
            missing_items={name: MissingItem(**vars(item)) for name, item in form.missing_items.items()},
            request_id=str(request_id),
        )


def dossier_day(on: date | None) -> date:
    """Return the day whose form answers a dossier: its own, else today in Vietnam.

    Raises:
        RequestValidationError: when it lies in the future.
    """
    if on and on > today():
        fault = {"type": "value_error", "loc": ("body", "on"), "msg": "lies in the future"}
        raise RequestValidationError([fault])
    return on or today()


def head(procedure: Procedure, day: date) -> ProcedureHead:
    """Return what an answer tells of a procedure that had a form on `day`."""
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
