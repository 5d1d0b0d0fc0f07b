"""Bulk blocking: reads all people once and joins them with the records in DuckDB.

Used when more keys are looked up than there are people. It finds the same pairs as `blocking`, which looks
them up key by key, by the same digests, which the database computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from psycopg2 import sql

from oncehub.config.rules import ModelRules
from oncehub.reconcile.matching.blocking import (
    REFORMED,
    Rule,
    digest_of,
    is_stated_by_others,
    name_of,
    noted_digest,
)
from oncehub.reconcile.matching.features import (
    Columns,
    fetched,
    frame_of_all_people,
    frame_of_records,
    identifying,
    shared_attributes,
)
from oncehub.reconcile.matching.splink_job import duckdb_connection
from oncehub.reconcile.rules.columns import selected
from oncehub.store.connection import Cursor
from oncehub.store.frames import copy_frame

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Numbered = Mapping[str, Rule]
"""The rules by the name of the column that has their key."""

# The keys and shared attributes of all records, linked or not: unlinked ones count for the size of a block.
_STATED: Final = sql.SQL("""
select coalesce(j.survivor, v.person_key, k.person_key) as person_key, {columns}
from record.person r
left join verdict v
    on (v.source, v.stream, v.source_key) = (r.source, r.stream, r.source_key) and not v.somebody_else
left join (
    select source, stream, source_key, person_key
    from truth.link o
    where o.method <> 'model' and not exists (
        select from affected a where (a.source, a.stream, a.source_key) = (o.source, o.stream, o.source_key)
    )
) k on (k.source, k.stream, k.source_key) = (r.source, r.stream, r.source_key)
left join truth.merged_person j on j.person_key = coalesce(v.person_key, k.person_key)
where r.deleted_at is null and ({stated})
""")

_OF_REFORMED: Final = sql.SQL("select r.id as unique_id, {keys} from ({reformed}) r")

_DIFFERENT: Final = sql.SQL("""
select j.id as record, r.person_key
from unmatched j join ruled r using (source, stream, source_key)
where r.verdict = 'different'
""")

_BLOCK: Final = """
create table sought as {sought};
create table known as select * from ({known}) semi join sought using (rule, key);
create table crowd as select rule, key from known group by rule, key having count(*) > {crowd};
create table pair as
    select distinct record, person
    from sought join known using (rule, key)
    anti join crowd using (rule, key)
    anti join different using (record, person)
    where person is not null
"""

_PAIRS: Final = "select record::text as record, person::text as person from pair"

# A key with a successor or predecessor of the commune is stored only while it is oversized.
_KEPT_BESIDE: Final = """
select distinct s.record as id, s.key from sought s join crowd c using (rule, key) where not s.own
"""


@dataclass(frozen=True)
class Blocked:
    """The pairs to compare.

    Attributes:
        pairs: `record` and `person`, each the `unique_id` of one side.
        records: features, as `frame_of_records` gives them.
        people: as `frame_of_people` gives them.
        named: `person` and its `person_key`.
    """

    pairs: pl.DataFrame
    records: pl.DataFrame
    people: pl.DataFrame
    named: pl.DataFrame

    def only(self, chosen: pl.DataFrame) -> Blocked:
        """Return some of the pairs (`record`, `person`) with their two sides."""
        sides = ((self.records, "record"), (self.people, "person"))
        records, people = (
            frame.join(chosen, left_on="unique_id", right_on=name, how="semi") for frame, name in sides
        )
        return Blocked(chosen.select("record", "person"), records, people, self.named)


def block_in_bulk(cursor: Cursor, rules: ModelRules, register: str) -> Blocked:
    """Return the pairs of the records in `record_feature`; fill `oversized` and `kept_reformed_key`."""
    numbered = {f"key_{number}": rule for number, rule in enumerate(rules.blocking)}
    registered = {name: rule for name, rule in numbered.items() if not is_stated_by_others(rule)}
    records = _with_keys(frame_of_records(cursor, rules, _noted(numbered)), numbered)
    all_people = _with_keys(frame_of_all_people(cursor, rules, register, _noted(registered)), registered)
    people = all_people.filter(pl.col("own") == "t").with_row_index("person")
    numbers = people.select("person", "person_key")
    stated = _stated(cursor, rules, register, numbered).join(numbers, on="person_key", how="left")
    sides = {
        "record": records.select(pl.col("unique_id").cast(pl.Int64), *numbered),
        "reformed": _reformed(cursor, numbered),
        "people": all_people.join(numbers, on="person_key").select("person", *registered),
        "stated": stated.select("person", *(name for name in numbered if name not in registered)),
        "different": _different(cursor).join(numbers, on="person_key").select("record", "person"),
    }
    pairs = _paired(cursor, rules, numbered, sides)
    compared = people.join(_compared(pairs), on="person", how="semi")
    return Blocked(
        pairs=pairs,
        records=records.drop(numbered),
        people=compared.join(_shared(stated, rules), on="person", how="left")
        .with_columns(unique_id=pl.col("person").cast(pl.String))
        .drop("person", "person_key", "own", *registered),
        named=compared.select(pl.col("person").cast(pl.String), "person_key"),
    )


def _compared(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.select(pl.col("person").unique().cast(pl.UInt32))


def _noted(numbered: Numbered) -> Columns:
    return {name: noted_digest(rule) for name, rule in numbered.items()}


def _with_keys(frame: pl.DataFrame, numbered: Numbered) -> pl.DataFrame:
    return frame.with_columns(pl.col(list(numbered)).cast(pl.Int64))


def _reformed(cursor: Cursor, numbered: Numbered) -> pl.DataFrame:
    """Return the keys with successors and predecessors of the records' communes: `unique_id` and the keys."""
    spread = {name: rule for name, rule in numbered.items() if "commune" in rule}
    if not spread:
        return pl.DataFrame(schema={"unique_id": pl.Int64})
    commune = sql.Identifier("r", "commune")
    keys = selected({name: noted_digest(rule, commune) for name, rule in spread.items()})
    found = fetched(cursor, _OF_REFORMED.format(keys=keys, reformed=REFORMED))
    return _with_keys(found, spread).with_columns(pl.col("unique_id").cast(pl.Int64))


def _stated(cursor: Cursor, rules: ModelRules, register: str, numbered: Numbered) -> pl.DataFrame:
    """Return what records state: `person_key` (null if unlinked), keys, and shared attributes."""
    keys = {name: rule for name, rule in numbered.items() if is_stated_by_others(rule)}
    shared = shared_attributes(rules)
    columns = {
        name: sql.SQL("case when r.source <> {} then {} end").format(
            sql.Literal(register), digest_of(rule, of="r")
        )
        for name, rule in keys.items()
    } | {attribute: identifying(attribute) for attribute in shared}
    stated = sorted({*shared, *(rule[0] for rule in keys.values())})
    if not stated:
        return pl.DataFrame(schema={"person_key": pl.String})
    any_stated = sql.SQL(" or ").join(
        sql.SQL("{} is not null").format(sql.Identifier("r", name)) for name in stated
    )
    return _with_keys(fetched(cursor, _STATED.format(columns=selected(columns), stated=any_stated)), keys)


def _different(cursor: Cursor) -> pl.DataFrame:
    return fetched(cursor, _DIFFERENT).with_columns(pl.col("record").cast(pl.Int64))


def _shared(stated: pl.DataFrame, rules: ModelRules) -> pl.DataFrame:
    """Return by `person` the lists of shared attributes that records state; null where there is none."""
    listed = (
        pl.col(name).drop_nulls().unique().sort().implode().alias(name) for name in shared_attributes(rules)
    )
    found = stated.drop_nulls("person").group_by("person").agg(listed)
    lists = pl.col(shared_attributes(rules))
    return found.with_columns(pl.when(lists.list.len() > 0).then(lists))


def _paired(
    cursor: Cursor, rules: ModelRules, numbered: Numbered, sides: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    with duckdb_connection() as connection:
        for name, frame in sides.items():
            connection.register(name, frame.to_arrow())
        connection.execute(_block(rules, numbered))
        _stage_crowds(cursor, numbered, connection)
        pairs: pl.DataFrame = connection.sql(_PAIRS).pl()
        return pairs


def _block(rules: ModelRules, numbered: Numbered) -> str:
    sought = [_side(name, "record", "unique_id as record, true as own") for name in numbered]
    sought += [
        _side(name, "reformed", "unique_id as record, false as own")
        for name, rule in numbered.items()
        if "commune" in rule
    ]
    known = [
        _side(name, "stated" if is_stated_by_others(rule) else "people", "person")
        for name, rule in numbered.items()
    ]
    return _BLOCK.format(
        sought=" union all ".join(sought), known=" union all ".join(known), crowd=rules.max_block_size
    )


def _side(name: str, side: str, columns: str) -> str:
    return f"select '{name}' as rule, {name} as key, {columns} from {side} where {name} is not null"


def _stage_crowds(cursor: Cursor, numbered: Numbered, connection: DuckDBPyConnection) -> None:
    crowds = connection.sql("select key, rule from crowd").pl()
    named = {name: name_of(rule) for name, rule in numbered.items()}
    crowds = crowds.with_columns(pl.col("rule").replace_strict(named, return_dtype=pl.String))
    copy_frame(cursor.connection, crowds, sql.Identifier("pg_temp", "oversized"), ["key", "rule"])
    beside = connection.sql(_KEPT_BESIDE).pl()
    copy_frame(cursor.connection, beside, sql.Identifier("pg_temp", "kept_reformed_key"), ["id", "key"])
