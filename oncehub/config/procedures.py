"""`mappings/procedures/*.yaml`: versions of each procedure's form, its items, and their sources."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from pydantic import Field, StringConstraints, model_validator

from oncehub.config.agreements import AttributeName, LegalBasis, ProcedureId
from oncehub.config.connector import Name
from oncehub.config.documents import Document, Section
from oncehub.config.entities import qualified
from oncehub.config.quantities import Age

ComponentCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9.-]{0,39}$")]
"""Mã thành phần hồ sơ: the code of a paper in a dossier, as the portal states it."""

ResultCode = Annotated[str, StringConstraints(pattern=r"^KQ\.[A-Z0-9]+(\.[A-Z0-9]+)+$")]
"""Mã giấy tờ kết quả: the code of a procedure's result, e.g. `KQ.G07.000122`."""

HOUSEHOLD_MEMBERS: Final = "household_members"
"""The one relation that leads to several people: those with the same head of household.

Luật Căn cước 26/2023/QH15 Điều 9: the register keeps the names and numbers of the head and of the members."""


def relationship_attribute(relation: str) -> AttributeName:
    """Return the attribute that names the relative, e.g. `person.father`; of a household, its head."""
    return "person.household_head" if relation == HOUSEHOLD_MEMBERS else qualified(relation)


class Text(Section):
    """A text in Vietnamese, and in English where there is a translation."""

    vi: str
    en: str | None = None


class Dated(Section):
    """Something valid from `from` to `until`, both inclusive; a bound that is absent is open."""

    since: date | None = Field(None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Dated:
        if self.since and self.until and self.until < self.since:
            raise ValueError("until lies before from")
        return self

    def holds(self, day: date) -> bool:
        """Tell whether it holds on `day`."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


class Form(LegalBasis):
    """A version of a procedure's form: its name, the legal text that prescribes it, and its days of use."""

    name: str

    @model_validator(mode="after")
    def _ordered(self) -> Form:
        if self.until and self.until < self.since:
            raise ValueError("until lies before from")
        return self


class FormerCode(Dated):
    """An earlier code of the procedure; `until` is its last day, absent where it is not known."""

    code: ProcedureId


class Paper(Section):
    """An earlier paper that replaces a new one: a procedure's result, or a component of a dossier.

    Attributes:
        result: code of the result that replaces it (mã kết quả thay thế).
        component: code of the paper within dossiers of these `procedures`.
    """

    result: ResultCode | None = None
    component: ComponentCode | None = None
    procedures: tuple[ProcedureId, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> Paper:
        if (self.result is None) == (self.component is None):
            raise ValueError("give either result, or component with procedures")
        if (self.component is None) != (not self.procedures):
            raise ValueError("component goes with procedures: codes of components are a procedure's own")
        return self


class Item(Dated):
    """One item of a form: filled from `attribute`, of the person or of a relative, or given by the citizen.

    Attributes:
        attributes: instead of `attribute`, for `household_members`: the attributes listed for each member.
        of: the relative whose attribute it is, by the attribute of the person that names the relative
            (`father`, `spouse`, …); or `household_members`.
        ask: the question to the citizen, for an item that the hub cannot fill.
        even_if_deceased: a relative's value is filled although the relative is not living.
        confirm: the citizen must confirm the filled value (it may be out of date by nature).
        max_age: a value stated, or a paper decided, longer ago is not used.
        replaced_by: earlier papers of the person; any of them replaces the paper that the form requests.
    """

    title: Text
    attribute: AttributeName | None = None
    attributes: tuple[AttributeName, ...] = ()
    of: Name | None = None
    even_if_deceased: bool = False
    confirm: bool = False
    ask: Text | None = None
    max_age: Age | None = None
    replaced_by: tuple[Paper, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> Item:
        if [self.attribute is None, not self.attributes, self.ask is None].count(False) != 1:
            raise ValueError("give either attribute (filled from the hub) or ask")
        if self.ask and self.confirm:
            raise ValueError("confirm goes with attribute; an asked item is confirmed by answering")
        if self.of and self.ask:
            raise ValueError("of goes with attribute: say which of the relative's")
        if bool(self.attributes) != (self.of == HOUSEHOLD_MEMBERS):
            raise ValueError(
                f"attributes goes with of: {HOUSEHOLD_MEMBERS}, which leads to several people; all else has "
                "an attribute"
            )
        if self.even_if_deceased and (not self.of or self.attributes):
            raise ValueError("even_if_deceased goes with of one relative: no form is filled for the dead")
        if self.replaced_by and not self.ask:
            raise ValueError("replaced_by goes with ask: it replaces a paper that the form requests")
        if self.max_age and not (self.fills or self.replaced_by):
            raise ValueError("max_age goes with attribute or replaced_by: an answer has no age")
        return self

    @property
    def fills(self) -> tuple[AttributeName, ...]:
        """Attributes, of the person or of the relative, that fill it; empty where the citizen gives it."""
        return self.attributes or ((self.attribute,) if self.attribute else ())


class Procedure(Document):
    """An administrative procedure (thủ tục hành chính) and the items of its form.

    Attributes:
        code: mã thủ tục hành chính; absent where it is not known, then the hub assigns `id`.
        former: earlier codes of the procedure.
        service: number among the 25 essential services.
        owner: the agency that is responsible today, by its usual abbreviation.
        forms: versions of the form; exactly one is in use on every day from the first version on.
        items: of all versions; an item with dates belongs only to versions used on these dates.
    """

    code: Annotated[str, StringConstraints(pattern=r"^[0-9]\.[0-9]{6}$")] | None = None
    former: tuple[FormerCode, ...] = ()
    service: Annotated[int, Field(ge=1, le=25)]
    name: Text
    owner: str
    forms: Annotated[tuple[Form, ...], Field(min_length=1)]
    items: Annotated[dict[Name, Item], Field(min_length=1)]

    @property
    def id(self) -> ProcedureId:
        """Its identifier: the code, else `dvctt-` (dịch vụ công trực tuyến) and the service's number."""
        return self.code or f"dvctt-{self.service:02}"

    def form_on(self, day: date) -> Form | None:
        """Return the version of the form for a dossier of `day`; None before the first version."""
        return next((form for form in self.forms if form.in_force(day)), None)

    def items_on(self, day: date) -> dict[str, Item]:
        """Return the items that the form of `day` has, in their order."""
        return {name: item for name, item in self.items.items() if item.holds(day)}
