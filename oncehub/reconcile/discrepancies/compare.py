"""Compares what linked records state with the golden records, by the rules of comparison.yaml."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.config.rules import ComparisonRule
from oncehub.reconcile.rules.agreement import agreement, catalogues
from oncehub.reconcile.rules.planner_hints import PlannerHints
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.store.connection import Cursor
from oncehub.store.statements import statement

# How a value that agrees may still differ in form; an address by the code of a former commune.
_IN_ANOTHER_FORM: Final = {
    "folded": "{stated} <> {believed}",
    "name": "{stated} <> {believed}",
    "partial_date": "length({stated}) < length({believed})",
    "address": "{stated_reformed} < {other_reformed} and {stated} ->> 'unit' <> {believed} ->> 'unit'",
}

_IMPOSSIBLE: Final = {
    "personal_id": "truth.doubtful_personal_id(s.personal_id, p.birth_date, p.sex)",
    "birth_date": (
        "(left({stated}, 4)::int not between date_part('year', s.stated_at) - 130 "
        "and date_part('year', s.stated_at))"
    ),
}

_COMPARED = sql.SQL("{kind} as {kind_name}, s.{attribute} as {stated_name}, p.{attribute} as {believed_name}")

# Without a golden value there is nothing to compare with.
_KIND = sql.SQL("""case
    when p.{attribute} is null then null
    when s.{attribute} is null then case when s.source = any({required_of}) then 'missing' end
    when s.{attribute} = p.{attribute} or {agrees} then case when {other_form} then 'form' end
    when {impossible} then 'invalid'
    else {differs}
end""")

_AS_OF = sql.SQL("(truth.origin({provenance}, {name}) ->> 'as_of')::timestamptz")

_DIFFERENCE = sql.SQL("""select
    person_key, {name}, source, stream, source_key, {kind_name},
    to_jsonb({stated_name}), to_jsonb({believed_name}), stated_at, {as_of}
from differing
where {kind_name} is not null
""")

_BORNE_BEFORE = sql.SQL("""
update found f
set kind = 'stale'
from truth.identifier i
where f.attribute = {name} and f.kind in ('conflict', 'invalid')
    and (i.scheme, i.value, i.person_key) = ({scheme}, f.source_value #>> '{{}}', f.person_key)
""")

# An authority's earlier value is one that it has withdrawn: a source that repeats it is late, not in
# conflict.
_WITHDRAWN = sql.SQL("""
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


def find_differences(cursor: Cursor, rules: Rulebook, hints: PlannerHints) -> None:
    """Fill `found` with the discrepancies of the touched people's records: one an attribute and record."""
    cursor.execute(differences(rules))
    for stream, attribute in rules.comparison.one_record_a_person.items():
        cursor.execute(duplicates(stream, attribute))
    for name, rule in rules.comparison.attributes.items():
        if rule.compare == "identifier":
            # Few numbers conflict, however many people there are.
            with hints.looking_up(cursor):
                for scheme in rules.schemes(name):
                    cursor.execute(_BORNE_BEFORE.format(name=sql.Literal(name), scheme=sql.Literal(scheme)))
        # Only of an authority: where the latest statement counts, the values in between depend on the order
        # of delivery, so that time alone decides.
        if rules.survivorship.attributes[name].authority:
            cursor.execute(withdrawn(rules, name))
            cursor.execute(still_late(rules, name))


def differences(rules: Rulebook) -> sql.Composed:
    """Return the statement that compares every attribute of comparison.yaml in one pass."""
    compared = rules.comparison.attributes
    return statement(__name__, "differences").format(
        compared=sql.SQL(",\n        ").join(
            _COMPARED.format(kind=_kind(name, rule), attribute=sql.Identifier(name), **_columns(name))
            for name, rule in compared.items()
        ),
        kinds=sql.SQL(", ").join(_columns(name)["kind_name"] for name in compared),
        differences=sql.SQL("union all\n").join(_difference(name) for name in compared),
    )


def duplicates(stream: str, attribute: str) -> sql.Composed:
    """Return the statement that finds second records in `source.stream`, reported under an attribute."""
    source, _, collection = stream.partition(".")
    return statement(__name__, "duplicates").format(
        name=sql.Literal(attribute),
        attribute=sql.Identifier(attribute),
        source=sql.Literal(source),
        stream=sql.Literal(collection),
    )


def withdrawn(rules: Rulebook, name: str) -> sql.Composed:
    """Return the statement that makes conflicts with an authority's earlier value stale."""
    agrees = _agrees_in_json(rules, name, sql.SQL("v.believed"), sql.Literal([name]))
    return _WITHDRAWN.format(name=sql.Literal(name), agrees=agrees)


def still_late(rules: Rulebook, name: str) -> sql.Composed:
    """Return the statement that keeps a stale value stale when its record is stated again."""
    agrees = _agrees_in_json(rules, name, sql.SQL("d.source_value"), sql.SQL("'{{}}'").format())
    return _STILL_LATE.format(name=sql.Literal(name), agrees=agrees)


def _columns(name: str) -> dict[str, sql.Identifier]:
    return {f"{what}_name": sql.Identifier(f"{what}_{name}") for what in ("kind", "stated", "believed")}


def _kind(name: str, rule: ComparisonRule) -> sql.Composed:
    values = {"stated": sql.Identifier("s", name), "believed": sql.Identifier("p", name)}
    other_form = _IN_ANOTHER_FORM[rule.compare] if rule.form else "false"
    impossible = _IMPOSSIBLE[rule.valid] if rule.valid else "false"
    return _KIND.format(
        attribute=sql.Identifier(name),
        required_of=sql.Literal(list(rule.required_of)),
        agrees=agreement(rule, values["stated"], values["believed"]),
        other_form=sql.SQL(other_form).format(**values, **catalogues(values["stated"], values["believed"])),
        impossible=sql.SQL(impossible).format(stated=values["stated"]),
        differs=_differs(name, rule),
    )


def _differs(name: str, rule: ComparisonRule) -> sql.Composable:
    if rule.compare == "life_status":
        return sql.Literal("deceased")
    if rule.changes == "never":
        return sql.Literal("conflict")
    as_of = _AS_OF.format(provenance=sql.Identifier("p", "provenance"), name=sql.Literal(name))
    return sql.SQL("case when s.stated_at < {} then 'stale' else 'conflict' end").format(as_of)


def _difference(name: str) -> sql.Composed:
    as_of = _AS_OF.format(provenance=sql.Identifier("provenance"), name=sql.Literal(name))
    return _DIFFERENCE.format(name=sql.Literal(name), as_of=as_of, **_columns(name))


def _agrees_in_json(
    rules: Rulebook, name: str, document: sql.Composable, path: sql.Composable
) -> sql.Composed:
    """Return the condition that the value in `found` agrees with the value at a path of a JSON document."""
    take = sql.SQL("#>" if rules.person.attributes[name].type == "object" else "#>>")
    stated = sql.SQL("(f.source_value {} '{{}}')").format(take)
    other = sql.SQL("({} {} {})").format(document, take, path)
    return agreement(rules.comparison.attributes[name], stated, other)
