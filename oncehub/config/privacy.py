"""`mappings/rules/reveals.yaml` and `deadlines.yaml`: what values tell, and by when citizens are answered."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints, model_validator

from oncehub.config.agreements import AttributeName
from oncehub.config.documents import Document, Section

RequestKind = Literal["withdrawal", "restriction", "objection", "view", "correction", "provision", "erasure"]
"""Withdraw consent, restrict, object; see, correct, get, have erased (Luật 91/2025/QH15 Điều 4)."""


class Reveal(Section):
    """Whoever has all of `given` knows `tells`, or a part of it.

    Attributes:
        how: what tells it.
        source: the text that makes it so; absent where it follows from the meaning.
    """

    given: Annotated[tuple[AttributeName, ...], Field(min_length=1)]
    tells: Annotated[tuple[AttributeName, ...], Field(min_length=1)]
    how: str
    source: str | None = None


class RevealRules(Document):
    """`reveals.yaml`: which attributes tell others.

    Attributes:
        forms: what anybody learns who may open a procedure's form.
    """

    reveals: Annotated[tuple[Reveal, ...], Field(min_length=1)]
    forms: tuple[AttributeName, ...] = ()

    def told(self, attributes: Collection[str]) -> Iterator[tuple[Reveal, str]]:
        """Give what `attributes` tell beyond themselves, once each, and by what; what is told tells on."""
        known = set(attributes)
        told = True
        while told:
            told = False
            for reveal in self.reveals:
                for name in reveal.tells:
                    if name not in known and known.issuperset(reveal.given):
                        known.add(name)
                        told = True
                        yield reveal, name


class Days(Section):
    """Calendar days within which a request is carried out, by the controller and by a processor.

    Attributes:
        processor: of processors and third parties; the controller's where absent.
    """

    controller: Annotated[int, Field(ge=1)]
    processor: Annotated[int, Field(ge=1)] | None = None


class Holidays(Section):
    """Days that are no working days beside Saturdays and Sundays.

    Attributes:
        yearly: `MM-DD`, the same every year.
        once: days of single years, as the government has announced them.
    """

    yearly: tuple[Annotated[str, StringConstraints(pattern=r"^\d{2}-\d{2}$")], ...] = ()
    once: tuple[date, ...] = ()


class DeadlineRules(Document):
    """`deadlines.yaml`: by when a citizen's request is answered and carried out.

    Attributes:
        source: the decree.
        answer_working_days: within which the citizen is told what becomes of the request.
        extension_days: at most so many, once.
        kinds: days by kind of request; every kind has some.
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
