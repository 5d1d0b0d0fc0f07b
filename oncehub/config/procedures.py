"""`mappings/procedures/*.yaml`: what a procedure's form asks, and where each item comes from, day by day."""

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
"""Mã thành phần hồ sơ, as the portal's dossiers state it."""

ResultCode = Annotated[str, StringConstraints(pattern=r"^KQ\.[A-Z0-9]+(\.[A-Z0-9]+)+$")]
"""Mã giấy tờ kết quả: the code of a procedure's result, e.g. `KQ.G07.000122`."""

HOUSEHOLD_MEMBERS: Final = "household_members"
"""The one relation that leads to several people: those of whom the same head of household is believed.

Luật Căn cước 26/2023/QH15 Điều 9: the register holds the names and numbers of a head and of the members."""


def relationship_attribute(relation: str) -> AttributeName:
    """Return the attribute that names the relative, e.g. `person.father`; of a household, its head."""
    return "person.household_head" if relation == HOUSEHOLD_MEMBERS else qualified(relation)


class Text(Section):
    """A text in Vietnamese and English; at least the Vietnamese."""

    vi: str
    en: str | None = None


class Dated(Section):
    """Something that holds from a day until another, both inclusive; without a day, open on that side."""

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
    """A version of a procedure's form: its name, the text that lays it down, and the days it is used."""

    name: str

    @model_validator(mode="after")
    def _ordered(self) -> Form:
        if self.until and self.until < self.since:
            raise ValueError("until lies before from")
        return self


class FormerCode(Dated):
    """A code that led to the procedure before; `until` its last day, absent where the day is not known."""

    code: ProcedureId


class Paper(Section):
    """An earlier paper that spares a new one: one that a result replaces, or a component of a dossier.

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
    """One item of a form: filled from `attribute`, of the person or of a relative, or asked with `ask`.

    Attributes:
        attributes: instead of `attribute`, of `household_members`: what is listed of each.
        of: whose attribute, as an attribute of the person that names somebody: `father`, `spouse`, …; or
            `household_members`.
        even_if_deceased: a relative's value is filled although the relative is not living.
        confirm: the citizen must confirm the filled value (it may be out of date by nature).
        max_age: what was stated, or decided, longer ago is asked anew.
        replaced_by: earlier papers of the person, any of which spares the one that is asked for.
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
            raise ValueError("replaced_by goes with ask: it spares a paper that is asked for")
        if self.max_age and not (self.fills or self.replaced_by):
            raise ValueError("max_age goes with attribute or replaced_by: an answer has no age")
        return self

    @property
    def fills(self) -> tuple[AttributeName, ...]:
        """The attributes that fill it, of the person or of whom `of` leads to; none where it is asked."""
        return self.attributes or ((self.attribute,) if self.attribute else ())


class Procedure(Document):
    """An administrative procedure (thủ tục hành chính) with the items its form asks for.

    Attributes:
        code: mã thủ tục hành chính; absent where it is not known, and then `id` is the hub's own.
        former: codes that it had before.
        service: number among the 25 essential services.
        owner: agency in charge today, by its usual abbreviation.
        forms: versions of the form; exactly one on every day from the first one's on.
        items: of all versions; one with dates belongs to the versions within them.
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
        """Its code, else `dvctt-` (dịch vụ công trực tuyến) and the service's number: what addresses it."""
        return self.code or f"dvctt-{self.service:02}"

    def form_on(self, day: date) -> Form | None:
        """Return the version of the form that a dossier of `day` is answered by."""
        return next((form for form in self.forms if form.in_force(day)), None)

    def items_on(self, day: date) -> dict[str, Item]:
        """Return the items that the form of `day` has, in their order."""
        return {name: item for name, item in self.items.items() if item.holds(day)}
