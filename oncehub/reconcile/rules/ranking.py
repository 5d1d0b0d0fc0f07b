"""Which of several statements of an attribute is believed: the run decides by it, `explain` tells of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from psycopg2 import sql

from oncehub.config.rules import SurvivorshipRule
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.reconcile.rules.statements import columns

# What the records linked to people state, and whether the record as a whole is in doubt.
_STATEMENTS = sql.SQL("""
select k.person_key, source, stream, source_key, r.stated_at, r.name_key, {doubtful} as doubtful, {attributes}
from linked k join record.person r using (source, stream, source_key)
where r.deleted_at is null
""")

_DOUBTFUL_LINK = sql.SQL("k.method = any({methods})")
# A tax code of twelve digits is the personal number.
_DOUBTFUL_NUMBER = sql.SQL("""truth.doubtful_personal_id(
    coalesce(r.personal_id, case when length(r.tax_code) = 12 then r.tax_code end), r.birth_date, r.sex
)""")

# The binary logarithm of the weight at the epoch. Between two statements it differs as the weights do at any
# time, so that nobody's belief turns with the calendar, and yesterday's weighing need not be repeated.
_SCORE = sql.SQL("""(
    extract(epoch from stated_at)::float8 / {half_life}
    + (array[{trusts}])[array_position({sources}, source)]
    + case when doubtful then {downgrade} else 0 end
)""")

# Equals are told apart by what is stated, never by when it was delivered.
_BY_TIME = sql.SQL("stated_at desc, array_position({sources}, source), stream, source_key")


def statements(rules: Rulebook, attributes: Iterable[str]) -> sql.Composed:
    """Return a query of what records in `linked` (person_key, source, stream, source_key, method) state.

    Its columns: person_key, source, stream, source_key, stated_at, name_key, doubtful, and the attributes.
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
    """Return the `order by` that puts the believed one of the statements with a say first."""
    by_time = _BY_TIME.format(sources=sql.Literal(list(rule.sources)))
    return sql.SQL("{} desc, {}").format(score(rule), by_time) if rule.trust else by_time


def score(rule: SurvivorshipRule) -> sql.Composed:
    """Return the binary logarithm of a statement's weight at the epoch, under a rule that weighs."""
    if rule.trust is None or rule.half_life is None:
        raise ValueError("an authority's word is not weighed")
    return _SCORE.format(
        half_life=sql.Literal(rule.half_life.total_seconds()),
        trusts=sql.SQL(", ").join(sql.Literal(math.log2(share)) for share in rule.trust.values()),
        sources=sql.Literal(list(rule.sources)),
        downgrade=sql.Literal(math.log2(rule.doubtful)),
    )
