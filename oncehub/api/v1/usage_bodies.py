"""What citizens ask about themselves, and what they are answered, as OpenAPI shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from oncehub.api.v1.bodies import MOMENT, WHOLE_NUMBER, SearchTerms
from oncehub.share.data_subjects.usage import Usage


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _Answer(BaseModel):
    # As the Data Tracker names its fields.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class UsagePeriod(_Body):
    """From a moment on, and before another: with time zone; without `until`, to now."""

    since: Annotated[Annotated[AwareDatetime, MOMENT] | None, Field(alias="from")] = None
    until: Annotated[AwareDatetime, MOMENT] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.since and self.until and self.until <= self.since:
            raise ValueError("until must lie after from")
        return self


class UsageRequest(_Body):
    """Who looked at the data of the citizen who is named in the token."""

    search: SearchTerms
    period: UsagePeriod = UsagePeriod()
    offset: Annotated[int, Field(ge=0, le=100_000), WHOLE_NUMBER] = 0
    limit: Annotated[int, Field(ge=1, le=500), WHOLE_NUMBER] = 50


class UsageLine(_Answer):
    """One use: `consulted` if it was asked about the citizen, `appeared` if about something else."""

    logtime: datetime
    action: str
    receiver_code: str
    receiver_name: str
    receiver_system: str
    involvement: Literal["consulted", "appeared"]
    outcome: Literal["answered", "not_found", "refused"]
    purpose: str
    legal_basis: str
    procedure: str | None
    attributes: list[str]

    @classmethod
    def of(cls, usage: Usage) -> UsageLine:
        """Build the line of a usage."""
        return cls(**vars(usage) | {"attributes": list(usage.attributes)})


class UsageAnswer(_Answer):
    """A page of usages, the newest first; the next is asked for with this `until`: each look is a usage."""

    total_usages: int
    usages: list[UsageLine]
    until: datetime
    request_id: str
