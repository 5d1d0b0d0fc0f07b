"""Plants that spoil what a reader of changes relies on: windows, clocks, commits and deletions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from stubs.hostile.pages import Page, Question
from stubs.hostile.plants.registry import Plant, Turn
from stubs.hostile.register.register import Entry, LandRegister
from stubs.hostile.variant import Variant
from stubs.hostile.wire import Record, time_writer
from stubs.servers.protocol.refusals import Refusal

LATE = timedelta(minutes=30)
VERY_LATE = timedelta(hours=3)
LATE_RECORDS = 5
BACKWARDS = timedelta(minutes=-10)
TOKEN_REQUESTS = 2
"""How many requests later a page token is still taken under `expired_cursor`."""


class _WindowPlant(Plant):
    """Needs a listing of changes."""

    needs = "changes by time or sequence"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.changes != "none" and variant.transport == "pages"


class SinceExclusive(_WindowPlant, name="since_exclusive"):
    """Records exactly at the lower bound are left out, though it is said to be inclusive."""

    needs = "changes by time, or by sequence with after_inclusive"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return super().fits(variant) and (variant.changes == "time" or variant.after_inclusive)

    def question(self, question: Question, _turn: Turn, /) -> Question:
        # Records are stated at whole seconds.
        since = question.since and question.since.replace(microsecond=0) + timedelta(seconds=1)
        after = None if question.after is None else question.after + 1
        return replace(question, since=since, after=after)


class IgnoresSince(_WindowPlant, name="ignores_since", harmless=True):
    """The lower bound is ignored: every reading of changes gives everything."""

    def question(self, question: Question, _turn: Turn, /) -> Question:
        return replace(question, since=None, after=None)


class IgnoresUntil(_WindowPlant, name="ignores_until", harmless=True):
    """The upper bound is ignored."""

    needs = "changes by time"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return super().fits(variant) and variant.changes == "time"

    def question(self, question: Question, _turn: Turn, /) -> Question:
        return replace(question, until=None)


class _Late(_WindowPlant):
    """Holds records back that were stated before the newest that are shown."""

    lateness = LATE

    def planted(self, register: LandRegister, /) -> None:
        register.lateness = self.lateness
        register.add(LATE_RECORDS)

    def page(self, page: Page, turn: Turn, /) -> Page:
        if page.is_last:
            turn.register.release()
        return page


class LateRows(_Late, name="late_rows", harmless=True):
    """Five records, and all added later, show only after a reading has ended, stated 30 minutes earlier."""


class VeryLateRows(_Late, name="very_late_rows"):
    """Five records, and all added later, show only after a reading has ended, stated 3 hours earlier."""

    lateness = VERY_LATE


class SameTimestamp(Plant, name="same_timestamp", harmless=True):
    """Half of the records are stated anew at one instant, and so is everything later."""

    def planted(self, register: LandRegister, /) -> None:
        living = [entry.key for entry in register.living()]
        register.advance(register.step)
        register.step = timedelta(0)
        register.change(living[: len(living) // 2])


class BackwardsClock(Plant, name="backwards_clock"):
    """The source's clock runs backwards: each later statement is dated ten minutes before the last."""

    def planted(self, register: LandRegister, /) -> None:
        register.step = BACKWARDS


class SilentDeletes(Plant, name="silent_deletes"):
    """A deleted record vanishes, with no flag, tombstone or entry among the deleted."""

    needs = "deletes flag, tombstone or separate"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.deletes != "absence"

    def rows(self, rows: Sequence[Entry], _question: Question, /) -> Sequence[Entry]:
        return [entry for entry in rows if not entry.deleted]


class Restless(Plant, name="restless"):
    """A record's phone and time of statement are others at every reading, so that nothing stays."""

    def records(self, records: list[Record], turn: Turn, /) -> list[Record]:
        write = time_writer(turn.variant.time)
        now = write(turn.register.now + timedelta(seconds=turn.number))
        return [
            {**record, "dienThoai": f"09{turn.number:08d}", "capNhat": now} if "hoTen" in record else record
            for record in records
        ]


class ExpiredCursor(Plant, name="expired_cursor"):
    """A page token is answered 410 when more than two requests came since it was given out."""

    needs = "pages cursor, next_url or link"

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.token_pages and variant.transport == "pages"

    def question(self, question: Question, turn: Turn, /) -> Question:
        token = question.place.token()
        if turn.number - self._given.get(token, turn.number) > TOKEN_REQUESTS:
            raise Refusal(
                410, {"error": "expired_cursor", "message": "the page token has expired; start anew"}
            )
        return question

    def page(self, page: Page, turn: Turn, /) -> Page:
        if page.following is not None:
            self._given[page.following.token()] = turn.number
        return page
