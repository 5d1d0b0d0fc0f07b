"""What linked records state, held against what is believed."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 names its class in lower case

from oncehub.model.rules import ComparisonRule
from oncehub.reconcile.rulebook import Rulebook
from oncehub.reconcile.statements import statement

# Whether a stated value is the other one, but for its form. The address: a commune of an earlier catalogue is
# the later one it became (a split one, any of them); what one side leaves out is no difference.
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
            when {stated} ->> 'edition' is not distinct from {other} ->> 'edition'
                then {stated} ->> 'unit' = {other} ->> 'unit'
            when {stated} ->> 'edition' < {other} ->> 'edition' then exists (
                select from truth.unit_successor u
                where u.former_unit = {stated} ->> 'unit' and u.present_unit = {other} ->> 'unit'
            )
            else exists (
                select from truth.unit_successor u
                where u.former_unit = {other} ->> 'unit' and u.present_unit = {stated} ->> 'unit'
            )
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
    select *, (provenance -> {name} ->> 'as_of')::timestamptz as as_of from truth.person
) p using (person_key)
where s.source <> {register} and s.{attribute} is not null and p.{attribute} is not null
    and ({agrees}) is not true
""")

_KIND = sql.SQL("case when {stale} then 'stale' else 'conflict' end")

_BELIEVED_EARLIER = sql.SQL("""exists (
    select from truth.person_version v where v.person_key = s.person_key and {agrees}
)""")


def find_differences(cursor: Cursor, rules: Rulebook) -> None:
    """Fill `found` with every disagreement of the touched people's records, and the refused links."""
    for name, rule in rules.comparison.attributes.items():
        cursor.execute(
            _DIFFERENCES.format(
                name=sql.Literal(name),
                attribute=sql.Identifier(name),
                kind=_kind(rules, name, rule),
                register=sql.Literal(rules.register),
                agrees=_agrees(rule, _stated(name, rule), _believed(name, rule)),
            )
        )
    cursor.execute(statement("wrong_persons"))


def _agrees(rule: ComparisonRule, stated: sql.Composable, other: sql.Composable) -> sql.Composed:
    return _AGREE[rule.compare].format(stated=stated, other=other)


def _kind(rules: Rulebook, name: str, rule: ComparisonRule) -> sql.Composable:
    if rule.compare == "life_status":
        return sql.Literal("deceased")
    tests: list[sql.Composable] = []
    if rule.changes == "in_life":
        tests.append(sql.SQL("s.stated_at < p.as_of"))
    if rules.survivorship.attributes[name].authority:
        # Where the latest statement counts, time alone decides: what was believed in between depends on
        # the order of delivery. An authority's earlier word is one that it has taken back.
        agrees = _agrees(rule, _stated(name, rule), _believed_before(rules, name, rule))
        tests.append(_BELIEVED_EARLIER.format(agrees=agrees))
    return _KIND.format(stale=sql.SQL(" or ").join(tests)) if tests else sql.Literal("conflict")


def _stated(name: str, rule: ComparisonRule) -> sql.Composable:
    return _formless(name, rule, sql.Identifier("s", name), sql.Identifier("s", "name_key"))


def _believed(name: str, rule: ComparisonRule) -> sql.Composable:
    return _formless(name, rule, sql.Identifier("p", name), sql.Identifier("p", "name_key"))


def _believed_before(rules: Rulebook, name: str, rule: ComparisonRule) -> sql.Composable:
    take = "->" if rules.person.attributes[name].type == "object" else "->>"
    value = sql.SQL("(v.believed {} {})").format(sql.SQL(take), sql.Literal(name))
    return sql.SQL("text.fold_name({})").format(value) if rule.compare == "name" else value


def _formless(name: str, rule: ComparisonRule, value: sql.Composable, key: sql.Composable) -> sql.Composable:
    """The value, or of a name its key without case, accents and spaces, which `full_name` has stored."""
    if rule.compare != "name":
        return value
    return key if name == "full_name" else sql.SQL("text.fold_name({})").format(value)
