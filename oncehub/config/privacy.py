"""`mappings/rules/reveals.yaml` and `deadlines.yaml`: what attributes reveal, and due days of requests."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints, model_validator

from oncehub.config.agreements import AttributeName
from oncehub.config.documents import Document, Section

RequestKind = Literal["withdrawal", "restriction", "objection", "view", "correction", "provision", "erasure"]
"""What a data subject may request: the rights of Luật 91/2025/QH15 Điều 4."""


class Reveal(Section):
    """The attributes `given` together reveal `tells`, or a part of its values.

    Attributes:
        how: the reason, in one sentence.
        source: the legal text that says so; absent where the meaning of the attributes says it.
    """

    given: Annotated[tuple[AttributeName, ...], Field(min_length=1)]
    tells: Annotated[tuple[AttributeName, ...], Field(min_length=1)]
    how: str
    source: str | None = None


class RevealRules(Document):
    """`reveals.yaml`: which attributes reveal others.

    Attributes:
        forms: attributes that a client can infer from whether a form opens.
    """

    reveals: Annotated[tuple[Reveal, ...], Field(min_length=1)]
    forms: tuple[AttributeName, ...] = ()

    def revealed(self, attributes: Collection[str]) -> Iterator[tuple[Reveal, str]]:
        """Give each further attribute that `attributes` reveal, also through another, with its rule."""
        known = set(attributes)
        grown = True
        while grown:
            grown = False
            for reveal in self.reveals:
                for name in reveal.tells:
                    if name not in known and known.issuperset(reveal.given):
                        known.add(name)
                        grown = True
                        yield reveal, name


class Days(Section):
    """Calendar days that the controller and a processor have to carry a request out.

    Attributes:
        processor: of processors and third parties; as the controller where absent.
    """

    controller: Annotated[int, Field(ge=1)]
    processor: Annotated[int, Field(ge=1)] | None = None


class Holidays(Section):
    """Public holidays: days, besides Saturdays and Sundays, that are not working days.

    Attributes:
        yearly: `MM-DD`, the same every year.
        once: days of one year, as the government has announced them.
    """

    yearly: tuple[Annotated[str, StringConstraints(pattern=r"^\d{2}-\d{2}$")], ...] = ()
    once: tuple[date, ...] = ()


class DeadlineRules(Document):
    """`deadlines.yaml`: the deadlines for answering citizens' requests and for carrying them out.

    Attributes:
        source: the decree that sets them.
        answer_working_days: working days until the citizen must receive an answer to the request.
        extension_days: the most days by which a request may be extended, once.
        kinds: calendar days by kind of request; every kind is listed.
    """

    source: str
    answer_working_days: Annotated[int, Field(ge=1)]
    extension_days: Annotated[int, Field(ge=1)]
    kinds: dict[RequestKind, Days]
    holidays: Holidays = Holidays()

    @model_validator(mode="after")
    def _complete(self) -> DeadlineRules:
        if missing := set(get_args(RequestKind)) - set(self.kinds):
            raise ValueError(f"kinds lacks {', '.join(sorted(missing))}")
        return self
