"""Explains golden values: which record each rests on, why that record won and why every other one lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from uuid import UUID

from oncehub.config.rules import SurvivorshipRule
from oncehub.errors import ConfigError
from oncehub.reconcile.rules.rulebook import Rulebook, load_rulebook
from oncehub.reconcile.survivorship.ranked_statements import (
    Departure,
    Likeness,
    RankedStatement,
    departures,
    ranked_statements,
    unsettled,
)
from oncehub.reconcile.survivorship.versions import Belief, Origin, beliefs_in, valid_at, versions_of
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened

Advantage = Literal["weight", "later", "named_first", "lower_key"]
"""What one statement has over another: it weighs more; of equal weights it was stated later, its source is
named first in the rule, its stream or key is lower."""

Won = Literal["authority", "only_word", "not_kept"] | Advantage
"""Why a value is the golden value: its source is the authority; no other trusted source states one; its
advantage over the next statement; or the record was stated anew since, so that its former statement is not
kept."""

Lost = Literal["no_say", "not_weighed"] | Departure | Advantage
"""Why another value is not: the rule does not trust its source; it came, or was linked, after the run; its
record does not state it any more (`Departure`); or what the golden value has over it."""

_DAY = 86_400


@dataclass(frozen=True)
class Weight:
    """What a statement weighs: `value` is trust * faded * doubted.

    Attributes:
        trust: how far the rule trusts its source, 0 to 1.
        half_life_days: the age at which it weighs half.
        faded: the share that its age leaves, 0.5 ^ (age / half-life).
        doubted: the share that doubts leave; 1 without doubts.
    """

    value: float
    trust: float
    half_life_days: float
    faded: float
    doubted: float


@dataclass(frozen=True)
class Candidate:
    """One record's value of an attribute, and why it won or lost.

    Attributes:
        likeness: of its value to the golden value.
        lost: why it is not the golden value; None for the winner.
        linked_by: the method that links the record; None where the record does not state the value any more.
        doubts: what makes the record doubtful: `link`, `personal_id`.
        age_days: days since it was stated.
        weight: None where an authority decides, and for sources that the rule does not trust.
    """

    source: str
    stream: str
    source_key: str
    value: Any
    stated_at: datetime
    likeness: Likeness
    lost: Lost | None
    linked_by: str | None
    doubts: tuple[str, ...]
    age_days: float
    weight: Weight | None


@dataclass(frozen=True)
class Choice:
    """The golden value of one attribute, and the candidates.

    Attributes:
        value: None where there is no golden value; so are `origin`, `since` and `won`.
        origin: the record that it rests on.
        since: when that record's value became the golden value.
        candidates: those of trusted sources by weight, then the others.
    """

    attribute: str
    value: Any
    origin: Origin | None
    since: datetime | None
    won: Won | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Explanation:
    """The golden record of a person, explained.

    Attributes:
        at: the moment that is explained; ages and weights are those of this moment.
        unsettled: something about the person has changed that no run has processed yet.
        choices: one for each attribute that has a golden value or a statement, in the order of the schema.
    """

    person_key: UUID
    at: datetime
    unsettled: bool
    choices: tuple[Choice, ...]


def explain(
    settings: Settings,
    person: UUID,
    attributes: Sequence[str] = (),
    at: datetime | None = None,
    database: Connection | None = None,
) -> Explanation:
    """Explain the golden record of one person, now or at an earlier moment; see `explain_people`.

    Raises:
        ConfigError: There is no such attribute, or the person had no golden record at that moment.
    """
    rules = load_rulebook(settings)
    with opened(settings, database) as connection, connection:
        explained = explain_people(connection, rules, [person], attributes, at)
    if person not in explained:
        raise ConfigError(
            "the person of that key had no golden record at that moment; `oncehub link show` shows keys, and "
            "`oncehub person history` knows people who are gone"
        )
    return explained[person]


def explain_people(
    connection: Connection,
    rules: Rulebook,
    people: Iterable[UUID],
    attributes: Sequence[str] = (),
    at: datetime | None = None,
) -> dict[UUID, Explanation]:
    """Explain the golden records of people; statements are ranked by the same SQL that a run ranks them by.

    The hub keeps only the last statement of a record. Of an earlier moment it therefore explains the golden
    value of that time, and lists those other statements that had been received and have not been replaced
    since.

    Args:
        connection: one that may read `intake`, `record` and `truth`.
        rules: the rules to rank by.
        people: their keys; a person without a golden record at the moment is left out of the result.
        attributes: those to explain; all unless given.
        at: the moment to explain; now unless given.

    Raises:
        ConfigError: There is no such attribute.
    """
    wanted = rules.named(attributes)
    at = at or datetime.now(UTC)
    versions = versions_of(connection, people, rules.home)
    golden = {person: version for person, each in versions.items() if (version := valid_at(at, each))}
    if not golden:
        return {}
    stated = ranked_statements(connection, rules, golden, wanted, at)
    beliefs = {
        (person, name): [each for each in beliefs_in(versions[person], name) if each.believed_from <= at]
        for person in golden
        for name in wanted
    }
    gone = {key: _gone(each, stated.get(key, ())) for key, each in beliefs.items()}
    records = {(person, belief.origin.record) for (person, _), each in gone.items() for belief in each}
    why = departures(connection, records, at)
    changed = unsettled(connection, golden)

    def choice(person: UUID, name: str) -> Choice:
        belief = valid_at(at, beliefs[person, name])
        rule, statements = rules.survivorship.attributes[name], stated.get((person, name), [])
        departed = (
            _departed(each, belief, why[person, each.origin.record], at) for each in gone[person, name]
        )
        return _choice(name, rule, belief, (*_candidates(rule, belief, statements, at), *departed))

    return {
        person: Explanation(
            person,
            at,
            person in changed,
            tuple(made for name in wanted if (made := choice(person, name)).candidates or made.origin),
        )
        for person in golden
    }


def _choice(
    name: str, rule: SurvivorshipRule, belief: Belief | None, candidates: tuple[Candidate, ...]
) -> Choice:
    if belief is None:
        return Choice(name, None, None, None, None, candidates)
    return Choice(name, belief.value, belief.origin, belief.believed_from, _won(rule, candidates), candidates)


def _won(rule: SurvivorshipRule, candidates: Sequence[Candidate]) -> Won:
    if rule.authority:
        return "authority"
    if not any(each.lost is None and each.linked_by for each in candidates):
        return "not_kept"
    advantages: tuple[Advantage, ...] = get_args(Advantage)
    return next(
        (advantage for each in candidates for advantage in advantages if each.lost == advantage), "only_word"
    )


def _candidates(
    rule: SurvivorshipRule, belief: Belief | None, statements: Sequence[RankedStatement], at: datetime
) -> Iterable[Candidate]:
    origin = belief and (belief.origin.record, belief.origin.as_of)
    winner = next((each for each in statements if (each.record, each.stated_at) == origin), None)
    for each in statements:
        yield Candidate(
            *each.record,
            value=each.value,
            stated_at=each.stated_at,
            likeness=each.likeness,
            lost=None if each is winner else _lost(each, winner, rule),
            linked_by=each.linked_by,
            doubts=tuple(each.doubts),
            age_days=_days(each.stated_at, at),
            weight=_weight(each, rule, at),
        )


def _lost(statement: RankedStatement, winner: RankedStatement | None, rule: SurvivorshipRule) -> Lost:
    if statement.place is None:
        return "no_say"
    if winner is None or winner.place is None or statement.place < winner.place:
        return "not_weighed"
    if rule.trust and statement.score != winner.score:
        return "weight"
    if statement.stated_at != winner.stated_at:
        return "later"
    return "lower_key" if statement.record[0] == winner.record[0] else "named_first"


def _weight(statement: RankedStatement, rule: SurvivorshipRule, at: datetime) -> Weight | None:
    """The weight that the score stands for, and its parts."""
    if statement.score is None or not rule.trust or not rule.half_life:
        return None
    half_life = rule.half_life.total_seconds()
    return Weight(
        value=2 ** (statement.score - at.timestamp() / half_life),
        trust=rule.trust[statement.record[0]],
        half_life_days=half_life / _DAY,
        faded=0.5 ** ((at - statement.stated_at).total_seconds() / half_life),
        doubted=rule.doubtful if statement.doubts else 1.0,
    )


def _gone(beliefs: Sequence[Belief], statements: Sequence[RankedStatement]) -> list[Belief]:
    """The last golden value of each record that does not state the attribute any more."""
    stating = {each.record for each in statements}
    last = {belief.origin.record: belief for belief in beliefs}
    return [belief for record, belief in last.items() if record not in stating]


def _departed(former: Belief, belief: Belief | None, why: Departure, at: datetime) -> Candidate:
    return Candidate(
        *former.origin.record,
        value=former.value,
        stated_at=former.origin.as_of,
        likeness="same" if belief and belief.value == former.value else "different",
        lost=None if former is belief else why,
        linked_by=None,
        doubts=(),
        age_days=_days(former.origin.as_of, at),
        weight=None,
    )


def _days(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() / _DAY
