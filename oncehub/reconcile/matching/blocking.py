"""Blocking by look-ups: people to compare a record with, records that a changed person draws in.

A blocking key is stored as a digest of 64 bits. When two keys have the same digest by accident, the pair is
compared and found to differ. For many records at once see `bulk_blocking`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from psycopg2 import sql

from oncehub.config.rules import STATED_BY_OTHERS, BlockingKey, ModelRules
from oncehub.reconcile.matching.features import key_column, key_of
from oncehub.store.connection import Cursor
from oncehub.store.statements import statement

Rule = Sequence[BlockingKey]

_UNMATCHED_KEY: Final = sql.SQL("""
insert into unmatched_key
select r.id, k.key, k.rule, {own}
from {records} r cross join lateral (values {keys}) k (key, rule)
where k.key is not null
""")

REFORMED: Final = sql.SQL("""
select f.*, u.present_unit as commune
from record_feature f join truth.unit_successor u on u.former_unit = f.by_commune
where f.former and u.present_unit <> f.by_commune
union all
select f.*, u.former_unit
from record_feature f join truth.unit_successor u on u.present_unit = f.by_commune
where not f.former and u.former_unit <> f.by_commune
""")
"""The records of `record_feature`, once for each successor or predecessor of their commune."""

_KEPT: Final = sql.SQL("""(
    select id, array_agg(key order by key) as keys
    from unmatched_key
    where own or key in (select key from oversized)
    group by id
)""")
_KEPT_OF_MANY: Final = sql.SQL("""(
    select r.id, array_remove(array[{keys}], null) || coalesce(b.keys, array[]::bigint[]) as keys
    from record_feature r
    left join (select id, array_agg(key) as keys from kept_reformed_key group by id) b using (id)
)""")

# At most as many people for each key as show whether it is oversized.
_FIND_REGISTERED: Final = sql.SQL("""
insert into key_person
select k.key, {rule}, truth.person_key(p.source, p.stream, p.source_key)
from (select distinct key from {keys} where rule = {rule}) k
cross join lateral (
    select p.source, p.stream, p.source_key
    from record.person p
    where {digest} = k.key and p.source = {register} and p.deleted_at is null
    limit {enough}
) p
""")

# A merged person is replaced by the survivor.
_COUNT_BLOCKS: Final = """
update key_person p set person_key = j.survivor from truth.merged_person j where j.person_key = p.person_key;
insert into oversized select key, rule from key_person group by key, rule having count(*) > %s;
delete from key_person p using oversized c where c.key = p.key;
"""

# A record is stored with the commune that it states; a person is therefore looked up with their commune's
# predecessors and successors, too.
_CHANGED_KEY: Final = sql.SQL("""
insert into changed_key
select distinct {digest}
from changed_person c
join truth.link k on k.person_key = c.person_key and k.method in ('register', 'merged')
join record.person r using (source, stream, source_key)
{communes}
where {digest} is not null
""")

_SPREAD: Final = sql.SQL("""cross join lateral (
    select r.permanent_address ->> 'unit' as commune
    union
    select u.present_unit from truth.unit_successor u where u.former_unit = r.permanent_address ->> 'unit'
    union
    select u.former_unit from truth.unit_successor u where u.present_unit = r.permanent_address ->> 'unit'
) reformed""")

_CHANGED_KEY_OF_OTHERS: Final = sql.SQL("""
insert into changed_key
select distinct {digest}
from evidence_record t join record.person r using (source, stream, source_key)
where {digest} is not null
""")

_MANY: Final = """
select (select count(*) from unmatched) * %s > sum(reltuples)
from pg_class where oid = %s::regclass
"""

_INDEXES: Final = """
select relname from pg_class
where relnamespace = 'record'::regnamespace and relkind in ('i', 'I') and relname like 'match\\_%'
    and not relispartition
"""


def note_keys(cursor: Cursor, rules: ModelRules) -> None:
    """Fill `unmatched_key` (id, key, rule, own) for the records in `record_feature`.

    `own` is false for keys with a successor or predecessor of the record's commune.
    """
    _note_keys(cursor, rules.blocking, "record_feature")
    reformed = [rule for rule in rules.blocking if "commune" in rule]
    if reformed:
        cursor.execute(
            sql.SQL("create temporary table record_reformed on commit drop as {}").format(REFORMED)
        )
        _note_keys(cursor, reformed, "record_reformed", commune=sql.Identifier("r", "commune"))
    cursor.execute("analyze unmatched_key")


def are_many(cursor: Cursor, rules: ModelRules, register: str) -> bool:
    """Tell whether reading all people of the register costs less than looking up the keys of the records."""
    cursor.execute(_MANY, (len(rules.blocking), f"record.person_{register}"))
    return cursor.fetchone() == (True,)


def kept_keys(rules: ModelRules, *, of_many: bool) -> sql.Composable:
    """Return the SQL of the keys that will draw the records in: `id` and `keys`, an array without null.

    New people are looked up with the predecessors and successors of their commune, so that the records' own
    keys suffice; an oversized block is looked up by the same key only, which is therefore stored, too.
    """
    if of_many:
        return _KEPT_OF_MANY.format(keys=sql.SQL(", ").join(map(noted_digest, rules.blocking)))
    return _KEPT


def find_people(cursor: Cursor, rules: ModelRules, register: str, keys: str) -> None:
    """Fill `key_person` (key, rule, person_key) for the keys in a temporary table; a person may occur twice.

    A key that more than `max_block_size` people share goes to `oversized` (key, rule) instead.
    """
    for rule in rules.blocking:
        by_others = is_stated_by_others(rule)
        query = statement(__name__, "find_by_others") if by_others else _FIND_REGISTERED
        cursor.execute(
            query.format(
                digest=digest_of(rule, of="p"),
                rule=_name(rule),
                keys=sql.Identifier(keys),
                register=sql.Literal(register),
                enough=sql.Literal(rules.max_block_size + 1),
            )
        )
    cursor.execute(_COUNT_BLOCKS, (rules.max_block_size,))


def note_changed_keys(cursor: Cursor, rules: ModelRules) -> None:
    """Fill `changed_key` with the keys of the people in `changed_person` and of their `evidence_record`."""
    for rule in rules.blocking:
        if is_stated_by_others(rule):
            cursor.execute(_CHANGED_KEY_OF_OTHERS.format(digest=digest_of(rule, of="r")))
            continue
        spread = "commune" in rule
        digest = digest_of(rule, of="r", commune=sql.Identifier("reformed", "commune") if spread else None)
        cursor.execute(_CHANGED_KEY.format(digest=digest, communes=_SPREAD if spread else sql.SQL("")))


def prepare_register(cursor: Cursor, rules: ModelRules, register: str) -> None:
    """Create the indexes that these rules look people up by, and drop others."""
    named = {_index(rule): rule for rule in rules.blocking}
    cursor.execute(_INDEXES)
    for (index,) in cursor.fetchall():
        if index not in named:
            cursor.execute(sql.SQL("drop index {}").format(sql.Identifier("record", index)))
    for index, rule in named.items():
        table = "person" if is_stated_by_others(rule) else f"person_{register}"
        cursor.execute(
            sql.SQL("create index if not exists {} on {} (({}))").format(
                sql.Identifier(index), sql.Identifier("record", table), digest_of(rule)
            )
        )
    cursor.execute("analyze record.person")


def is_stated_by_others(rule: Rule) -> bool:
    """Whether the rule's key is stated not by the register but by records that are linked to a person."""
    return rule[0] in STATED_BY_OTHERS


def name_of(rule: Rule) -> str:
    """Return a rule's name in `oversized`."""
    return " ".join(rule)


def _name(rule: Rule) -> sql.Composable:
    return sql.Literal(name_of(rule))


def _index(rule: Rule) -> str:
    return "match_" + hashlib.sha256("\x1f".join(rule).encode()).hexdigest()[:16]


def _note_keys(
    cursor: Cursor, rules: Sequence[Rule], records: str, commune: sql.Composable | None = None
) -> None:
    keys = [sql.SQL("({}, {})").format(noted_digest(rule, commune), _name(rule)) for rule in rules]
    cursor.execute(
        _UNMATCHED_KEY.format(
            own=sql.Literal(commune is None),
            records=sql.Identifier(records),
            keys=sql.SQL(",\n    ").join(keys),
        )
    )


def noted_digest(rule: Rule, commune: sql.Composable | None = None) -> sql.Composable:
    """Return the SQL of a key of `record_feature r`, with another commune than its own if given."""
    return _digest(rule, lambda key: sql.Identifier("r", key_column(key)), commune)


def digest_of(rule: Rule, of: str | None = None, commune: sql.Composable | None = None) -> sql.Composable:
    """Return the SQL of a record's key, with `commune` in place of its own commune if given."""
    return _digest(rule, lambda key: key_of(key, of), commune)


def _digest(
    rule: Rule, read: Callable[[BlockingKey], sql.Composable], commune: sql.Composable | None
) -> sql.Composable:
    """Null when a part of the key is not stated."""
    parts = (commune if commune and key == "commune" else read(key) for key in rule)
    separated = (sql.SQL("E'\\x1f' || {}").format(part) for part in parts)
    digest = sql.SQL("hashtextextended({rule} || {parts}, 0)")
    return digest.format(rule=_name(rule), parts=sql.SQL(" || ").join(separated))
