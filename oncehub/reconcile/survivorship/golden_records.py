"""Computes and stores golden records: each attribute's first statement in the order of `ranking`."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql

from oncehub.config.rules import SurvivorshipRule
from oncehub.reconcile.rules.columns import columns, selected
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.reconcile.shards import Shard
from oncehub.reconcile.survivorship.ranking import precedence, statements
from oncehub.store.connection import Cursor
from oncehub.store.statements import statement

# The condition is on the record, not on its link, so that the register's own records are not read.
_STATEMENTS = sql.SQL("""
create temporary table statement on commit drop as
{statements} and r.source <> {register};
analyze statement (person_key, source);
""")

# A null never wins.
_WINNER = sql.SQL(""",
{winner} as (
    select distinct on (person_key)
        person_key, source, stream, source_key, stated_at, doubtful, {attribute} as value
    from statement
    where {attribute} is not null and source = any({sources})
    order by person_key, {precedence}
)""")

_ORIGIN = sql.SQL(
    "case when {table}.source is not null then jsonb_build_object("
    "'source', {table}.source, 'stream', {table}.stream, 'source_key', {table}.source_key, "
    "'as_of', {table}.stated_at, 'rule', {rule}, 'doubtful', {doubtful}) end"
)


@dataclass(frozen=True)
class GoldenChanges:
    """How many golden records were created, changed a value, and were removed."""

    created: int
    changed: int
    removed: int


def update_golden_records(cursor: Cursor, rules: Rulebook, shard: Shard) -> GoldenChanges:
    """Bring `truth.person`, its versions and `share.change` up to date for the touched people of a shard.

    Afterwards `statement` holds what sources other than the register state of them, `golden` their golden
    records, and `golden_change` what changed.
    """
    cursor.execute(statement_table(rules))
    cursor.execute(golden_table(rules))
    cursor.execute(changes_table(rules), shard.keys)
    cursor.execute(store_changes(rules), shard.keys)
    cursor.execute("select kind, count(*) from golden_change where attributes <> '{}' group by kind")
    counts = dict(cursor.fetchall())
    return GoldenChanges(*(counts.get(kind, 0) for kind in ("created", "changed", "removed")))


def statement_table(rules: Rulebook) -> sql.Composed:
    """Return the statement that makes `statement`, of the attributes that are compared or ranked."""
    comparison = rules.comparison
    wanted = dict.fromkeys(
        (*comparison.attributes, *comparison.one_record_a_person.values(), *rules.contested_attributes)
    )
    return _STATEMENTS.format(statements=statements(rules, wanted), register=sql.Literal(rules.register))


def golden_table(rules: Rulebook) -> sql.Composed:
    """Return the statement that makes `golden` from `linked` and `statement`."""
    contested = rules.contested_attributes
    return statement(__name__, "golden").format(
        winners=sql.Composed(_winner(name, rule) for name, rule in contested.items()),
        values=selected({name: _value(rules, name) for name in rules.attributes}),
        register_origin=_origin("f", "authority", sql.SQL("null::boolean")),
        origins=sql.Composed(
            sql.SQL(",\n    {}, {}").format(
                sql.Literal(name),
                _origin(
                    _winning(name),
                    rule.kind,
                    sql.SQL("nullif({}, false)").format(sql.Identifier(_winning(name), "doubtful")),
                ),
            )
            for name, rule in contested.items()
        ),
        register=sql.Literal(rules.register),
        joins=sql.SQL("\n").join(
            sql.SQL("left join {winner} on {winner}.person_key = k.person_key").format(
                winner=sql.Identifier(_winning(name))
            )
            for name in contested
        ),
    )


def changes_table(rules: Rulebook) -> sql.Composed:
    """Return the statement that makes `golden_change` from `golden`, for the keys of a shard."""
    differing = sql.SQL("case when {} is distinct from {} then {} end")
    stated = sql.SQL("case when {} is not null then {} end")
    return statement(__name__, "changes").format(
        differing=sql.SQL(",\n        ").join(
            differing.format(sql.Identifier("o", name), sql.Identifier("n", name), sql.Literal(name))
            for name in rules.attributes
        ),
        stated=sql.SQL(",\n        ").join(
            stated.format(sql.Identifier("o", name), sql.Literal(name)) for name in rules.attributes
        ),
        old=columns(rules.attributes, of="o"),
        new=columns(rules.attributes, of="n"),
    )


def store_changes(rules: Rulebook) -> sql.Composed:
    """Return the statements that store what is in `golden` and `golden_change`, for the keys of a shard."""
    return statement(__name__, "store").format(
        attributes=columns(rules.attributes),
        new=columns(rules.attributes, of="n"),
        assignments=sql.SQL(",\n    ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("n", name))
            for name in rules.attributes
        ),
    )


def _winner(name: str, rule: SurvivorshipRule) -> sql.Composed:
    return _WINNER.format(
        attribute=sql.Identifier("statement", name),
        sources=sql.Literal(list(rule.sources)),
        precedence=precedence(rule),
        winner=sql.Identifier(_winning(name)),
    )


def _origin(table: str, rule: str, doubtful: sql.Composable) -> sql.Composed:
    return _ORIGIN.format(table=sql.Identifier(table), rule=sql.Literal(rule), doubtful=doubtful)


def _winning(name: str) -> str:
    return f"winner_{name}"


def _value(rules: Rulebook, name: str) -> sql.Identifier:
    return sql.Identifier("f", name) if rules.founded(name) else sql.Identifier(_winning(name), "value")
