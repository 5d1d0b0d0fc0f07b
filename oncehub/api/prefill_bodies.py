"""What requests for a procedure's form and their answers hold, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from oncehub.api.bodies import SearchTerms, Value
from oncehub.share.prefill import Reason


class PrefillRequest(BaseModel):
    """Whose form to fill; `on`: the day of the dossier, today where absent, whose form it is answered by."""

    model_config = ConfigDict(extra="forbid")

    search: SearchTerms
    on: date | None = Field(None, description="The dossier's day, no later than today in Vietnam")


class Filled(Value):
    """A filled item: `confirm` by the citizen; `disputed` when another source states a different value."""

    title: str
    confirm: bool
    disputed: bool


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
    """A procedure's form: every item is either filled or still to ask."""

    procedure: ProcedureHead
    items: dict[str, Filled]
    ask: dict[str, Asked]
    request_id: str
