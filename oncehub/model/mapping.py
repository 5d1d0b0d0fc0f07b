"""`mappings/sources/<source>/<stream>.yaml`: which source field goes where, through which transforms."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, RootModel, model_validator

from oncehub.model.documents import Document, Part
from oncehub.model.reading import RecordPath

Transform = str | dict[str, Any]
"""A transform's name, or `{name: arguments}` with one value or a list."""


class Pick(Part):
    """Choose one object of a list: the first whose `where` equals `equals`; take its field `take`."""

    where: RecordPath
    equals: str
    take: RecordPath


class Condition(Part):
    """Holds when the record's `field` equals `equals`, or is one of `one_of`."""

    field: RecordPath
    equals: str | int | bool | None = None
    one_of: tuple[str | int | bool, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> Condition:
        if (self.equals is None) == (self.one_of is None):
            raise ValueError("give either equals or one_of")
        return self


class FieldRule(Part):
    """How one attribute's value is made.

    Exactly one of `from`, `join` and `value`; then `pick`, `if_present`, `via` in order, and last `codes`.

    Attributes:
        source: `from`: one path, or several of which the first that is present counts.
        join: paths joined by single spaces, absent ones left out.
        value: a constant.
        pick: choose from a list.
        if_present: the value counts only where this other field is present.
        via: transforms in order.
        codes: name of a code list under `mappings/codes/`; an unknown code is a failure.
    """

    source: RecordPath | Annotated[tuple[RecordPath, ...], Field(min_length=1)] | None = Field(
        default=None, alias="from"
    )
    join: Annotated[tuple[RecordPath, ...], Field(min_length=1)] | None = None
    value: str | int | bool | None = None
    pick: Pick | None = None
    if_present: RecordPath | None = None
    via: tuple[Transform, ...] = ()
    codes: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> FieldRule:
        if sum(origin is not None for origin in (self.source, self.join, self.value)) != 1:
            raise ValueError("give exactly one of from, join and value")
        if self.pick and not isinstance(self.source, str):
            raise ValueError("pick needs one path in from")
        return self


class EntityMapping(Part):
    """One entity made of each record (or of each object of the list at `each`).

    In YAML the attributes stand beside the reserved keys `when` and `each`.
    An attribute of a composite is written with a dot: `permanent_address.unit`.
    """

    when: Condition | None = None
    each: RecordPath | None = None
    attributes: Annotated[dict[str, FieldRule], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "attributes" in content:
            return content
        reserved = {key: content[key] for key in ("when", "each") if key in content}
        rest = {key: value for key, value in content.items() if key not in reserved}
        return {**reserved, "attributes": rest}


class StreamMapping(Document, RootModel[dict[str, EntityMapping]]):
    """Entities made of one stream's records, by entity name."""

    model_config = ConfigDict(extra=None, frozen=True)

    @property
    def entities(self) -> dict[str, EntityMapping]:
        """The entity mappings by entity name, in file order."""
        return self.root


class CodeList(Document):
    """`mappings/codes/<name>.yaml`: a source's codes and what they mean here.

    Attributes:
        values: source code -> canonical value; null where the source says it does not know.
    """

    title: str
    source: str
    values: dict[str, str | bool | None]
