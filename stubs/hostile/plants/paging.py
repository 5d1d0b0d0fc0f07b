"""Plants that spoil how a listing is cut into pages, or what a page says of itself."""

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

from stubs.hostile.pages import Page, Place, Question
from stubs.hostile.plants.registry import Plant, Turn
from stubs.hostile.register.register import Entry
from stubs.hostile.variant import Variant

SURPLUS = 7
"""How many records more than there are `promises_more` declares."""
_CYCLE = 3


class _TokenPlant(Plant):
    """Needs pages whose beginning the source tells."""

    needs = "pages cursor, next_url or link"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.token_pages and variant.transport == "pages"


class _TotalPlant(Plant):
    """Needs a declared total."""

    needs = "pages with a total"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.total != "none" and variant.transport == "pages"


class _PagedPlant(Plant):
    """Needs pages."""

    needs = "pages"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.pages != "none" and variant.transport == "pages"


class RepeatedToken(_TokenPlant, name="repeated_token"):
    """The second page names itself as the next one."""

    def page(self, page: Page, _turn: Turn, /) -> Page:
        return replace(page, following=page.place) if page.place.ordinal == 2 else page


class CirclingToken(_TokenPlant, name="circling_token"):
    """The third page names the first as the next one, and so on in a circle of three."""

    def page(self, page: Page, _turn: Turn, /) -> Page:
        return replace(page, following=Place()) if page.place.ordinal == _CYCLE else page


class NextElsewhere(_TokenPlant, name="next_elsewhere"):
    """The next page is said to be on another host."""

    needs = "pages next_url or link, not relative"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return super().fits(variant) and variant.pages != "cursor" and not variant.relative_next

    def page(self, page: Page, turn: Turn, /) -> Page:
        return replace(page, origin=turn.elsewhere)


class PromisesMore(_TotalPlant, name="promises_more"):
    """The declared total is seven above what the listing holds."""

    def page(self, page: Page, _turn: Turn, /) -> Page:
        return replace(page, total=page.total + SURPLUS)


class ShrinkingTotal(_TotalPlant, name="shrinking_total"):
    """The declared total falls by one with every page, though nothing goes."""

    needs = "pages with a total, cut into several"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return super().fits(variant) and variant.pages != "none"

    def page(self, page: Page, _turn: Turn, /) -> Page:
        return replace(page, total=page.total - page.place.ordinal + 1)


class ShortPage(_PagedPlant, name="short_page"):
    """The second page leaves its last record out and still counts it."""

    needs = "pages with a count"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return super().fits(variant) and variant.count

    def page(self, page: Page, _turn: Turn, /) -> Page:
        return replace(page, entries=page.entries[:-1]) if page.place.ordinal == 2 else page


class MoreWithoutToken(_TokenPlant, name="more_without_token"):
    """The second page says that another one follows and does not say where."""

    needs = "pages cursor, next_url or link, with more"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return super().fits(variant) and variant.more

    def page(self, page: Page, _turn: Turn, /) -> Page:
        return replace(page, following=None, more=True) if page.place.ordinal == 2 else page


class UnstableOrder(_PagedPlant, name="unstable_order"):
    """Every page is cut from the listing in another order, so that records are lost and doubled."""

    needs = "pages number or offset"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return super().fits(variant) and variant.pages in ("number", "offset")

    def rows(self, rows: Sequence[Entry], question: Question, /) -> Sequence[Entry]:
        salt = str(question.place.ordinal)
        return sorted(rows, key=lambda entry: crc32((salt + entry.key).encode()))


class OverlappingPages(_PagedPlant, name="overlapping_pages", harmless=True):
    """Every page begins with the last record of the one before it."""

    def page(self, page: Page, _turn: Turn, /) -> Page:
        before = page.listing[page.start - 1 : page.start] if page.entries else []
        entries = [*before, *page.entries]
        return replace(page, entries=entries, count=len(entries))


class CappedPage(_PagedPlant, name="capped_page", harmless=True):
    """A page holds at most half as many records as were asked for."""

    def question(self, question: Question, _turn: Turn, /) -> Question:
        return replace(question, limit=max(1, (question.limit or 0) // 2))
