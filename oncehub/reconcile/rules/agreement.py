"""SQL of `compare:` in comparison.yaml: when two values are equal but for their form."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.config.administrative_units import REFORM
from oncehub.config.rules import ComparisonRule
from oncehub.store.statements import statement

_AGREE: Final = {
    "exact": sql.SQL("{stated} = {other}"),
    "identifier": sql.SQL("{stated} = {other}"),
    "folded": sql.SQL("({stated} = {other} or text.fold({stated}) = text.fold({other}))"),
    "name": sql.SQL("({stated} = {other} or text.fold_name({stated}) = text.fold_name({other}))"),
    "partial_date": sql.SQL("truth.same_partial_date({stated}, {other})"),
    "life_status": sql.SQL("({stated} <> 'alive' or {other} <> 'deceased')"),
    "address": statement(__name__, "same_address"),
}


def agreement(rule: ComparisonRule, stated: sql.Composable, other: sql.Composable) -> sql.Composed:
    """Return the condition that two values are equal but for their form; neither may be null."""
    return _AGREE[rule.compare].format(stated=stated, other=other, **catalogues(stated, other))


def catalogues(stated: sql.Composable, other: sql.Composable) -> dict[str, sql.Composed]:
    """Return, for two addresses, the conditions that they use the catalogue of 2025."""
    return {
        f"{side}_reformed": sql.SQL("({} ->> 'edition' >= {})").format(address, sql.Literal(REFORM))
        for side, address in (("stated", stated), ("other", other))
    }
