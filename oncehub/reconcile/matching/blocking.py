"""Blocking in the database: which people a record is compared with, and which records a person draws in.

A blocking key is kept as a digest of 64 bits. Two that fall on one digest by accident are compared and found
unlike; nothing else follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from psycopg2 import sql

from oncehub.config.matching import STATED_BY_OTHERS, BlockingKey, ModelRules
from oncehub.reconcile.matching.features import key_column
from oncehub.reconcile.matching.keys import key_of
from oncehub.store.connection import Cursor

Rule = Sequence[BlockingKey]

# Any of the key's parts not stated: no key.
_DIGEST: Final = sql.SQL("hashtextextended({rule} || {parts}, 0)")

_JUDGED_KEY: Final = sql.SQL("""
insert into judged_key
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
"""The noted records, once for each commune that theirs went into, or that went into theirs."""

_NOTE_REFORMED: Final = sql.SQL("""
create temporary table record_reformed on commit drop as
""")

_KEPT: Final = sql.SQL("""(
    select id, array_agg(key order by key) as keys
    from judged_key
    where own or key in (select key from crowded)
    group by id
)""")
_KEPT_OF_MANY: Final = sql.SQL("""(
    select r.id, array_remove(array[{keys}], null) || coalesce(b.keys, array[]::bigint[]) as keys
    from record_feature r
    left join (select id, array_agg(key) as keys from kept_beside group by id) b using (id)
)""")

# Of each key no more people than tell whether it is a crowd's.
_REGISTERED: Final = sql.SQL("""
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

# Who a record of another source speaks of: as this run has decided, or as it stands. A model's word leads no
# further.
_TOLD_BY_OTHERS: Final = sql.SQL("""
with neighbour as materialized (
    select k.key, p.source, p.stream, p.source_key
    from (select distinct key from {keys} where rule = {rule}) k
    cross join lateral (
        select p.source, p.stream, p.source_key
        from record.person p
        where {digest} = k.key and p.source <> {register} and p.deleted_at is null
        limit {enough}
    ) p
)
insert into key_person
select n.key, {rule}, coalesce(v.person_key, k.person_key)
from neighbour n
left join verdict v
    on (v.source, v.stream, v.source_key) = (n.source, n.stream, n.source_key) and not v.somebody_else
left join truth.link k
    on (k.source, k.stream, k.source_key) = (n.source, n.stream, n.source_key)
    and k.method <> 'model' and not exists (
        select from affected a where (a.source, a.stream, a.source_key) = (n.source, n.stream, n.source_key)
    )
""")

# Whom a clerk has joined with another is that other.
_JOINED: Final = """
update key_person p set person_key = j.survivor from truth.joined j where j.person_key = p.person_key
"""

_CROWDED: Final = """
insert into crowded select key, rule from key_person group by key, rule having count(*) > %s;
delete from key_person p using crowded c where c.key = p.key;
"""

# A record is kept with the commune that it states, so a person is sought with what theirs was and became.
_CHANGED_KEY: Final = sql.SQL("""
insert into changed_key
select distinct {digest}
from changed c
join truth.link k on k.person_key = c.person_key and k.method in ('register', 'joined')
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

_CHANGED_KEY_TOLD: Final = sql.SQL("""
insert into changed_key
select distinct {digest}
from teller t join record.person r using (source, stream, source_key)
where {digest} is not null
""")

_MANY: Final = """
select (select count(*) from judged) * %s > sum(reltuples)
from pg_class where oid = %s::regclass
"""

_INDEXES: Final = """
select relname from pg_class
where relnamespace = 'record'::regnamespace and relkind in ('i', 'I') and relname like 'match\\_%'
    and not relispartition
"""


def note_keys(cursor: Cursor, rules: ModelRules) -> None:
    """Fill `judged_key` (id, key, rule, own) for the records in `record_feature`.

    Not their own are the keys with what their commune became or was.
    """
    cursor.execute(_judged_keys(rules.blocking))
    reformed = [rule for rule in rules.blocking if "commune" in rule]
    if reformed:
        cursor.execute(_NOTE_REFORMED + REFORMED)
        cursor.execute(_judged_keys(reformed, of_reformed=True))
    cursor.execute("analyze judged_key")


def are_many(cursor: Cursor, rules: ModelRules, register: str) -> bool:
    """Tell whether reading everybody in the register costs less than looking up the keys of the judged."""
    cursor.execute(_MANY, (len(rules.blocking), f"record.person_{register}"))
    return cursor.fetchone() == (True,)


def kept_keys(rules: ModelRules, *, of_many: bool) -> sql.Composable:
    """Return the SQL of what draws the judged records in, `id` and `keys`; an array without null.

    Whoever comes is sought with what their commune was and became; a crowd that disperses, by its very key.
    """
    if of_many:
        return _KEPT_OF_MANY.format(keys=sql.SQL(", ").join(map(noted_digest, rules.blocking)))
    return _KEPT


def find_people(cursor: Cursor, rules: ModelRules, register: str, keys: str) -> None:
    """Fill `key_person` (key, rule, person_key) for the keys in a temporary table, some people repeatedly.

    A key that more than `crowd` share goes to `crowded` (key, rule) instead.
    """
    for rule in rules.blocking:
        query = _TOLD_BY_OTHERS if is_told(rule) else _REGISTERED
        cursor.execute(
            query.format(
                digest=digest_of(rule, of="p"),
                rule=_name(rule),
                keys=sql.Identifier(keys),
                register=sql.Literal(register),
                enough=sql.Literal(rules.crowd + 1),
            )
        )
    cursor.execute(_JOINED)
    cursor.execute(_CROWDED, (rules.crowd,))


def note_changed_keys(cursor: Cursor, rules: ModelRules) -> None:
    """Fill `changed_key` with the keys of the people in `changed`, of whom the records in `teller` tell."""
    for rule in rules.blocking:
        if is_told(rule):
            cursor.execute(_CHANGED_KEY_TOLD.format(digest=digest_of(rule, of="r")))
            continue
        spread = "commune" in rule
        digest = digest_of(rule, of="r", commune=sql.Identifier("reformed", "commune") if spread else None)
        cursor.execute(_CHANGED_KEY.format(digest=digest, communes=_SPREAD if spread else sql.SQL("")))


def prepare_register(cursor: Cursor, rules: ModelRules, register: str) -> None:
    """Build the indexes that these rules look people up by, and drop others."""
    named = {_index(rule): rule for rule in rules.blocking}
    cursor.execute(_INDEXES)
    for (index,) in cursor.fetchall():
        if index not in named:
            cursor.execute(sql.SQL("drop index {}").format(sql.Identifier("record", index)))
    for index, rule in named.items():
        table = "person" if is_told(rule) else f"person_{register}"
        cursor.execute(
            sql.SQL("create index if not exists {} on {} (({}))").format(
                sql.Identifier(index), sql.Identifier("record", table), digest_of(rule)
            )
        )
    cursor.execute("analyze record.person")


def is_told(rule: Rule) -> bool:
    """Whether what the rule asks for is told of people by the records that are linked to them."""
    return rule[0] in STATED_BY_OTHERS


def name_of(rule: Rule) -> str:
    """Name a rule, as `crowded` does."""
    return " ".join(rule)


def _name(rule: Rule) -> sql.Composable:
    return sql.Literal(name_of(rule))


def _index(rule: Rule) -> str:
    return "match_" + hashlib.sha256("\x1f".join(rule).encode()).hexdigest()[:16]


def _judged_keys(rules: Sequence[Rule], *, of_reformed: bool = False) -> sql.Composable:
    return _JUDGED_KEY.format(
        own=sql.Literal(not of_reformed),
        records=sql.Identifier("record_reformed" if of_reformed else "record_feature"),
        keys=_noted(rules, commune=sql.Identifier("r", "commune") if of_reformed else None),
    )


def _noted(rules: Sequence[Rule], commune: sql.Composable | None = None) -> sql.Composable:
    """Return the keys, each with its rule, of what `features` has noted."""
    return sql.SQL(", ").join(
        sql.SQL("({}, {})").format(noted_digest(rule, commune), _name(rule)) for rule in rules
    )


def noted_digest(rule: Rule, commune: sql.Composable | None = None) -> sql.Composable:
    """Return the SQL of a key of what `features` has noted in `r`; with another commune than its own."""
    return _concatenated(rule, _columns(rule, commune))


def _columns(rule: Rule, commune: sql.Composable | None) -> Iterable[sql.Composable]:
    return (commune if commune and key == "commune" else sql.Identifier("r", key_column(key)) for key in rule)


def digest_of(rule: Rule, of: str | None = None, commune: sql.Composable | None = None) -> sql.Composable:
    """Return the SQL of a record's key; of those whose address is spread out, `commune` takes its place."""
    return _concatenated(rule, (commune if commune and key == "commune" else key_of(key, of) for key in rule))


def _concatenated(rule: Rule, parts: Iterable[sql.Composable]) -> sql.Composable:
    separated = (sql.SQL("E'\\x1f' || {}").format(part) for part in parts)
    return _DIGEST.format(rule=_name(rule), parts=sql.SQL(" || ").join(separated))
