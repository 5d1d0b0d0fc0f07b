"""What requests for a procedure's form and their answers hold, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from oncehub.api.v1.bodies import DAY, SearchTerms, Value
from oncehub.share.forms.item_values import Reason
from oncehub.share.forms.prefill import FilledItem, SparedPaper
from oncehub.share.people.confidence import Grade


class PrefillRequest(BaseModel):
    """Whose form to fill; `on`: the day of the dossier, today where absent, whose form it is answered by."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"search": {"person.personal_id": "001084000999"}}]}
    )

    search: SearchTerms
    on: Annotated[date, DAY] | None = Field(
        None, description="The dossier's day, no later than today in Vietnam"
    )


class Sure(BaseModel):
    """How sure a value is: on whose word, how many sources state it, and what that word weighs today.

    `weight` is above 0 to 1, and null under an authority, whose word is not weighed.
    """

    grade: Grade
    sources: int
    weight: float | None


class Filled(Value):
    """A filled item: `confirm` by the citizen; `disputed` when another source states a different value.

    `value` is a text, a composite whole, or of the members of a household a list, sorted, empty for who lives
    alone: of each member an object. Of a list `source` and `sure` are those of what in it is the least sure,
    `as_of` is that of the oldest.
    """

    value: str | dict[str, str | None] | list[dict[str, str]]
    title: str
    sure: Sure
    confirm: bool
    disputed: bool

    @classmethod
    def of(cls, item: FilledItem) -> Filled:
        """Build it of what the hub filled."""
        return cls(**{**vars(item), "sure": Sure(**vars(item.sure))})


class Spared(BaseModel):
    """A paper that need not be handed in again: where an earlier one is, and what result replaces it."""

    title: str
    dossier: str
    file: str
    result: str | None
    component: str | None
    procedure: str
    decided_at: datetime | None

    @classmethod
    def of(cls, paper: SparedPaper) -> Spared:
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


class Asked(BaseModel):
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
    items: dict[str, Filled]
    papers: dict[str, Spared]
    ask: dict[str, Asked]
    request_id: str
