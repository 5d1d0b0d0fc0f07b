"""What requests about consents and their answers hold, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from oncehub.api.http.description import KNOWN
from oncehub.api.v1.bodies import MOMENT, SearchTerms
from oncehub.config.agreements import AgreementName
from oncehub.share.consent.consents import Channel, Consent

Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._:/-]{5,99}$")]
"""Of a transaction or a paper, a letter first: a number as citizens have is none."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConsentProof(_Body):
    """Where it can be proven; at a counter the assertion's `act` names the officer."""

    channel: Channel
    reference: Reference


class ConsentText(_Body):
    """The text that was shown: its version, and SHA-256 of its bytes in hexadecimal."""

    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ConsentRequest(_Body):
    """A citizen's consent: to which agreement, for its purpose, each attribute by name."""

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


class ConsentAnswer(BaseModel):
    """The consent's id, by which it is withdrawn."""

    consent: str
    request_id: str


class ConsentQuery(_Body):
    """Whose consents to show."""

    search: SearchTerms


class ConsentLine(BaseModel):
    """A consent; it holds while it is not withdrawn."""

    consent: str
    agreement: str
    purpose: str
    attributes: list[str]
    text_version: str
    given_at: datetime
    withdrawn_at: datetime | None

    @classmethod
    def of(cls, consent: Consent) -> ConsentLine:
        """Build the line of a consent."""
        fields = vars(consent).copy()
        return cls(consent=fields.pop("consent_id"), **fields)


class ConsentsAnswer(BaseModel):
    """A citizen's consents, the first first."""

    consents: list[ConsentLine]
    request_id: str


class WithdrawalRequest(_Body):
    """When the citizen withdrew it, and what proves it."""

    withdrawn_at: Annotated[AwareDatetime, MOMENT]
    proof: ConsentProof


class WithdrawalAnswer(BaseModel):
    """Since when it holds no more, and by when the agency answers the citizen and has followed it."""

    consent: str
    withdrawn_at: datetime
    answer_by: date
    due_on: date
    request_id: str
