"""The order in which statements win: the latest under an authority, else the one with the greatest weight.

Attributes that the register alone decides are not ranked: `golden_records` takes them from the founding
record.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from psycopg2 import sql

from oncehub.config.rules import SurvivorshipRule
from oncehub.reconcile.rules.columns import columns
from oncehub.reconcile.rules.rulebook import Rulebook

_STATEMENTS = sql.SQL("""
select k.person_key, source, stream, source_key, r.stated_at, {doubtful} as doubtful, {attributes}
from linked k join record.person r using (source, stream, source_key)
where r.deleted_at is null
""")

_DOUBTFUL_LINK = sql.SQL("k.method = any({methods})")
# A tax code of twelve digits is the personal number (Thông tư 86/2024/TT-BTC).
_DOUBTFUL_NUMBER = sql.SQL("""truth.doubtful_personal_id(
    coalesce(r.personal_id, case when length(r.tax_code) = 12 then r.tax_code end), r.birth_date, r.sex
)""")

# The binary logarithm of the weight at the epoch. The scores of two statements differ by the same amount at
# any time, so that no golden value changes with the calendar, and scores of earlier runs stay valid.
_SCORE = sql.SQL("""(
    extract(epoch from stated_at)::float8 / {half_life}
    + (array[{trusts}])[array_position({sources}, source)]
    + case when doubtful then {downgrade} else 0 end
)""")

# Equal scores are ordered by what is stated, never by the order of delivery.
_BY_TIME = sql.SQL("stated_at desc, array_position({sources}, source), stream, source_key")


def statements(rules: Rulebook, attributes: Iterable[str]) -> sql.Composed:
    """Return a query of what the records in `linked` state; `doubtful` is about the record as a whole.

    It reads `linked` (person_key, source, stream, source_key, method). Its columns are person_key, source,
    stream, source_key, stated_at, doubtful, and the attributes.
    """
    doubts = [*doubts_of(rules).values()] or [sql.SQL("false")]
    return _STATEMENTS.format(doubtful=sql.SQL(" or ").join(doubts), attributes=columns(attributes, of="r"))


def doubts_of(rules: Rulebook) -> Mapping[str, sql.Composable]:
    """Return by name the conditions, over `linked k` and `record.person r`, that make a record doubtful."""
    doubts = rules.survivorship.doubts
    found: dict[str, sql.Composable] = {}
    if doubts.linked_by:
        found["link"] = _DOUBTFUL_LINK.format(methods=sql.Literal(list(doubts.linked_by)))
    if doubts.personal_id:
        found["personal_id"] = _DOUBTFUL_NUMBER
    return found


def precedence(rule: SurvivorshipRule) -> sql.Composed:
    """Return the `order by` that puts the golden value first."""
    by_time = _BY_TIME.format(sources=sql.Literal(list(rule.sources)))
    return sql.SQL("{} desc, {}").format(score(rule), by_time) if rule.trust else by_time


def score(rule: SurvivorshipRule) -> sql.Composed:
    """Return the binary logarithm of a statement's weight at the epoch, for a rule with `trust`."""
    if rule.trust is None or rule.half_life is None:
        raise ValueError("an authority's statements have no weight")
    return _SCORE.format(
        half_life=sql.Literal(rule.half_life.total_seconds()),
        trusts=sql.SQL(", ").join(sql.Literal(math.log2(share)) for share in rule.trust.values()),
        sources=sql.Literal(list(rule.sources)),
        downgrade=sql.Literal(math.log2(rule.doubtful)),
    )
