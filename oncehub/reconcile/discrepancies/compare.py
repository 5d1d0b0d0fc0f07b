"""What linked records state, held against what is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from psycopg2 import sql

from oncehub.config.administrative_units import REFORM
from oncehub.config.rules import ComparisonRule
from oncehub.reconcile.rules.planner_hints import Scale
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.store.connection import Cursor

# Whether a stated value is the other one, but for its form. The address: its code is read in the catalogue
# that was in force on the day it names, and a commune of the earlier catalogue is the later one it became (a
# split one, any of them); what one side leaves out is no difference, the catalogue included: a code that
# names none may stand in either.
_AGREE: Final = {
    "exact": sql.SQL("{stated} = {other}"),
    "identifier": sql.SQL("{stated} = {other}"),
    "folded": sql.SQL("({stated} = {other} or text.fold({stated}) = text.fold({other}))"),
    "name": sql.SQL("{stated} = {other}"),
    "partial_date": sql.SQL("truth.same_partial_date({stated}, {other})"),
    "life_status": sql.SQL("({stated} <> 'alive' or {other} <> 'deceased')"),
    "address": sql.SQL("""(
        {stated} = {other}
        or case
            when {stated} ->> 'unit' is null or {other} ->> 'unit' is null then true
            when coalesce(
                {stated_reformed} = {other_reformed},
                {stated} ->> 'unit' = {other} ->> 'unit'
            ) then {stated} ->> 'unit' = {other} ->> 'unit'
            when coalesce({stated_reformed} < {other_reformed}, true) and exists (
                select from truth.unit_successor u
                where u.former_unit = {stated} ->> 'unit' and u.present_unit = {other} ->> 'unit'
            ) then true
            when coalesce({stated_reformed} > {other_reformed}, true) then exists (
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

# In which way a value that agrees is in another form nevertheless; an address, in a former commune's code.
_IN_ANOTHER_FORM: Final = {
    "folded": sql.SQL("{stated} <> {believed}"),
    "name": sql.SQL("{stated} <> {believed}"),
    "partial_date": sql.SQL("length({stated}) < length({believed})"),
    "address": sql.SQL(
        "{stated_reformed} < {other_reformed} and {stated} ->> 'unit' <> {believed} ->> 'unit'"
    ),
}

_IMPOSSIBLE: Final = {
    "personal_id": sql.SQL("truth.doubtful_personal_id(s.personal_id, p.birth_date, p.sex)"),
    "birth_date": sql.SQL(
        "(left({stated}, 4)::int not between date_part('year', s.stated_at) - 130 "
        "and date_part('year', s.stated_at))"
    ),
}

# One pass over all that is stated keeps the records that differ in anything, each attribute's kind beside it.
_DIFFERING = sql.SQL("""
create temporary table differing on commit drop as
select *
from (
    select s.person_key, s.source, s.stream, s.source_key, s.stated_at, p.provenance, {compared}
    from statement s join believed p using (person_key)
) compared
where coalesce({kinds}) is not null
""")

_COMPARED = sql.SQL("{kind} as {kind_name}, s.{attribute} as {stated_name}, p.{attribute} as {believed_name}")

# What is not stated is missing where it is required; nothing is held against what nobody believes.
_KIND = sql.SQL("""case
    when p.{attribute} is null then null
    when s.{attribute} is null then {missing}
    when {stated} = {believed} then {form}
    when {agrees} then {form}
    {invalid}
    else {differs}
end""")

_AS_OF = sql.SQL("(truth.origin({provenance}, {name}) ->> 'as_of')::timestamptz")

_TELL = sql.SQL("""
select
    person_key, {name}, source, stream, source_key, {kind_name},
    to_jsonb({stated_name}), to_jsonb({believed_name}), stated_at, {as_of}
from differing
where {kind_name} is not null
""")

# Of a person's several records in a stream that should hold one, that with the lowest key is kept: keys are
# given out in order, and unlike the times of statement they stay. A branch belongs to what it is a branch of.
_DUPLICATES = sql.SQL("""
insert into found
select
    s.person_key, {name}, s.source, s.stream, s.source_key, 'duplicate',
    to_jsonb(s.source_key), to_jsonb(s.kept), s.stated_at, null
from (
    select
        person_key, source, stream, source_key, stated_at,
        min(source_key collate "C") over (partition by person_key) as kept
    from statement s
    where (source, stream) = ({source}, {stream}) and {no_branch}
) s
where s.source_key <> s.kept and not exists (
    select from found f
    where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
        = (s.source, s.stream, s.source_key, {name}, s.person_key)
)
""")

_NO_BRANCH = sql.SQL("text.identifying({name}, s.{attribute}) is not distinct from s.{attribute}")

_BORNE_BEFORE = sql.SQL("""
update found f
set kind = 'stale'
from truth.identifier i
where f.attribute = {name} and f.kind in ('conflict', 'invalid')
    and (i.scheme, i.value, i.person_key) = ({scheme}, f.stated #>> '{{}}', f.person_key)
""")

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


def find_differences(cursor: Cursor, rules: Rulebook, scale: Scale) -> None:
    """Fill `found` with every disagreement of the touched people's records, one an attribute and record."""
    compared = rules.comparison.attributes
    cursor.execute(_differing(rules))
    told = sql.SQL(" union all ").join(_tell(name) for name in compared)
    cursor.execute(sql.SQL("insert into found ") + told)
    cursor.execute("analyze found")
    for stream, attribute in rules.comparison.one_record_a_person.items():
        cursor.execute(_duplicates(stream, attribute))
    for name, rule in compared.items():
        if rule.compare == "identifier":
            # Numbers at odds are few, of however many people.
            with scale.looking_up(cursor):
                for scheme in rules.schemes(name):
                    cursor.execute(_BORNE_BEFORE.format(name=sql.Literal(name), scheme=sql.Literal(scheme)))
        # An authority's earlier word is one that it has taken back: who repeats it is late, not at odds.
        # Where the latest statement counts, time alone decides, for what was believed in between depends
        # on the order of delivery.
        if rules.survivorship.attributes[name].authority:
            cursor.execute(_taken_back(rules, name, rule))
            cursor.execute(_still_late(rules, name, rule))


def agreement(rule: ComparisonRule, stated: sql.Composable, other: sql.Composable) -> sql.Composed:
    """Return the condition that a stated value is the other one, but for its form; neither may be null."""
    return _agrees(rule, _folded(rule, stated), _folded(rule, other))


def _differing(rules: Rulebook) -> sql.Composed:
    compared = rules.comparison.attributes
    return _DIFFERING.format(
        compared=sql.SQL(", ").join(
            _COMPARED.format(kind=_kind(name, rule), attribute=sql.Identifier(name), **_columns(name))
            for name, rule in compared.items()
        ),
        kinds=sql.SQL(", ").join(_columns(name)["kind_name"] for name in compared),
    )


def _columns(name: str) -> dict[str, sql.Identifier]:
    return {f"{what}_name": sql.Identifier(f"{what}_{name}") for what in ("kind", "stated", "believed")}


def _kind(name: str, rule: ComparisonRule) -> sql.Composed:
    raw = {"stated": sql.Identifier("s", name), "believed": sql.Identifier("p", name)}
    stated, believed = _compared("s", name, rule), _compared("p", name, rule)
    otherwise = _in_another_form(rule, raw) if rule.form else None
    return _KIND.format(
        attribute=sql.Identifier(name),
        stated=stated,
        believed=believed,
        missing=_when(_one_of(rule.required_of), "missing") if rule.required_of else sql.NULL,
        form=_when(otherwise, "form") if otherwise else sql.NULL,
        agrees=_agrees(rule, stated, believed),
        invalid=_invalid(rule, raw["stated"]),
        differs=_differs(name, rule),
    )


def _in_another_form(rule: ComparisonRule, raw: Mapping[str, sql.Identifier]) -> sql.Composed:
    return _IN_ANOTHER_FORM[rule.compare].format(**raw, **_catalogues(raw["stated"], raw["believed"]))


def _when(condition: sql.Composable, kind: str) -> sql.Composed:
    return sql.SQL("case when {} then {} end").format(condition, sql.Literal(kind))


def _one_of(sources: tuple[str, ...]) -> sql.Composed:
    return sql.SQL("s.source = any({})").format(sql.Literal(list(sources)))


def _invalid(rule: ComparisonRule, stated: sql.Identifier) -> sql.Composable:
    if rule.valid is None:
        return sql.SQL("")
    return sql.SQL("when {} then 'invalid'").format(_IMPOSSIBLE[rule.valid].format(stated=stated))


def _differs(name: str, rule: ComparisonRule) -> sql.Composable:
    if rule.compare == "life_status":
        return sql.Literal("deceased")
    if rule.changes == "never":
        return sql.Literal("conflict")
    as_of = _AS_OF.format(provenance=sql.Identifier("p", "provenance"), name=sql.Literal(name))
    return sql.SQL("case when s.stated_at < {} then 'stale' else 'conflict' end").format(as_of)


def _tell(name: str) -> sql.Composed:
    as_of = _AS_OF.format(provenance=sql.Identifier("provenance"), name=sql.Literal(name))
    return _TELL.format(name=sql.Literal(name), as_of=as_of, **_columns(name))


def _duplicates(stream: str, attribute: str) -> sql.Composed:
    source, _, collection = stream.partition(".")
    name = sql.Literal(attribute)
    return _DUPLICATES.format(
        name=name,
        source=sql.Literal(source),
        stream=sql.Literal(collection),
        no_branch=_NO_BRANCH.format(name=name, attribute=sql.Identifier(attribute)),
    )


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
    return agreement(rule, stated, other)


def _agrees(rule: ComparisonRule, stated: sql.Composable, other: sql.Composable) -> sql.Composed:
    return _AGREE[rule.compare].format(stated=stated, other=other, **_catalogues(stated, other))


def _catalogues(stated: sql.Composable, other: sql.Composable) -> dict[str, sql.Composed]:
    """Of addresses, whether each is coded by the catalogue of 2025."""
    return {
        f"{side}_reformed": sql.SQL("({} ->> 'edition' >= {})").format(address, sql.Literal(REFORM))
        for side, address in (("stated", stated), ("other", other))
    }


def _folded(rule: ComparisonRule, value: sql.Composable) -> sql.Composable:
    return sql.SQL("text.fold_name({})").format(value) if rule.compare == "name" else value
