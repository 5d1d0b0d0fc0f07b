"""What requests about cases and their answers hold, as OpenAPI shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from oncehub.api.v1.bodies import WHOLE_NUMBER, SearchTerms
from oncehub.config.entities import qualified
from oncehub.config.rules import CaseKind
from oncehub.reconcile.stewardship.cases import Case, CaseFile, CaseVerdict

_NULL: JsonDict = {"type": "null"}
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CasesQuery(_Body):
    """Read on `after` the number of the last case held; `closed` ones too, if wanted."""

    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    closed: bool = False


class CaseHead(BaseModel):
    """A case without what it is about; the next decision must name `last_decision` as what it follows.

    `approved_by`: of a correction request, the decision that approved it; it waits for its source.
    """

    case: int
    kind: CaseKind
    source: str
    stream: str
    opened_at: datetime
    closed_at: datetime | None
    closed_because: str | None
    four_eyes: bool
    last_decision: int | None
    approved_by: int | None

    @classmethod
    def of(cls, case: Case) -> CaseHead:
        """Build the head of a case."""
        fields = asdict(case)
        return cls(
            case=fields.pop("case_id"),
            last_decision=fields.pop("decision_id"),
            approved_by=fields.pop("approved_by"),
            **fields,
        )


class CasesAnswer(BaseModel):
    """A page of cases: ask on with `after` = `next`."""

    cases: list[CaseHead]
    next: int
    more: bool


class GoldenValue(BaseModel):
    """What is believed of one person; `equals`: the record states the same."""

    value: Any
    source: str | None
    as_of: str | None
    equals: bool


class ComparedAttribute(BaseModel):
    """One attribute side by side; `golden_values` in the order of the people."""

    attribute: str
    source_value: Any
    golden_values: list[GoldenValue]


class EvidenceWeight(BaseModel):
    """One bar of the waterfall chart: +1 bit doubles the odds that they are one person, -1 halves them."""

    comparison: str
    level: str
    bits: float


class NamedPerson(BaseModel):
    """Somebody of whom the record may speak; with what the model that asks made of them, if one did."""

    person: str
    probability: float | None = None
    weights: list[EvidenceWeight] = []


class DecisionLine(BaseModel):
    """A decision on the case; `person` where it names one whom the case names."""

    decision: int
    verdict: CaseVerdict
    person: str | None
    reason: str
    decided_by: str
    decided_at: datetime
    takes_effect: bool


class CaseAnswer(BaseModel):
    """A case with the evidence, as far as the agreement covers it."""

    case: CaseHead
    source_key: str
    stated_at: str | None
    people: list[NamedPerson]
    evidence: dict[str, Any]
    attributes: list[ComparedAttribute]
    decisions: list[DecisionLine]
    request_id: str

    @classmethod
    def of(cls, file: CaseFile, names: Mapping[str, str], request_id: str) -> CaseAnswer:
        """Build the answer; `names` gives the pseudonym of every person named."""
        weighed = {each.person_key: each for each in file.candidates}
        people = [
            NamedPerson(
                person=names[key],
                probability=weighed[key].probability if key in weighed else None,
                weights=[EvidenceWeight(**asdict(weight)) for weight in weighed[key].weights]
                if key in weighed
                else [],
            )
            for key in file.people
        ]
        return cls(
            case=CaseHead.of(file.case),
            source_key=file.source_key,
            stated_at=file.stated_at,
            people=people,
            evidence=file.evidence,
            attributes=[
                ComparedAttribute(
                    attribute=qualified(row.attribute),
                    source_value=row.source_value,
                    golden_values=[GoldenValue(**asdict(held)) for held in row.golden_values],
                )
                for row in file.compared
            ],
            decisions=[
                DecisionLine(
                    decision=each.decision_id,
                    verdict=each.verdict,
                    person=names.get(each.person_key or ""),
                    reason=each.reason,
                    decided_by=each.decided_by,
                    decided_at=each.decided_at,
                    takes_effect=each.takes_effect,
                )
                for each in file.decisions
            ],
            request_id=request_id,
        )


class DecisionRequest(_Body):
    """A decision: `person` is one of the case's, with `same`; `search` finds another, with `other`.

    `uphold` and `reject` decide a correction request; the reason of rejecting one is told to the citizen.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"verdict": {"const": "same"}, "search": _NULL}},
                {"properties": {"verdict": {"const": "different"}, "search": _NULL, "person": _NULL}},
                {
                    "properties": {
                        "verdict": {"const": "other"},
                        "search": {"type": "object"},
                        "person": _NULL,
                    },
                    "required": ["search"],
                },
            ]
        }
    )

    verdict: CaseVerdict
    reason: Annotated[str, Field(min_length=1, max_length=2000, json_schema_extra={"pattern": _ONE_LINE})]
    person: Annotated[str, Field(max_length=64)] | None = None
    search: SearchTerms | None = None
    last_decision: Annotated[int, Field(ge=1, lt=2**63), WHOLE_NUMBER] | None = None

    @model_validator(mode="after")
    def _named_once(self) -> DecisionRequest:
        if (self.search is not None) != (self.verdict == "other") or (self.person and self.verdict != "same"):
            raise ValueError("give search with other, person with same, neither with different")
        return self


class DecisionAnswer(BaseModel):
    """What was decided; without effect while another officer must confirm it."""

    decision: int
    takes_effect: bool
    request_id: str
