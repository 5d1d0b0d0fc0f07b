"""Who lives with whom: a head, a spouse, the head's parents and children, with ages and family ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stubs.world.table import Array

YEAR = 365.2425
HEAD, SPOUSE, ELDER, CHILD = range(4)


@dataclass(frozen=True)
class Households:
    """Members one household after another, the head first; `start` is each household's first member."""

    start: Array
    married: Array
    elders: Array
    children: Array
    of: Array
    """Household of each member."""
    role: Array
    place: Array
    """0, 1, ... within the household."""


def found_households(chance: np.random.Generator, people: int) -> tuple[Households, Array, Array]:
    """Households of exactly `people` members, with sex (1, 2) and age in days of each."""
    count = people // 2 + 10  # households have more than two members on average
    age = 21 + 66 * chance.beta(1.6, 2.2, count)
    sex = np.where(chance.random(count) < 0.72, 1, 2).astype(np.int8)
    married = chance.random(count) < np.clip((age - 21) / 10, 0, 0.82)
    children = _children(chance, age, sex, married)
    elders = np.where(
        (age > 28) & (age < 58) & (chance.random(count) < 0.25), chance.integers(1, 3, count), 0
    )
    homes = _lay_out(people, married.astype(np.int64), elders, children)
    member_sex, member_age = _members(chance, homes, sex, age)
    return homes, member_sex, (member_age * YEAR).astype(np.int64)


def _children(chance: np.random.Generator, age: Array, sex: Array, married: Array) -> Array:
    count = chance.choice(6, size=len(age), p=[0.12, 0.24, 0.4, 0.17, 0.05, 0.02])
    alone = (sex == 2) & (age > 27) & (chance.random(len(age)) < 0.3)
    return np.where((age > 26) & married, count, np.where(alone, 1, 0))


def _lay_out(people: int, married: Array, elders: Array, children: Array) -> Households:
    size = 1 + married + elders + children
    ends = np.cumsum(size)
    homes = int(np.searchsorted(ends, people)) + 1
    married, elders, children = married[:homes].copy(), elders[:homes].copy(), children[:homes].copy()
    start = ends[:homes] - size[:homes]
    # The last household gives up whom there is no room for: children first, then elders, the spouse at last.
    room = people - int(start[-1]) - 1
    married[-1] = min(married[-1], room)
    elders[-1] = min(elders[-1], room - married[-1])
    children[-1] = min(children[-1], room - married[-1] - elders[-1])
    size = 1 + married + elders + children
    of = np.repeat(np.arange(homes), size)
    place = np.arange(people) - start[of]
    role = np.where(place == 0, HEAD, np.where(place <= married[of], SPOUSE, ELDER))
    role[place > (married + elders)[of]] = CHILD
    return Households(start, married.astype(bool), elders, children, of, role, place)


def _members(
    chance: np.random.Generator, homes: Households, head_sex: Array, head_age: Array
) -> tuple[Array, Array]:
    people = len(homes.of)
    head_sex, head_age = head_sex[: len(homes.start)], head_age[: len(homes.start)]
    spouse_age = np.clip(
        head_age + np.where(head_sex == 1, -1, 1) * chance.normal(3, 2.5, len(head_age)), 19.5, 95
    )
    mother_age = np.where(homes.married & (head_sex == 1), spouse_age, head_age)
    sex = chance.integers(1, 3, people).astype(np.int8)
    mothers = mother_age[homes.of]
    age = np.maximum(mothers - chance.uniform(20.5, np.clip(mothers - 0.1, 20.6, 42)), 0)
    head, spouse = homes.role == HEAD, homes.role == SPOUSE
    sex[head], age[head] = head_sex, head_age
    sex[spouse], age[spouse] = 3 - head_sex[homes.married], spouse_age[homes.married]
    elder = np.flatnonzero(homes.role == ELDER)
    home = homes.of[elder]
    alone, first = homes.elders[home] == 1, homes.place[elder] == homes.married[home] + 1
    mother = np.where(alone, chance.random(len(elder)) < 0.75, ~first)
    sex[elder] = np.where(mother, 2, 1)
    age[elder] = np.clip(head_age[home] + chance.uniform(20, 34, len(elder)), 0, 99.5)
    return sex, age


def family_ties(homes: Households, sex: Array) -> tuple[Array, Array, Array]:
    """Father, mother and spouse of each member as row numbers, -1 where not in the household."""
    people = len(homes.of)
    father, mother, spouse = (np.full(people, -1, dtype=np.int32) for _ in range(3))
    heads = homes.start[homes.married]
    spouse[heads], spouse[heads + 1] = heads + 1, heads
    child = np.flatnonzero(homes.role == CHILD)
    head = homes.start[homes.of[child]]
    partner = spouse[head]
    father[child] = np.where(sex[head] == 1, head, partner)
    mother[child] = np.where(sex[head] == 2, head, partner)
    elder = np.flatnonzero(homes.role == ELDER)
    their_child = homes.start[homes.of[elder]]
    father[their_child[sex[elder] == 1]] = elder[sex[elder] == 1]
    mother[their_child[sex[elder] == 2]] = elder[sex[elder] == 2]
    couple = np.flatnonzero(homes.elders == 2)
    first = homes.start[couple] + homes.married[couple] + 1
    spouse[first], spouse[first + 1] = first + 1, first
    return father, mother, spouse


def find_parents(
    chance: np.random.Generator, wanted: Array, *, surname: Array, birth: Array, sex: Array, spouse: Array
) -> tuple[Array, Array]:
    """Fathers of the same family name, some 21-39 years older, and their wives, for the people `wanted`.

    Returns row numbers, -1 where there is no match.
    """
    decade = birth // 3653 + 20
    fathers = np.flatnonzero((sex == 1) & (spouse >= 0))
    keys = surname[fathers].astype(np.int64) * 100 + decade[fathers]
    order = np.argsort(keys, kind="stable")
    fathers, keys = fathers[order], keys[order]
    sought = surname[wanted].astype(np.int64) * 100 + decade[wanted] - 3
    low, high = np.searchsorted(keys, sought, "left"), np.searchsorted(keys, sought, "right")
    pick = low + (chance.random(len(wanted)) * (high - low)).astype(np.int64)
    father = np.full(len(wanted), -1, dtype=np.int32)
    found = (high > low) & (chance.random(len(wanted)) < 0.75)
    father[found] = fathers[pick[found]]
    mother = np.where(father >= 0, spouse[father], -1)
    mother[(mother >= 0) & (birth[wanted] - birth[mother] < 17 * YEAR)] = -1
    return father, mother.astype(np.int32)
