"""Whatever is asked, given out, joined and taken apart: each sees exactly what named, or held, their keys."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from oncehub.audit.log.pseudonyms import feed_pseudonym, pseudonym_key
from oncehub.settings import Settings
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection

LOOKUP, FEED, OWN = "Tra cứu dữ liệu", "Nhận dữ liệu thay đổi", "Công dân xem lịch sử sử dụng dữ liệu"
CODES = {"portal": "G01", "tax": "G12"}
FEEDS = {"portal": "residence", "tax": "taxpayers"}
NUMBERS = itertools.count(1)

who = st.integers(0, 2)
agencies = st.sampled_from(["portal", "tax"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("look"), agencies, who),
        st.tuples(st.just("change"), who),
        st.tuples(st.just("read"), agencies, st.integers(0, 4), st.integers(1, 3)),
        st.tuples(st.just("own"), who),
        st.tuples(st.just("join"), who, who),
        st.tuples(st.just("apart"), who),
    ),
    max_size=14,
)


@dataclass
class World:
    """Three people and their agencies, and a model of who was named when."""

    portal: Any
    tax: Any
    database: Connection
    configuration: Settings
    numbers: list[str]
    keys: list[str]
    into: dict[int, int] = field(default_factory=dict)
    named: list[tuple[str, str, str, set[int]]] = field(default_factory=list)
    begins: dict[str, int] = field(default_factory=dict)

    def survivor(self, person: int) -> int:
        while person in self.into:
            person = self.into[person]
        return person

    def below(self, person: int) -> set[int]:
        return {each for each in range(3) if each == person or person in self._above(each)}

    def _above(self, person: int) -> list[int]:
        passed = []
        while person in self.into:
            person = self.into[person]
            passed.append(person)
        return passed

    def look(self, agency: str, person: int) -> None:
        search = {"person.personal_id": self.numbers[person]}
        assert getattr(self, agency).lookup(search, ["person.full_name"]).status_code == 200
        self.named.append((LOOKUP, CODES[agency], "consulted", {self.survivor(person)}))

    def change(self, person: int) -> None:
        self.run(
            "insert into share.change (person_key, kind, attributes) values (%s, 'changed', '{full_name}')",
            self.keys[person],
        )
        for feed in FEEDS.values():
            publish(self.configuration, feed, self.database)

    def read(self, agency: str, after: int, limit: int) -> None:
        feed = FEEDS[agency]
        page = getattr(self, agency).changes(feed, after=self.begins[feed] + after, limit=limit).json()
        key = pseudonym_key(self.configuration.home)
        pseudonyms = {feed_pseudonym(key, feed, each): number for number, each in enumerate(self.keys)}
        held = {pseudonyms[line["person"]] for line in page.get("changes", ())}
        self.named.append((FEED, CODES[agency], "appeared", held))

    def own(self, person: int) -> None:
        shown = self.portal.usage(self.numbers[person], limit=500).json()
        survivor = self.survivor(person)
        theirs = self.below(survivor)
        expected = [each[:3] for each in reversed(self.named) if each[3] & theirs]
        told = [(use["action"], use["receiverCode"], use["involvement"]) for use in shown["usages"]]
        assert told == expected
        assert shown["totalUsages"] == len(expected)
        self.named.append((OWN, "G01", "consulted", {survivor}))

    def join(self, person: int, into: int) -> None:
        if person != into and person not in self.into and into not in self.into:
            self._say(person, into, "one")
            self.into[person] = into
            self._move(person, into)

    def apart(self, person: int) -> None:
        if person in self.into:
            self._say(person, self.into.pop(person), "two")
            self._move(person, person)

    def _say(self, person: int, into: int, verdict: str) -> None:
        self.run(
            "insert into truth.merge_decision (person_key, merged_into, verdict, reason, decided_by) "
            "values (%s, %s, %s, 'seen', 'clerk')",
            *(self.keys[person], self.keys[into], verdict),
        )

    def _move(self, person: int, to: int) -> None:
        """Have numbers and register links lead where a run would have them lead."""
        for each in self.below(person):
            self.run(
                "update truth.identifier set person_key = %s where value = %s",
                *(self.keys[to], self.numbers[each]),
            )
        if person == to:
            self.register(person)

    def register(self, person: int) -> None:
        self.run(
            "insert into truth.link (source, stream, source_key, person_key, method) "
            "values ('population', 'citizens', %s, %s, 'register') on conflict do nothing",
            *(self.keys[person], self.keys[person]),
        )

    def run(self, statement: str, *values: Any) -> None:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)


CHAIN = [
    *(("look", "tax", person) for person in range(3)),
    *(("join", 0, 1), ("join", 1, 2), ("look", "portal", 0), ("own", 2)),
    *(("apart", 1), ("own", 1), ("own", 2), ("apart", 0)),
]


@given(steps)
@example(CHAIN)
@settings(max_examples=settings.default.max_examples // 2)
def test_each_sees_exactly_what_concerned_their_keys(
    portal: Any,
    tax: Any,
    database: Connection,
    editable: Settings,
    believe: Callable[..., str],
    steps: list[tuple[Any, ...]],
) -> None:
    numbers = [f"{next(NUMBERS):012}" for _ in range(3)]
    for feed in FEEDS.values():
        publish(editable, feed, database)
    with database, database.cursor() as cursor:
        cursor.execute("select feed, last_sequence from share.feed")
        begins = dict(cursor.fetchall())
    keys = [believe(personal_id=number, full_name="Nguyễn Thị An") for number in numbers]
    for feed in FEEDS.values():
        publish(editable, feed, database)
    world = World(portal, tax, database, editable, numbers, keys, begins=begins)
    for person in range(3):
        world.register(person)
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
    for person in range(3):
        world.own(person)
