"""Why each value is believed: on whose word, and why every other word lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Literal, get_args
from uuid import UUID

from oncehub.config.rules import SurvivorshipRule
from oncehub.errors import ConfigError
from oncehub.reconcile.rules.rulebook import Rulebook, load_rulebook
from oncehub.reconcile.rules.weighing import Likeness, Weighed, Whereabouts, unsettled, weighed, whereabouts
from oncehub.reconcile.survivorship.history import Belief, Origin, beliefs_in, held_at, versions_of
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened

Advantage = Literal["weight", "later", "named_first", "lower_key"]
"""What one statement has over another: it weighs more; of equals it was stated later, its source is named
first in the rule, its stream or key is lower."""

Won = Literal["authority", "only_word", "not_kept"] | Advantage
"""Why a value is believed: its source is the authority; nobody else with a say states one; its advantage over
the next; or the record was stated anew since, so what it was weighed as is not kept."""

Lost = Literal["no_say", "not_weighed", "silent", "replaced", "deleted", "elsewhere"] | Advantage
"""Why another is not: its source has no say; it came, or was linked, after the run; its record states none
any more, was stated anew after the moment asked about, is deleted, or speaks of somebody else; or what the
believed one has over it."""

_DAY = 86_400


@dataclass(frozen=True)
class Weight:
    """What a statement weighs: `value` is trust * faded * doubted.

    Attributes:
        trust: how far the rule trusts its source, 0 to 1.
        half_life_days: the age at which it weighs half.
        faded: what its age leaves of its trust, 0.5 ^ (age / half-life).
        doubted: what doubt leaves of that; 1 where there is none.
    """

    value: float
    trust: float
    half_life_days: float
    faded: float
    doubted: float


@dataclass(frozen=True)
class Candidate:
    """What one record states of an attribute, and what became of it.

    Attributes:
        likeness: of its value to the believed one.
        lost: why it is not believed; None for the one that is.
        linked_by: the method that links the record; None where that statement of it is not kept.
        doubts: what makes its word doubtful: `link`, `personal_id`.
        age_days: days since it was stated.
        weight: None where an authority decides, and of what does not count.
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
    """What is believed of one attribute, and what it was chosen from.

    Attributes:
        value: None where nothing is believed; so are `origin`, `since` and `won`.
        origin: on whose word.
        since: when it began to be believed on that word.
        candidates: those with a say in the order of their weight, then the others.
    """

    attribute: str
    value: Any
    origin: Origin | None
    since: datetime | None
    won: Won | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Explanation:
    """Why a person is believed to be who they are.

    Attributes:
        at: the moment that is told of; ages and weights are those of that moment.
        unsettled: something about the person has changed that no run has weighed yet.
        choices: one an attribute of which something is believed or stated, in the order of the schema.
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
    """Explain what is believed of one person, or was at an earlier moment; see `explain_people`.

    Raises:
        ConfigError: when there is no such attribute, or nobody of that key was believed in then.
    """
    rules = load_rulebook(settings)
    with opened(settings, database) as connection, connection:
        explained = explain_people(connection, rules, [person], attributes, at)
    if person not in explained:
        raise ConfigError(
            "nobody of that key was believed in at that moment; keys are as `oncehub link show` tells "
            "them, and `oncehub person history` knows those who are gone"
        )
    return explained[person]


def explain_people(
    connection: Connection,
    rules: Rulebook,
    people: Iterable[UUID],
    attributes: Sequence[str] = (),
    at: datetime | None = None,
) -> dict[UUID, Explanation]:
    """Explain what is believed of people; statements are ranked by the very SQL that a run ranks them by.

    Of a record the hub keeps the last statement only. So of an earlier moment is told what was believed then,
    and of other statements those that had come by then and have not been replaced since.

    Args:
        connection: one that may read `intake`, `record` and `truth`.
        rules: those that a run would weigh by.
        people: their keys; whoever was not believed in is left out of the answer.
        attributes: those to explain; all unless given.
        at: the moment to tell of; now unless given.

    Raises:
        ConfigError: when there is no such attribute.
    """
    wanted = rules.named(attributes)
    at = at or datetime.now(UTC)
    versions = versions_of(connection, people, rules.decryptor)
    held = {person: version for person, each in versions.items() if (version := held_at(at, each))}
    if not held:
        return {}
    stated = weighed(connection, rules, held, wanted, at)
    beliefs = {
        (person, name): [each for each in beliefs_in(versions[person], name) if each.believed_from <= at]
        for person in held
        for name in wanted
    }
    gone = {key: _gone(each, stated.get(key, ())) for key, each in beliefs.items()}
    places = whereabouts(connection, {belief.origin.record for belief in chain(*gone.values())})
    changed = unsettled(connection, held)

    def choice(person: UUID, name: str) -> Choice:
        belief = held_at(at, beliefs[person, name])
        rule, statements = rules.survivorship.attributes[name], stated.get((person, name), [])
        departed = (
            _departed(each, belief, places[each.origin.record], person, at) for each in gone[person, name]
        )
        return _choice(name, rule, belief, (*_candidates(rule, belief, statements, at), *departed))

    return {
        person: Explanation(
            person,
            at,
            person in changed,
            tuple(made for name in wanted if (made := choice(person, name)).candidates or made.origin),
        )
        for person in held
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
    rule: SurvivorshipRule, belief: Belief | None, statements: Sequence[Weighed], at: datetime
) -> Iterable[Candidate]:
    winner = next((each for each in statements if belief and _is_word(each, belief.origin)), None)
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


def _is_word(statement: Weighed, origin: Origin) -> bool:
    return (statement.record, statement.stated_at) == (origin.record, origin.as_of)


def _lost(statement: Weighed, winner: Weighed | None, rule: SurvivorshipRule) -> Lost:
    if statement.place is None:
        return "no_say"
    if winner is None or winner.place is None or statement.place < winner.place:
        return "not_weighed"
    if rule.trust and statement.score != winner.score:
        return "weight"
    if statement.stated_at != winner.stated_at:
        return "later"
    return "lower_key" if statement.record[0] == winner.record[0] else "named_first"


def _weight(statement: Weighed, rule: SurvivorshipRule, at: datetime) -> Weight | None:
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


def _gone(beliefs: Sequence[Belief], statements: Sequence[Weighed]) -> list[Belief]:
    """The last belief on the word of each record that states nothing of the attribute any more."""
    stating = {each.record for each in statements}
    last = {belief.origin.record: belief for belief in beliefs}
    return [belief for record, belief in last.items() if record not in stating]


def _departed(
    told: Belief, belief: Belief | None, place: Whereabouts, person: UUID, at: datetime
) -> Candidate:
    return Candidate(
        *told.origin.record,
        value=told.value,
        stated_at=told.origin.as_of,
        likeness="same" if belief and belief.value == told.value else "different",
        lost=None if told is belief else _whereto(place, person, at),
        linked_by=None,
        doubts=(),
        age_days=_days(told.origin.as_of, at),
        weight=None,
    )


def _whereto(place: Whereabouts, person: UUID, at: datetime) -> Lost:
    if place.deleted:
        return "deleted"
    if place.person != person:
        return "elsewhere"
    return "replaced" if place.received_at and place.received_at > at else "silent"


def _days(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() / _DAY
