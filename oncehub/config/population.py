"""Of whom an agreement lets its agency ask: conditions on attributes of the person."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from oncehub.config.documents import Section

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
ProvinceCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]
CommuneCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]

REFORMED = date(2025, 7, 1)
"""First day of the catalogue of 34 provinces and 3,321 communes (Nghị quyết 202/2025/QH15)."""


class Condition(Section):
    """What an attribute must be; what is not held, or cannot be placed for certain, fulfils none.

    Attributes:
        one_of: a code: one of these.
        province: an address: in one of these, by their 2-digit codes.
        commune: an address: in one of these, by their 5-digit codes.
        edition: first day of the catalogue of administrative units that the codes are read in; an address
            coded by another catalogue is followed through the reform.
    """

    one_of: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    province: Annotated[tuple[ProvinceCode, ...], Field(min_length=1)] | None = None
    commune: Annotated[tuple[CommuneCode, ...], Field(min_length=1)] | None = None
    edition: date = REFORMED

    @model_validator(mode="after")
    def _one(self) -> Condition:
        if sum(given is not None for given in (self.one_of, self.province, self.commune)) != 1:
            raise ValueError("give exactly one of one_of, province and commune")
        return self
