"""What a submission and its answer hold, as OpenAPI shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from oncehub.api.v1.bodies import SearchTerms
from oncehub.share.forms.submission_answers import Kind

DossierCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
"""Mã hồ sơ, or the portal's own reference before there is one."""


class GivenAnswer(BaseModel):
    """The answer to one item.

    `confirmed`: the value shown is right. `corrected`: `value` is. `answered`: `value` is what was asked for;
    an item that is no attribute of the person needs none, as the hub does not keep it. `none`: there is
    nothing to give. A value has the form that the form shows: `+84912000001`, `2026-01-31`, a composite
    whole, of the members of a household a list of objects.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    value: Any = None


class SubmissionRequest(BaseModel):
    """What the citizen confirmed, corrected and answered on a form that was filled: nothing else comes back.

    `request_id` is that of the prefill; `search` leads to the same person.
    """

    model_config = ConfigDict(
        extra="forbid",
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


class SubmissionAnswer(BaseModel):
    """What was taken; the same again is answered the same.

    `kept` names the items that the hub keeps, each as a record of the agency's source once it has landed;
    everything else stays with the agency. `request_id` is that of the first request.
    """

    submission: str
    kept: list[str]
    submitted_at: datetime
    request_id: str
