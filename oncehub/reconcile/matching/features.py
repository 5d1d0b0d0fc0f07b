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

from oncehub.config.administrative_units import REFORM
from oncehub.config.matching import BlockingKey, Evidence, ModelRules
from oncehub.reconcile.matching.keys import key_of
from oncehub.store.connection import Cursor

Columns = dict[str, sql.Composable]

# Kept as one text on the way; no value of these has a comma.
_LISTS: Final = {"commune": "{}_present", "shared": "{}"}

# Folded once, for all that is compared or sought by it; parts as `text.fold_parts` gives them.
_FOLDED: Final = sql.SQL("""cross join lateral (
    select folded, (
        select string_agg(part, ' ' order by part collate "C") from unnest(string_to_array(folded, ' ')) part
    ) as parts
    from (select text.fold(r.full_name) as folded offset 0) once
    offset 0
) f""")
_NOTE_RECORDS: Final = sql.SQL("""
create temporary table record_feature on commit drop as
select j.id, {former} as former, {columns}
from judged j join record.person r using (source, stream, source_key)
{folded};
analyze record_feature;
""")

_FEATURES_OF_PEOPLE: Final = sql.SQL("""
select r.person_key, r.own, {columns}
from {people} r
{folded}
""")
_NOTE_PEOPLE: Final = sql.SQL("""
create temporary table person_feature on commit drop as {features};
analyze person_feature;
""")

_EVERYBODY: Final = sql.SQL("""(
    select p.*, k.person_key, k.method = 'register' as own
    from record.person p join truth.link k using (source, stream, source_key)
    where p.source = {register} and k.method in ('register', 'joined')
)""")
_WANTED: Final = sql.SQL("""(
    select p.*, k.person_key, true as own
    from (select distinct person_key from wanted) w
    join truth.link k on k.person_key = w.person_key and k.method = 'register'
    join record.person p
        on p.source = {register} and (p.source, p.stream, p.source_key) = (k.source, k.stream, k.source_key)
)""")

_RECORDS: Final = sql.SQL("select r.id as unique_id, {columns} from record_feature r")
_OF_EVERYBODY: Final = sql.SQL("select r.person_key, r.own, {columns} from ({features}) r")
_PEOPLE: Final = sql.SQL("""
select w.id as unique_id, {columns}
from wanted w join person_feature r on r.person_key = w.person_key and r.own
{told}
""")

_TOLD = sql.SQL("""left join (
    select t.id, {columns}
    from teller t join record.person r using (source, stream, source_key)
    group by t.id
) told on told.id = w.id""")


def note_records(cursor: Cursor, rules: ModelRules) -> None:
    """Make the table `record_feature` of the records in `judged`: id, former, features, and blocking keys."""
    cursor.execute(
        _NOTE_RECORDS.format(
            former=former(sql.Identifier("r", "permanent_address")),
            columns=selected(_features(rules) | _keys(rules)),
            folded=_FOLDED,
        )
    )


def note_people(cursor: Cursor, rules: ModelRules, register: str) -> None:
    """Make the table `person_feature` of the people in `wanted`: person_key and what the register states."""
    cursor.execute(_NOTE_PEOPLE.format(features=_features_of_people(_WANTED, rules, register)))


def frame_of_records(cursor: Cursor, rules: ModelRules, beside: Columns | None = None) -> pl.DataFrame:
    """Give the features of `record_feature`: `unique_id` (its `id`) and the columns of `levels`.

    Args:
        cursor: of the transaction that has made the table.
        rules: what is compared.
        beside: more columns of the table `r`.
    """
    columns = {name: sql.Identifier("r", name) for name in _features(rules)} | (beside or {})
    return _fetched(cursor, _RECORDS.format(columns=selected(columns)), rules)


def frame_of_everybody(cursor: Cursor, rules: ModelRules, register: str, beside: Columns) -> pl.DataFrame:
    """Give what the register states of everybody: `person_key`, `own`, features, and more columns of `r`.

    `own` is false (f) of a record that a clerk has joined to another person's, who is found by it, but not
    compared.
    """
    columns = {name: sql.Identifier("r", name) for name in _features(rules, shared=False)} | beside
    features = _features_of_people(_EVERYBODY, rules, register)
    query = _OF_EVERYBODY.format(columns=selected(columns), features=features)
    return _fetched(cursor, query, rules, shared=False)


def frame_of_people(cursor: Cursor, rules: ModelRules) -> pl.DataFrame:
    """Give the features of the people in `wanted`, from `person_feature` and the records in `teller`."""
    columns = {name: sql.Identifier("r", name) for name in _features(rules, shared=False)}
    columns |= {name: sql.Identifier("told", name) for name in shared_attributes(rules)}
    query = _PEOPLE.format(columns=selected(columns), told=_told(rules))
    return _fetched(cursor, query, rules)


def key_column(key: BlockingKey) -> str:
    """Name the column of a blocking key in `record_feature` and `person_feature`."""
    return f"by_{key}"


def _features_of_people(people: sql.SQL, rules: ModelRules, register: str) -> sql.Composable:
    return _FEATURES_OF_PEOPLE.format(
        columns=selected(_features(rules, shared=False) | _keys(rules)),
        people=people.format(register=sql.Literal(register)),
        folded=_FOLDED,
    )


def _features(rules: ModelRules, *, shared: bool = True) -> Columns:
    stated = (
        _stated(attribute, evidence)
        for attribute, evidence in rules.compare.items()
        if shared or evidence != "shared"
    )
    return {name: each for part in stated for name, each in part.items()}


def _keys(rules: ModelRules) -> Columns:
    keys = {key for rule in rules.blocking for key in rule}
    return {key_column(key): key_of(key, record="r", folded="f") for key in sorted(keys)}


def shared_attributes(rules: ModelRules) -> list[str]:
    """Name the attributes that agree when another record of the person's states the same."""
    return [attribute for attribute, evidence in rules.compare.items() if evidence == "shared"]


def _stated(attribute: str, evidence: Evidence) -> Columns:
    stated = sql.Identifier("r", attribute)
    if evidence == "name":
        return {
            attribute: sql.SQL("lower({})").format(stated),
            f"{attribute}_key": _folded(attribute, sql.SQL("r.name_key"), "text.fold_name({})"),
            f"{attribute}_parts": _folded(attribute, sql.SQL("f.parts"), "text.fold_parts({})"),
        }
    if evidence == "commune":
        return {attribute: _catalogued(stated), f"{attribute}_present": _present(stated)}
    return {attribute: identifying(attribute) if evidence == "shared" else stated}


def _folded(attribute: str, of_name: sql.Composable, folded: str) -> sql.Composable:
    """Fold an attribute; the full name is folded already."""
    return of_name if attribute == "full_name" else sql.SQL(folded).format(sql.Identifier("r", attribute))


def _told(rules: ModelRules) -> sql.Composable:
    gathered = {
        name: sql.SQL("string_agg(distinct {}, ',')").format(identifying(name))
        for name in shared_attributes(rules)
    }
    if not gathered:
        return sql.SQL("")
    return _TOLD.format(columns=selected(gathered))


def identifying(attribute: str) -> sql.Composable:
    """Return the SQL of an attribute of the record `r` in the form in which it identifies somebody."""
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


def selected(columns: Mapping[str, sql.Composable]) -> sql.Composable:
    """Return `a as name, b as other`."""
    return sql.SQL(", ").join(
        sql.SQL("{} as {}").format(each, sql.Identifier(name)) for name, each in columns.items()
    )


def _fetched(
    cursor: Cursor, query: sql.Composable, rules: ModelRules, *, shared: bool = True
) -> pl.DataFrame:
    lists = [
        _LISTS[evidence].format(attribute)
        for attribute, evidence in rules.compare.items()
        if evidence in _LISTS and (shared or evidence != "shared")
    ]
    return fetched(cursor, query).with_columns(pl.col(lists).str.split(","))


def fetched(cursor: Cursor, query: sql.Composable) -> pl.DataFrame:
    """Give the rows of a query as a frame of texts."""
    buffer = io.BytesIO()
    cursor.copy_expert(sql.SQL("copy ({}) to stdout (format csv, header)").format(query), buffer)
    buffer.seek(0)
    return pl.read_csv(buffer, infer_schema=False)
