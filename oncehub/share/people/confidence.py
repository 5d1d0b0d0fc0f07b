"""The confidence in a golden value: its level, how many sources agree, and its weight today."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, get_args

from psycopg2.extras import Json

from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_rules
from oncehub.config.entities import qualified, unqualified
from oncehub.config.rules import ComparisonRules, SurvivorshipRules
from oncehub.settings import Settings
from oncehub.share.people.lookup import Believed
from oncehub.share.roles import rows_as
from oncehub.store.connection import Connection

Level = Literal["authority", "agreed", "single", "doubtful"]
"""Highest first: an authority states it; several sources agree; one source; one whose record is in doubt."""


_SUPPORT: Final = """
select
    asked.person_key,
    array(select jsonb_object_keys(asked.attributes)) as attributes,
    (
        select coalesce(jsonb_object_agg(agreeing.attribute, agreeing.sources), '{{}}')
        from {share}.agreeing_sources(
            asked.person_key::uuid,
            array(select each.key from jsonb_each(asked.attributes) as each where each.value = 'true')
        ) as agreeing
    ) as sources,
    {truth}.disputed_by_owner(asked.person_key::uuid) as disputed
from jsonb_each(%(asked)s) as asked (person_key, attributes)
"""


@dataclass(frozen=True)
class Confidence:
    """The confidence in a value.

    Attributes:
        sources: how many sources state it, the believed one included.
        weight: trust in the source, halved at each half-life since it stated the value, less where its
            record is in doubt; above 0 to 1. None for a value of an authority, which is not weighed.
    """

    level: Level
    sources: int
    weight: float | None

    @property
    def doubt(self) -> tuple[int, float, int]:
        """A sort key, greater for lower confidence: by level, then weight, then number of sources."""
        weight = 1.0 if self.weight is None else self.weight
        return get_args(Level).index(self.level), -weight, -self.sources


@dataclass(frozen=True)
class ConfidenceRules:
    """The rules that set the confidence.

    Attributes:
        survivorship: the trust in each source.
        compared: attributes of which it is known whether sources agree.
    """

    survivorship: SurvivorshipRules
    compared: frozenset[str]


@dataclass(frozen=True)
class Support:
    """What is known of a believed value beside it.

    Attributes:
        sources: how many state it, the believed one included.
        disputed_by_owner: an open request of the person says that the value is wrong.
    """

    sources: int
    disputed_by_owner: bool


def load_confidence_rules(settings: Settings) -> ConfidenceRules:
    """Read the rules by which values are believed and compared.

    Raises:
        ConfigError: when they are wrong.
    """
    comparison = load_rules(settings, "comparison", ComparisonRules)
    return ConfidenceRules(
        load_rules(settings, "survivorship", SurvivorshipRules), frozenset(comparison.attributes)
    )


def find_support(
    connection: Connection,
    agreement: Agreement,
    attributes: Mapping[str, Collection[str]],
    rules: ConfidenceRules,
) -> dict[tuple[str, str], Support]:
    """Return what else is known of believed values, by the person's key and the qualified attribute.

    Args:
        connection: in a transaction in which a request about the person is open.
        agreement: on whose behalf; it covers these people and attributes.
        attributes: of which people: key -> qualified attributes.
        rules: they list the compared attributes; for others the number of agreeing sources is unknown.
    """
    if not attributes:
        return {}
    asked = {
        key: {name: name in rules.compared for name in (unqualified(each) for each in wanted)}
        for key, wanted in attributes.items()
    }
    rows = rows_as(connection, agreement, _SUPPORT, {"asked": Json(asked)})
    return {
        (row["person_key"], qualified(name)): Support(row["sources"].get(name, 1), name in row["disputed"])
        for row in rows
        for name in row["attributes"]
    }


def confidence(believed: Believed, attribute: str, sources: int, rules: ConfidenceRules) -> Confidence:
    """Return the confidence in a value by the rule that chose it; `sources` state it."""
    count = max(sources, 1)
    if believed.rule == "authority":
        return Confidence("authority", count, None)
    level: Level = "agreed" if count > 1 else "doubtful" if believed.doubtful else "single"
    return Confidence(level, count, _weight(believed, attribute, rules))


def _weight(believed: Believed, attribute: str, rules: ConfidenceRules) -> float | None:
    rule = rules.survivorship.attributes.get(unqualified(attribute))
    if rule is None or not rule.trust or not rule.half_life or not believed.as_of:
        return None
    trust = rule.trust.get(believed.source or "", 0.0)
    age = max((datetime.now(UTC) - datetime.fromisoformat(believed.as_of)).total_seconds(), 0)
    doubt = rule.doubtful if believed.doubtful else 1.0
    faded: float = 0.5 ** (age / rule.half_life.total_seconds())
    return round(trust * faded * doubt, 2)
