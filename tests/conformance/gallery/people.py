"""The people that each server of the gallery serves: they come, change and go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)


@dataclass(frozen=True)
class Person:
    """One person as a server states it."""

    number: int
    family: str
    given: tuple[str, ...]
    birth: str
    modified: datetime
    deleted: bool = False

    @property
    def name(self) -> str:
        return " ".join((self.family, *self.given))

    @property
    def personal_id(self) -> str:
        return f"0010990{self.number:05d}"


class People:
    """The people of a server; every change is two hours later than the one before."""

    def __init__(self, count: int) -> None:
        self.all: dict[int, Person] = {}
        self.now = START
        self.add(count)

    def add(self, count: int) -> None:
        for _ in range(count):
            number = len(self.all) + 1
            given = ("Văn", f"An{number}") if number % 2 else (f"Bình{number}",)
            birth = f"19{60 + number % 40}-0{1 + number % 9}-1{number % 10}"
            self.all[number] = Person(number, "Nguyễn", given, birth, self._tick())

    def rename(self, number: int, family: str) -> None:
        self.all[number] = replace(self.all[number], family=family, modified=self._tick())

    def remove(self, number: int) -> None:
        self.all[number] = replace(self.all[number], deleted=True, modified=self._tick())

    def changed(self, since: datetime | None = None, until: datetime | None = None) -> list[Person]:
        """People in the order of their changes."""
        within = (
            each
            for each in self.all.values()
            if (since is None or each.modified >= since) and (until is None or each.modified < until)
        )
        return sorted(within, key=lambda each: (each.modified, each.number))

    def facts(self) -> set[tuple[str, str]]:
        """What the hub must hold: name and day of birth of everybody who was not deleted."""
        return {(each.name, each.birth) for each in self.all.values() if not each.deleted}

    def _tick(self) -> datetime:
        self.now += timedelta(hours=2)
        return self.now


def living(people: Iterable[Person]) -> list[Person]:
    return [each for each in people if not each.deleted]


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
