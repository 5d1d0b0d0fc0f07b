"""What a model looks at, of records and of people, folded by the database and handed to DuckDB as frames.

A person is what the register states of them; what it does not state (a phone, a tax code) is what the records
that an identifier leads to them state. Records that a model linked say nothing about a person: no answer of a
model is the ground of another.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final

import polars as pl
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 names its class in lower case

from oncehub.model.matching import Evidence, ModelRules
from oncehub.store.units import REFORM

Columns = Mapping[str, sql.Composable]

# Kept as one text on the way; no value of these has a comma.
_LISTS: Final = {"commune": "{}_present", "shared": "{}"}

_RECORDS = sql.SQL("""
select j.id::text as unique_id, {columns}
from judged j join record.person r using (source, stream, source_key)
""")

_PEOPLE = sql.SQL("""
select w.id::text as unique_id, {columns}
from wanted w
join truth.link k on k.person_key = w.person_key and k.method = 'register'
join record.person r
    on r.source = {register} and (r.source, r.stream, r.source_key) = (k.source, k.stream, k.source_key)
{told}
""")

_TOLD = sql.SQL("""left join (
    select t.id, {columns}
    from teller t join record.person r using (source, stream, source_key)
    group by t.id
) told on told.id = w.id""")


def frame_of_records(cursor: Cursor, rules: ModelRules) -> pl.DataFrame:
    """Give the features of the records in `judged`: `unique_id` (their `id`) and the columns of `levels`."""
    stated = [_stated(attribute, evidence) for attribute, evidence in rules.compare.items()]
    query = _RECORDS.format(columns=_selected({name: each for part in stated for name, each in part.items()}))
    return _fetched(cursor, query, rules)


def frame_of_people(cursor: Cursor, rules: ModelRules, register: str) -> pl.DataFrame:
    """Give the features of the people in `wanted`, as `frame_of_records` gives those of records."""
    columns: dict[str, sql.Composable] = {}
    for attribute, evidence in rules.compare.items():
        if evidence == "shared":
            columns[attribute] = sql.Identifier("told", attribute)
        else:
            columns |= _stated(attribute, evidence)
    query = _PEOPLE.format(columns=_selected(columns), register=sql.Literal(register), told=_told(rules))
    return _fetched(cursor, query, rules)


def _stated(attribute: str, evidence: Evidence) -> Columns:
    stated = sql.Identifier("r", attribute)
    if evidence == "name":
        return {
            attribute: sql.SQL("lower({})").format(stated),
            f"{attribute}_key": sql.SQL("text.fold_name({})").format(stated),
            f"{attribute}_parts": sql.SQL("text.fold_parts({})").format(stated),
        }
    if evidence == "commune":
        return {attribute: _catalogued(stated), f"{attribute}_present": _present(stated)}
    return {attribute: _identifying(attribute) if evidence == "shared" else stated}


def _told(rules: ModelRules) -> sql.Composable:
    shared = [attribute for attribute, evidence in rules.compare.items() if evidence == "shared"]
    if not shared:
        return sql.SQL("")
    gathered = {name: sql.SQL("string_agg(distinct {}, ',')").format(_identifying(name)) for name in shared}
    return _TOLD.format(columns=_selected(gathered))


def _identifying(attribute: str) -> sql.Composable:
    return sql.SQL("text.identifying({}, {})").format(sql.Literal(attribute), sql.Identifier("r", attribute))


def former(address: sql.Composable) -> sql.Composable:
    """Tell whether an address names its commune by a catalogue from before the reform of 2025."""
    return sql.SQL("coalesce({} ->> 'edition', {reform}) < {reform}").format(
        address, reform=sql.Literal(REFORM)
    )


def _catalogued(address: sql.Composable) -> sql.Composable:
    return sql.SQL("case when {former} then 'f' else 'p' end || ({address} ->> 'unit')").format(
        former=former(address), address=address
    )


def _present(address: sql.Composable) -> sql.Composable:
    return sql.SQL("""case when {former} then (
        select string_agg(present_unit, ',') from truth.unit_successor
        where former_unit = {address} ->> 'unit'
    ) else {address} ->> 'unit' end""").format(former=former(address), address=address)


def _selected(columns: Columns) -> sql.Composable:
    return sql.SQL(", ").join(
        sql.SQL("{} as {}").format(each, sql.Identifier(name)) for name, each in columns.items()
    )


def _fetched(cursor: Cursor, query: sql.Composable, rules: ModelRules) -> pl.DataFrame:
    lists = [
        _LISTS[evidence].format(attribute)
        for attribute, evidence in rules.compare.items()
        if evidence in _LISTS
    ]
    return fetched(cursor, query).with_columns(pl.col(lists).str.split(","))


def fetched(cursor: Cursor, query: sql.Composable) -> pl.DataFrame:
    """Give the rows of a query as a frame of texts."""
    buffer = io.BytesIO()
    cursor.copy_expert(sql.SQL("copy ({}) to stdout (format csv, header)").format(query), buffer)
    buffer.seek(0)
    return pl.read_csv(buffer, infer_schema=False)
