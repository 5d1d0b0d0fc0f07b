"""What is believed of a person, on whose word, and what was believed before."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql

from oncehub.config.rules import SurvivorshipRule
from oncehub.reconcile.rules.ranking import precedence, statements
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.reconcile.rules.statements import columns
from oncehub.reconcile.shards import Part
from oncehub.store.connection import Cursor
from oncehub.store.statements import statement

# What others than the register state of the touched people, as far as it is compared or several have a say.
# The condition is on the record, not on its link, so that the register's own are not even read.
_STATEMENTS = sql.SQL("""
create temporary table statement on commit drop as
{statements} and r.source <> {register};
analyze statement (person_key, source);
""")

# A null never wins.
_WINNER = sql.SQL("""
(
    select distinct on (person_key)
        person_key, source, stream, source_key, stated_at, doubtful, {attribute} as value
    from statement
    where {attribute} is not null and source = any({sources})
    order by person_key, {precedence}
) {winner}
""")

_ORIGIN = sql.SQL(
    "case when {table}.source is not null then jsonb_build_object("
    "'source', {table}.source, 'stream', {table}.stream, 'source_key', {table}.source_key, "
    "'as_of', {table}.stated_at, 'rule', {rule}, 'doubtful', {doubtful}) end"
)
_DOUBTFUL = sql.SQL("nullif({table}.doubtful, false)")

# Under `*` stands the register's word, for every attribute that is not named beside it.
_BELIEVED = sql.SQL("""
create temporary table believed on commit drop as
select
    k.person_key, {values}, {name_key} as name_key,
    jsonb_strip_nulls(jsonb_build_object('*', {origin} {provenance})) as provenance
from (select person_key, stream, source_key from linked where method = 'register') k
join record.person f
    on f.source = {register} and f.deleted_at is null
    and (f.stream, f.source_key) = (k.stream, k.source_key)
{winners};
create unique index on believed (person_key);
analyze believed (person_key);
""")

# A part is a range of keys: of the people of others nothing is read.
_SHIFTS = sql.SQL("""
create temporary table shift on commit drop as
select
    n.person_key,
    case when o.person_key is null then 'created' else 'changed' end as kind,
    array_remove(array[{differing}], null) as attributes,
    o.person_key is not null and exists (
        select from jsonb_each(n.provenance) e
        where e.value - 'as_of' is distinct from (o.provenance -> e.key) - 'as_of'
    ) as resourced
from believed n
left join truth.person o
    on o.person_key = n.person_key and o.person_key between %(first)s::uuid and %(last)s::uuid
where o.person_key is null or o.provenance <> n.provenance
    or ({old}) is distinct from ({new})
union all
select o.person_key, 'removed', array_remove(array[{stated}], null), false
from touched_person t join truth.person o using (person_key)
where o.person_key between %(first)s::uuid and %(last)s::uuid
    and not exists (select from believed n where n.person_key = t.person_key);
create unique index on shift (person_key);
analyze shift (person_key, kind);
""")

_CREATE = sql.SQL("""
insert into truth.person (person_key, {attributes}, provenance, believed_from)
select person_key, {believed}, n.provenance, now()
from believed n join shift s using (person_key)
where s.kind = 'created'
order by person_key
""")

# A statement that only grew younger is the same belief: neither a version nor a change.
_CHANGE = sql.SQL("""
update truth.person o
set {assignments},
    provenance = n.provenance,
    believed_from = case
        when s.attributes <> '{{}}' or s.resourced
        then greatest(now(), o.believed_from + interval '1 microsecond') else o.believed_from
    end
from believed n join shift s using (person_key)
where o.person_key = n.person_key and s.kind = 'changed'
    and o.person_key between %(first)s::uuid and %(last)s::uuid
""")


@dataclass(frozen=True)
class Shifts:
    """How many people came, changed a believed value, and went."""

    created: int
    changed: int
    removed: int


def believe(cursor: Cursor, rules: Rulebook, part: Part) -> Shifts:
    """Rewrite `truth.person` for the touched people of a part where it changed; keep the earlier versions.

    Afterwards `statement` holds what others than the register state of them, `believed` what is believed of
    them now, and `shift` what changed.
    """
    contested = rules.contested_attributes
    comparison = rules.comparison
    wanted = dict.fromkeys((*comparison.attributes, *comparison.one_record_a_person.values(), *contested))
    cursor.execute(
        _STATEMENTS.format(statements=statements(rules, wanted), register=sql.Literal(rules.register))
    )
    cursor.execute(_believed(rules))
    cursor.execute(_shifts(rules), part.keys)
    cursor.execute(statement(__name__, "versions"), part.keys)
    cursor.execute(
        _CREATE.format(attributes=columns(rules.attributes), believed=columns(rules.attributes, of="n"))
    )
    cursor.execute(_CHANGE.format(assignments=_assignments(rules)), part.keys)
    cursor.execute(
        "delete from truth.person o using shift s where o.person_key = s.person_key and s.kind = 'removed'"
    )
    return _count(cursor)


def _believed(rules: Rulebook) -> sql.Composed:
    winners = [
        sql.SQL("left join {} on {} = k.person_key").format(
            _winner(name, rule), sql.Identifier(_winning(name), "person_key")
        )
        for name, rule in rules.contested_attributes.items()
    ]
    return _BELIEVED.format(
        values=sql.SQL(", ").join(
            sql.SQL("{} as {}").format(_value(rules, name), sql.Identifier(name)) for name in rules.attributes
        ),
        name_key=_name_key(rules),
        provenance=sql.Composed(
            sql.SQL(", {}, {}").format(sql.Literal(name), _origin(_winning(name), rule))
            for name, rule in rules.contested_attributes.items()
        ),
        register=sql.Literal(rules.register),
        origin=_ORIGIN.format(
            table=sql.Identifier("f"), rule=sql.Literal("authority"), doubtful=sql.SQL("null::boolean")
        ),
        winners=sql.SQL("\n").join(winners),
    )


def _winner(name: str, rule: SurvivorshipRule) -> sql.Composed:
    return _WINNER.format(
        attribute=sql.Identifier("statement", name),
        sources=sql.Literal(list(rule.sources)),
        precedence=precedence(rule),
        winner=sql.Identifier(_winning(name)),
    )


def _origin(table: str, rule: SurvivorshipRule) -> sql.Composed:
    winner = sql.Identifier(table)
    return _ORIGIN.format(table=winner, rule=sql.Literal(rule.kind), doubtful=_DOUBTFUL.format(table=winner))


def _winning(name: str) -> str:
    return f"winner_{name}"


def _value(rules: Rulebook, name: str) -> sql.Identifier:
    return sql.Identifier("f", name) if rules.founded(name) else sql.Identifier(_winning(name), "value")


def _name_key(rules: Rulebook) -> sql.Composable:
    if rules.founded("full_name"):
        return sql.SQL("f.name_key")
    return sql.SQL("text.fold_name({})").format(_value(rules, "full_name"))


def _shifts(rules: Rulebook) -> sql.Composed:
    differing = sql.SQL("case when {} is distinct from {} then {} end")
    stated = sql.SQL("case when {} is not null then {} end")
    return _SHIFTS.format(
        differing=sql.SQL(", ").join(
            differing.format(sql.Identifier("o", name), sql.Identifier("n", name), sql.Literal(name))
            for name in rules.attributes
        ),
        stated=sql.SQL(", ").join(
            stated.format(sql.Identifier("o", name), sql.Literal(name)) for name in rules.attributes
        ),
        old=columns(rules.attributes, of="o"),
        new=columns(rules.attributes, of="n"),
    )


def _assignments(rules: Rulebook) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("n", name))
        for name in rules.attributes
    )


def _count(cursor: Cursor) -> Shifts:
    cursor.execute("select kind, count(*) from shift where attributes <> '{}' group by kind")
    counts = dict(cursor.fetchall())
    return Shifts(
        created=counts.get("created", 0), changed=counts.get("changed", 0), removed=counts.get("removed", 0)
    )
