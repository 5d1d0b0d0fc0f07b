"""`mappings/sources/<source>/<stream>.yaml`: which source field goes where, through which transforms."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, RootModel, model_validator

from oncehub.config.documents import Document, Section
from oncehub.config.entities import Entity
from oncehub.config.reading import DottedPath, RecordPath

Transform = str | dict[str, Any]
"""A transform's name, or `{name: arguments}` with one value or a list."""


class Pick(Section):
    """Choose one object of a list: the first whose `where` equals `equals`; take its field `take`."""

    where: DottedPath
    equals: str
    take: DottedPath


class Condition(Section):
    """Holds when the record's `field` equals `equals`, or is one of `one_of`."""

    field: RecordPath
    equals: str | int | bool | None = None
    one_of: tuple[str | int | bool, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> Condition:
        if (self.equals is None) == (self.one_of is None):
            raise ValueError("give either equals or one_of")
        return self


class Coding(Section):
    """The code list that makes the value, and for codes with validity the day that decides.

    Attributes:
        name: `list`: a code list under `mappings/codes/`; an unknown code is a failure.
        as_of: the field with the day that decides which meaning is valid; by default the time of statement.
        form: the form of that field, as the transforms `date` and `datetime` name it.
    """

    name: str = Field(alias="list")
    as_of: RecordPath | None = None
    form: str = "yyyy-MM-dd"


def _coding(written: Any) -> Any:
    return {"list": written} if isinstance(written, str) else written


class FieldRule(Section):
    """How one attribute's value is made.

    Exactly one of `from`, `join` and `value`; then `pick`, `if_present`, `via` in order, and last `codes`.

    Attributes:
        source: `from`: one path, or several of which the first that is present counts.
        join: paths joined by single spaces, absent ones left out.
        value: a constant.
        pick: choose from a list.
        if_present: the value counts only where this other field is present.
        via: transforms in order.
        codes: name of a code list under `mappings/codes/`, or `{list, as_of, form}`; see `Coding`.
    """

    source: RecordPath | Annotated[tuple[RecordPath, ...], Field(min_length=1)] | None = Field(
        default=None, alias="from"
    )
    join: Annotated[tuple[RecordPath, ...], Field(min_length=1)] | None = None
    value: str | int | bool | None = None
    pick: Pick | None = None
    if_present: RecordPath | None = None
    via: tuple[Transform, ...] = ()
    codes: Annotated[Coding, BeforeValidator(_coding, json_schema_input_type=str | Coding)] | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> FieldRule:
        if sum(origin is not None for origin in (self.source, self.join, self.value)) != 1:
            raise ValueError("give exactly one of from, join and value")
        if self.pick and not isinstance(self.source, str):
            raise ValueError("pick needs one path in from")
        return self


class EntityMapping(Section):
    """One entity made of each record (or of each object of the list at `each`).

    In YAML the attributes stand beside the reserved keys `when`, `each` and `partial`.
    An attribute of a composite is written with a dot: `permanent_address.unit`.

    Attributes:
        partial: records state single attributes of a person, so required attributes may be absent.
    """

    when: Condition | None = None
    each: DottedPath | None = None
    partial: bool = False
    attributes: Annotated[dict[str, FieldRule], Field(min_length=1)]

    def requires(self, entity: Entity) -> tuple[str, ...]:
        """Return the attributes that every row must have, the item key included."""
        own = (entity.item_key,) if entity.item_key else ()
        return tuple(dict.fromkeys([*(() if self.partial else entity.required), *own]))

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "attributes" in content:
            return content
        reserved = {key: content[key] for key in ("when", "each", "partial") if key in content}
        rest = {key: value for key, value in content.items() if key not in reserved}
        return {**reserved, "attributes": rest}


class StreamMapping(Document, RootModel[dict[str, EntityMapping]]):
    """Entities made of one stream's records, by entity name."""

    model_config = ConfigDict(extra=None, frozen=True)

    @property
    def entities(self) -> dict[str, EntityMapping]:
        """The entity mappings by entity name, in file order."""
        return self.root


class Meaning(Section):
    """What a code means, and from which day to which, both inclusive; null means unknown."""

    means: str | bool | None
    since: date | None = Field(default=None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.since and self.until and self.until < self.since:
            raise ValueError("until lies before from")
        return self

    @property
    def days(self) -> tuple[date, date]:
        """First and last day."""
        return self.since or date.min, self.until or date.max


def _meanings(written: Any) -> Any:
    if isinstance(written, list):
        return written
    return [written if isinstance(written, dict) else {"means": written}]


def _one_a_day(meanings: tuple[Meaning, ...]) -> tuple[Meaning, ...]:
    for (_, until), (since, _) in pairwise(sorted(meaning.days for meaning in meanings)):
        if since <= until:
            raise ValueError(f"two meanings are valid on {since}; end one before the other begins")
    return meanings


class CodeList(Document):
    """`mappings/codes/<name>.yaml`: a source's codes and what they mean here.

    Attributes:
        values: source code -> its meanings, of which one at most is valid on any day. Written as the
            canonical value, as `{means, from, until}`, or as a list of those.
    """

    title: str
    source: str
    values: dict[
        str,
        Annotated[
            tuple[Meaning, ...],
            Field(min_length=1),
            AfterValidator(_one_a_day),
            BeforeValidator(_meanings, json_schema_input_type=str | bool | None | Meaning | list[Meaning]),
        ],
    ]
