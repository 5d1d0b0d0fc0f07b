"""How sure a believed value is: on whose word, how many say so, and what that word weighs today."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from oncehub.model.catalogue import load_rules
from oncehub.model.rules import ComparisonRules, SurvivorshipRules
from oncehub.model.settings import Settings
from oncehub.share.lookup import Believed
from oncehub.store.connection import Connection

Grade = Literal["authority", "agreed", "single", "doubtful"]
"""The surest first: the authority says so; several sources do; one does; one in doubt does."""

_AGREEING: Final = "select attribute, sources from share.agreeing_sources(%s, %s)"


@dataclass(frozen=True)
class Sureness:
    """How sure a value is.

    Attributes:
        sources: how many sources state it, the believed one included.
        weight: trust in the source, halved at each half-life since it stated the value, less where its
            record is in doubt; above 0 to 1. None under an authority, whose word is not weighed.
    """

    grade: Grade
    sources: int
    weight: float | None


@dataclass(frozen=True)
class SurenessRules:
    """What sureness is judged by.

    Attributes:
        survivorship: whose word counts, and how much.
        compared: attributes of which it is known whether sources agree.
    """

    survivorship: SurvivorshipRules
    compared: frozenset[str]


def load_sureness_rules(settings: Settings) -> SurenessRules:
    """Read the rules by which values are believed and compared.

    Raises:
        ConfigError: when they are wrong.
    """
    comparison = load_rules(settings, "comparison", ComparisonRules)
    return SurenessRules(
        load_rules(settings, "survivorship", SurvivorshipRules), frozenset(comparison.attributes)
    )


def count_sources(
    connection: Connection, person_key: str, attributes: Collection[str], rules: SurenessRules
) -> dict[str, int]:
    """Return how many sources state what is believed of a person, by qualified attribute.

    Those that are not compared are left out: of them nobody knows who agrees.
    """
    names = {name.removeprefix("person.") for name in attributes} & rules.compared
    if not names:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_AGREEING, (person_key, sorted(names)))
        return {f"person.{attribute}": sources for attribute, sources in cursor.fetchall()}


def sureness(believed: Believed, attribute: str, sources: int, rules: SurenessRules) -> Sureness:
    """Grade a value by the rule that chose it; `sources` state it."""
    count = max(sources, 1)
    if believed.rule == "authority":
        return Sureness("authority", count, None)
    grade: Grade = "agreed" if count > 1 else "doubtful" if believed.doubtful else "single"
    return Sureness(grade, count, _weight(believed, attribute, rules))


def _weight(believed: Believed, attribute: str, rules: SurenessRules) -> float | None:
    rule = rules.survivorship.attributes.get(attribute.removeprefix("person."))
    if rule is None or not rule.trust or not rule.half_life or not believed.as_of:
        return None
    trust = rule.trust.get(believed.source or "", 0.0)
    age = max((datetime.now(UTC) - datetime.fromisoformat(believed.as_of)).total_seconds(), 0)
    doubt = rule.doubtful if believed.doubtful else 1.0
    faded: float = 0.5 ** (age / rule.half_life.total_seconds())
    return round(trust * faded * doubt, 2)
