"""What linked records state, held against what is believed."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 names its class in lower case

from oncehub.model.rules import ComparisonRule
from oncehub.reconcile.rulebook import Rulebook

# Whether a stated value is the other one, but for its form. The address: a commune of an earlier catalogue is
# the later one it became (a split one, any of them); what one side leaves out is no difference, the catalogue
# included: a code that names none may stand in either.
_AGREE: Final = {
    "exact": sql.SQL("{stated} = {other}"),
    "folded": sql.SQL("({stated} = {other} or text.fold({stated}) = text.fold({other}))"),
    "name": sql.SQL("{stated} = {other}"),
    "partial_date": sql.SQL("truth.same_partial_date({stated}, {other})"),
    "life_status": sql.SQL("({stated} <> 'alive' or {other} <> 'deceased')"),
    "address": sql.SQL("""(
        {stated} = {other}
        or case
            when {stated} ->> 'unit' is null or {other} ->> 'unit' is null then true
            when coalesce(
                {stated} ->> 'edition' = {other} ->> 'edition', {stated} ->> 'unit' = {other} ->> 'unit'
            ) then {stated} ->> 'unit' = {other} ->> 'unit'
            when coalesce({stated} ->> 'edition' < {other} ->> 'edition', true) and exists (
                select from truth.unit_successor u
                where u.former_unit = {stated} ->> 'unit' and u.present_unit = {other} ->> 'unit'
            ) then true
            when coalesce({stated} ->> 'edition' > {other} ->> 'edition', true) then exists (
                select from truth.unit_successor u
                where u.former_unit = {other} ->> 'unit' and u.present_unit = {stated} ->> 'unit'
            )
            else false
        end
        and coalesce(
            {stated} ->> 'detail' = {other} ->> 'detail'
            or text.fold({stated} ->> 'detail') = text.fold({other} ->> 'detail'),
            true
        )
    )"""),
}

# The register's records are not compared with themselves, nor anything with what nobody states.
_DIFFERENCES = sql.SQL("""
insert into found
select
    s.person_key, {name}, s.source, s.stream, s.source_key, {kind},
    to_jsonb(s.{attribute}), to_jsonb(p.{attribute}), s.stated_at, p.as_of
from statement s
join (
    select *, (truth.origin(provenance, {name}) ->> 'as_of')::timestamptz as as_of from believed
) p using (person_key)
where s.source <> {register} and s.{attribute} is not null and p.{attribute} is not null
    and ({agrees}) is not true
""")

_IN_LIFE = sql.SQL("case when s.stated_at < p.as_of then 'stale' else 'conflict' end")

_TAKEN_BACK = sql.SQL("""
update found f
set kind = 'stale'
from truth.person_version v
where f.attribute = {name} and f.kind = 'conflict' and v.person_key = f.person_key
    and v.believed ? {name} and {agrees}
""")

# A record is stated as a whole: a phone changed today does not make the old address beside it a new one.
_STILL_LATE = sql.SQL("""
update found f
set kind = 'stale'
from truth.discrepancy d
where f.attribute = {name} and f.kind = 'conflict' and {agrees}
    and d.closed_at is null and d.kind = 'stale'
    and (d.person_key, d.attribute, d.source, d.stream, d.source_key)
        = (f.person_key, f.attribute, f.source, f.stream, f.source_key)
""")


def find_differences(cursor: Cursor, rules: Rulebook) -> None:
    """Fill `found` with every disagreement of the touched people's records."""
    for name, rule in rules.comparison.attributes.items():
        cursor.execute(_differences(rules, name, rule))
    cursor.execute("analyze found")
    for name, rule in rules.comparison.attributes.items():
        # An authority's earlier word is one that it has taken back: who repeats it is late, not at odds.
        # Where the latest statement counts, time alone decides, for what was believed in between depends
        # on the order of delivery.
        if rules.survivorship.attributes[name].authority:
            cursor.execute(_taken_back(rules, name, rule))
            cursor.execute(_still_late(rules, name, rule))


def _differences(rules: Rulebook, name: str, rule: ComparisonRule) -> sql.Composed:
    return _DIFFERENCES.format(
        name=sql.Literal(name),
        attribute=sql.Identifier(name),
        kind=_kind(rule),
        register=sql.Literal(rules.register),
        agrees=_agrees(rule, _compared("s", name, rule), _compared("p", name, rule)),
    )


def _kind(rule: ComparisonRule) -> sql.Composable:
    if rule.compare == "life_status":
        return sql.Literal("deceased")
    return _IN_LIFE if rule.changes == "in_life" else sql.Literal("conflict")


def _compared(table: str, name: str, rule: ComparisonRule) -> sql.Composable:
    """The value, or of a name what is left of it without case, accents and spaces, stored for `full_name`."""
    if rule.compare == "name" and name == "full_name":
        return sql.Identifier(table, "name_key")
    return _folded(rule, sql.Identifier(table, name))


def _taken_back(rules: Rulebook, name: str, rule: ComparisonRule) -> sql.Composed:
    agrees = _stated_agrees(rules, name, rule, sql.SQL("v.believed"), sql.Literal([name]))
    return _TAKEN_BACK.format(name=sql.Literal(name), agrees=agrees)


def _still_late(rules: Rulebook, name: str, rule: ComparisonRule) -> sql.Composed:
    agrees = _stated_agrees(rules, name, rule, sql.SQL("d.stated"), sql.SQL("'{{}}'").format())
    return _STILL_LATE.format(name=sql.Literal(name), agrees=agrees)


def _stated_agrees(
    rules: Rulebook, name: str, rule: ComparisonRule, holder: sql.Composable, place: sql.Composable
) -> sql.Composed:
    """Whether what `found` says was stated is the value at a place of a JSON holder, but for its form."""
    take = sql.SQL("#>" if rules.person.attributes[name].type == "object" else "#>>")
    stated = sql.SQL("(f.stated {} '{{}}')").format(take)
    other = sql.SQL("({} {} {})").format(holder, take, place)
    return _agrees(rule, _folded(rule, stated), _folded(rule, other))


def _agrees(rule: ComparisonRule, stated: sql.Composable, other: sql.Composable) -> sql.Composed:
    return _AGREE[rule.compare].format(stated=stated, other=other)


def _folded(rule: ComparisonRule, value: sql.Composable) -> sql.Composable:
    return sql.SQL("text.fold_name({})").format(value) if rule.compare == "name" else value
