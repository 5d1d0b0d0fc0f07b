"""Blocking in the database: which people a record is compared with, and which records a person draws in.

A blocking key is kept as a digest of 64 bits. Two that fall on one digest by accident are compared and found
unlike; nothing else follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 names its class in lower case

from oncehub.model.matching import STATED_BY_OTHERS, BlockingKey, ModelRules
from oncehub.reconcile.matching.features import former

Rule = Sequence[BlockingKey]

_KEYS: Final[dict[BlockingKey, str]] = {
    "name_key": "{name_key}",
    "name_parts": "text.fold_parts({full_name})",
    "first_part": "split_part(text.fold({full_name}), ' ', 1)",
    "last_part": "split_part(text.fold({full_name}), ' ', -1)",
    "birth_date": "(case when length({birth_date}) = 10 then {birth_date} end)",
    "birth_year": "left({birth_date}, 4)",
    "sex": "{sex}",
    "commune": "({permanent_address} ->> 'unit')",
    "phone": "{phone}",
    "tax_code": "text.identifying('tax_code', {tax_code})",
}
_COLUMNS: Final = ("name_key", "full_name", "birth_date", "sex", "permanent_address", "phone", "tax_code")

# Any of the key's parts not stated: no key.
_DIGEST: Final = sql.SQL("hashtextextended({rule} || {parts}, 0)")

_JUDGED_KEY: Final = sql.SQL("""
insert into judged_key
select distinct j.id, {digest}, {rule}
from judged j join record.person r using (source, stream, source_key)
{communes}
where {digest} is not null
""")

# The commune as stated, what it went into, and what went into it.
_SPREAD: Final = sql.SQL("""cross join lateral (
    select r.permanent_address ->> 'unit' as commune
    union
    select u.present_unit from truth.unit_successor u
    where {former} and u.former_unit = r.permanent_address ->> 'unit'
    union
    select u.former_unit from truth.unit_successor u
    where not {former} and u.present_unit = r.permanent_address ->> 'unit'
) reformed""").format(former=former(sql.Identifier("r", "permanent_address")))

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

_CROWDED: Final = """
insert into crowded select key, rule from key_person group by key, rule having count(*) > %s;
delete from key_person p using crowded c where c.key = p.key;
"""

_CHANGED_KEY: Final = sql.SQL("""
insert into changed_key
select distinct {digest}
from changed c
join truth.link k on k.person_key = c.person_key and k.method = 'register'
join record.person r using (source, stream, source_key)
where {digest} is not null
""")

_CHANGED_KEY_TOLD: Final = sql.SQL("""
insert into changed_key
select distinct {digest}
from teller t join record.person r using (source, stream, source_key)
where {digest} is not null
""")

_INDEXES: Final = """
select relname from pg_class
where relnamespace = 'record'::regnamespace and relkind in ('i', 'I') and relname like 'match\\_%'
    and not relispartition
"""


def note_keys(cursor: Cursor, rules: ModelRules) -> None:
    """Fill `judged_key` (id, key, rule) for the records in `judged`."""
    for rule in rules.blocking:
        spread = _SPREAD if "commune" in rule else sql.SQL("")
        digest = _digest(rule, of="r", commune=sql.Identifier("reformed", "commune"))
        cursor.execute(_JUDGED_KEY.format(digest=digest, rule=_name(rule), communes=spread))
    cursor.execute("analyze judged_key")


def find_people(cursor: Cursor, rules: ModelRules, register: str, keys: str) -> None:
    """Fill `key_person` (key, rule, person_key) for the keys in a temporary table, some people repeatedly.

    A key that more than `crowd` share goes to `crowded` (key, rule) instead.
    """
    for rule in rules.blocking:
        query = _TOLD_BY_OTHERS if _told(rule) else _REGISTERED
        cursor.execute(
            query.format(
                digest=_digest(rule, of="p"),
                rule=_name(rule),
                keys=sql.Identifier(keys),
                register=sql.Literal(register),
                enough=sql.Literal(rules.crowd + 1),
            )
        )
    cursor.execute(_CROWDED, (rules.crowd,))


def note_changed_keys(cursor: Cursor, rules: ModelRules) -> None:
    """Fill `changed_key` with the keys of the people in `changed`, of whom the records in `teller` tell."""
    for rule in rules.blocking:
        query = _CHANGED_KEY_TOLD if _told(rule) else _CHANGED_KEY
        cursor.execute(query.format(digest=_digest(rule, of="r")))


def prepare_register(cursor: Cursor, rules: ModelRules, register: str) -> None:
    """Build the indexes that these rules look people up by, and drop others."""
    named = {_index(rule): rule for rule in rules.blocking}
    cursor.execute(_INDEXES)
    for (index,) in cursor.fetchall():
        if index not in named:
            cursor.execute(sql.SQL("drop index {}").format(sql.Identifier("record", index)))
    for index, rule in named.items():
        table = "person" if _told(rule) else f"person_{register}"
        cursor.execute(
            sql.SQL("create index if not exists {} on {} (({}))").format(
                sql.Identifier(index), sql.Identifier("record", table), _digest(rule)
            )
        )
    cursor.execute("analyze record.person")


def _told(rule: Rule) -> bool:
    return rule[0] in STATED_BY_OTHERS


def _name(rule: Rule) -> sql.Composable:
    return sql.Literal(" ".join(rule))


def _index(rule: Rule) -> str:
    return "match_" + hashlib.sha256("\x1f".join(rule).encode()).hexdigest()[:16]


def _digest(rule: Rule, of: str | None = None, commune: sql.Composable | None = None) -> sql.Composable:
    """Return the SQL of a record's key; of those whose address is spread out, `commune` takes its place."""
    parts = (commune if commune and key == "commune" else _part(key, of) for key in rule)
    separated: Iterable[sql.Composable] = (sql.SQL("E'\\x1f' || {}").format(part) for part in parts)
    return _DIGEST.format(rule=_name(rule), parts=sql.SQL(" || ").join(separated))


def _part(key: BlockingKey, of: str | None) -> sql.Composable:
    columns = {name: sql.Identifier(of, name) if of else sql.Identifier(name) for name in _COLUMNS}
    return sql.SQL(_KEYS[key]).format(**columns)
