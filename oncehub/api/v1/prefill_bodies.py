"""What requests for a procedure's form and their answers hold, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from oncehub.api.v1.bodies import DAY, SearchTerms, Value
from oncehub.share.forms import prefill as filled_form
from oncehub.share.forms.item_values import Reason
from oncehub.share.people.confidence import Level


class PrefillRequest(BaseModel):
    """Whose form to fill; `on`: the day of the dossier, today where absent, whose form it is answered by."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"search": {"person.personal_id": "001084000999"}}]}
    )

    search: SearchTerms
    on: Annotated[date, DAY] | None = Field(
        None, description="The dossier's day, no later than today in Vietnam"
    )


class Confidence(BaseModel):
    """Confidence in a value: its level, the number of sources that state it, and its weight today.

    `weight` is greater than 0 and at most 1; it is null for a value of an authority, which is not weighed.
    """

    level: Level
    sources: int
    weight: float | None


class FilledItem(Value):
    """A filled item: `confirm` by the citizen; `disputed` when another source states a different value.

    `value` is a text, an object for a composite attribute, or, for the members of a household, a sorted list
    with one object a member, empty for a person who lives alone. For a list, `source` and `confidence` are
    those of the part with the lowest confidence, and `as_of` is that of the oldest part.
    """

    value: str | dict[str, str | None] | list[dict[str, str]]
    title: str
    confidence: Confidence
    confirm: bool
    disputed: bool

    @classmethod
    def of(cls, item: filled_form.FilledItem) -> FilledItem:
        """Build it of what the hub filled."""
        return cls(**{**vars(item), "confidence": Confidence(**vars(item.confidence))})


class ReusablePaper(BaseModel):
    """A paper that need not be handed in again: where an earlier one is, and what result replaces it."""

    title: str
    dossier: str
    file: str
    result: str | None
    component: str | None
    procedure: str
    decided_at: datetime | None

    @classmethod
    def of(cls, paper: filled_form.ReusablePaper) -> ReusablePaper:
        """Build it of what the hub found."""
        kept = paper.kept
        return cls(
            title=paper.title,
            dossier=kept.dossier,
            file=kept.file,
            result=kept.result,
            component=kept.component,
            procedure=kept.procedure_code,
            decided_at=kept.decided_at,
        )


class MissingItem(BaseModel):
    """An item still to ask, and why."""

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


class PrefillAnswer(BaseModel):
    """A procedure's form: every item is filled, a paper that is there already, or still to ask."""

    procedure: ProcedureHead
    items: dict[str, FilledItem]
    papers: dict[str, ReusablePaper]
    missing_items: dict[str, MissingItem]
    request_id: str
