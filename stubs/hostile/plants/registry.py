"""Plants by name, and the stages of an answer at which they act."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from starlette.types import ASGIApp

from stubs.hostile.exports import ExportFile
from stubs.hostile.pages import Page, Question
from stubs.hostile.register.register import Entry, LandRegister
from stubs.hostile.variant import Variant
from stubs.hostile.wire import Record

KNOWN: dict[str, type["Plant"]] = {}


class UnknownPlantError(ValueError):
    """A plant that does not exist, or that this variant has no place for."""


@dataclass(frozen=True)
class Turn:
    """One request for data: its number from 1 over the source's life, and what it meets.

    Attributes:
        elsewhere: base URL of a server that is not the source.
    """

    number: int
    variant: Variant
    register: LandRegister
    elsewhere: str
    plants: Sequence["Plant"] = ()


class Plant:
    """One way to misbehave; this one does nothing at any stage.

    Attributes:
        name: what it is asked for by.
        harmless: whether a good reader still gets every record.
        needs: the kind of variant on which it shows, in words; empty for any.
    """

    name: ClassVar[str]
    harmless: ClassVar[bool]
    needs: ClassVar[str] = ""

    def __init_subclass__(cls, *, name: str | None = None, harmless: bool = False) -> None:
        cls.harmless = harmless
        if name is not None:
            cls.name = name
            KNOWN[name] = cls

    @classmethod
    def description(cls) -> str:
        """What it does, in one line."""
        return " ".join((cls.__doc__ or "").split())

    @classmethod
    def fits(cls, _variant: Variant, /) -> bool:
        """Whether it shows on a variant."""
        return True

    def planted(self, register: LandRegister, /) -> None:
        """When it is planted."""

    def answer(self, app: ASGIApp, _turn: Turn, /) -> ASGIApp:
        """Before the source looks at a request: what answers it."""
        return app

    def question(self, question: Question, _turn: Turn, /) -> Question:
        """When the source has understood what is asked for."""
        return question

    def rows(self, rows: Sequence[Entry], _question: Question, /) -> Sequence[Entry]:
        """When the listing has been put together."""
        return rows

    def page(self, page: Page, _turn: Turn, /) -> Page:
        """When a page has been cut from it."""
        return page

    def records(self, records: list[Record], _turn: Turn, /) -> list[Record]:
        """When its records have been written."""
        return records

    def body(self, body: bytes, _turn: Turn, /) -> bytes:
        """When they have become bytes, not yet compressed."""
        return body

    def packed(self, body: bytes, _turn: Turn, /) -> bytes:
        """When the body is what is to be sent."""
        return body

    def export(self, files: Sequence[ExportFile], /) -> Sequence[ExportFile]:
        """When the files of a snapshot have been made."""
        return files


def make_plant(name: str, variant: Variant) -> Plant:
    """A plant by its name.

    Raises:
        UnknownPlantError: there is none of that name, or it cannot show on the variant.
    """
    kind = KNOWN.get(name)
    if kind is None:
        raise UnknownPlantError(f"there is no plant {name!r}; known are {', '.join(sorted(KNOWN))}")
    if not kind.fits(variant):
        raise UnknownPlantError(f"{name} shows only with {kind.needs}")
    return kind()
