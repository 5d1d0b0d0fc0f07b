"""The features that a model compares: of records and of people, folded by the database, as frames for DuckDB.

The register states a person's features; those that it does not state (phone, tax code) come from the records
that an identifier links to the person. Records that a model linked are no evidence: no result of a model may
be the reason for another.
"""

from __future__ import annotations

import io
from typing import Final

import polars as pl
from psycopg2 import sql

from oncehub.config.administrative_units import REFORM
from oncehub.config.rules import BlockingKey, Evidence, ModelRules
from oncehub.reconcile.rules.columns import selected
from oncehub.store.connection import Cursor

Columns = dict[str, sql.Composable]

_KEYS: Final[dict[BlockingKey, str]] = {
    "name_key": "replace({folded}, ' ', '')",
    "name_parts": "{parts}",
    "first_part": "split_part({folded}, ' ', 1)",
    "last_part": "split_part({folded}, ' ', -1)",
    "birth_date": "(case when length({birth_date}) = 10 then {birth_date} end)",
    "birth_year": "left({birth_date}, 4)",
    "sex": "{sex}",
    "commune": "({permanent_address} ->> 'unit')",
    "phone": "{phone}",
    "tax_code": "text.identifying('tax_code', {tax_code})",
}
_COLUMNS: Final = ("full_name", "birth_date", "sex", "permanent_address", "phone", "tax_code")

# Transported as one text; none of their values has a comma.
_LISTS: Final = {"commune": "{}_present", "shared": "{}"}

# Folds the name once, for all features and keys; parts as `text.fold_parts` gives them.
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
from unmatched j join record.person r using (source, stream, source_key)
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

_ALL_PEOPLE: Final = sql.SQL("""(
    select p.*, k.person_key, k.method = 'register' as own
    from record.person p join truth.link k using (source, stream, source_key)
    where p.source = {register} and k.method in ('register', 'merged')
)""")
_CANDIDATE_PEOPLE: Final = sql.SQL("""(
    select p.*, k.person_key, true as own
    from (select distinct person_key from candidate_person) w
    join truth.link k on k.person_key = w.person_key and k.method = 'register'
    join record.person p
        on p.source = {register} and (p.source, p.stream, p.source_key) = (k.source, k.stream, k.source_key)
)""")

_RECORDS: Final = sql.SQL("select r.id as unique_id, {columns} from record_feature r")
_FEATURES_OF_ALL_PEOPLE: Final = sql.SQL("select r.person_key, r.own, {columns} from ({features}) r")
_PEOPLE: Final = sql.SQL("""
select w.id as unique_id, {columns}
from candidate_person w join person_feature r on r.person_key = w.person_key and r.own
{shared}
""")

_SHARED = sql.SQL("""left join (
    select t.id, {columns}
    from evidence_record t join record.person r using (source, stream, source_key)
    group by t.id
) shared on shared.id = w.id""")


def note_records(cursor: Cursor, rules: ModelRules) -> None:
    """Create `record_feature` for the records in `unmatched`: id, former, features, and blocking keys."""
    cursor.execute(
        _NOTE_RECORDS.format(
            former=former(sql.Identifier("r", "permanent_address")),
            columns=selected(_features(rules) | _keys(rules)),
            folded=_FOLDED,
        )
    )


def note_people(cursor: Cursor, rules: ModelRules, register: str) -> None:
    """Create `person_feature` for the people in `candidate_person`, by what the register states."""
    cursor.execute(_NOTE_PEOPLE.format(features=_features_of_people(_CANDIDATE_PEOPLE, rules, register)))


def frame_of_records(cursor: Cursor, rules: ModelRules, beside: Columns | None = None) -> pl.DataFrame:
    """Return the features of `record_feature`: `unique_id` (its `id`) and the columns of `levels`.

    Args:
        cursor: of the transaction that has made the table.
        rules: what is compared.
        beside: more columns of the table `r`.
    """
    columns = {name: sql.Identifier("r", name) for name in _features(rules)} | (beside or {})
    return _fetched(cursor, _RECORDS.format(columns=selected(columns)), rules)


def frame_of_all_people(cursor: Cursor, rules: ModelRules, register: str, beside: Columns) -> pl.DataFrame:
    """Return what the register states of all people: `person_key`, `own`, features, and more columns of `r`.

    `own` is false (f) of the record of a merged person: the survivor is found by it, but not compared with
    it.
    """
    columns = {name: sql.Identifier("r", name) for name in _features(rules, shared=False)} | beside
    features = _features_of_people(_ALL_PEOPLE, rules, register)
    query = _FEATURES_OF_ALL_PEOPLE.format(columns=selected(columns), features=features)
    return _fetched(cursor, query, rules, shared=False)


def frame_of_people(cursor: Cursor, rules: ModelRules) -> pl.DataFrame:
    """Return the features of `candidate_person`, from `person_feature` and `evidence_record`."""
    columns = {name: sql.Identifier("r", name) for name in _features(rules, shared=False)}
    columns |= {name: sql.Identifier("shared", name) for name in shared_attributes(rules)}
    query = _PEOPLE.format(columns=selected(columns), shared=_shared(rules))
    return _fetched(cursor, query, rules)


def key_column(key: BlockingKey) -> str:
    """Return the column of a blocking key in `record_feature` and `person_feature`."""
    return f"by_{key}"


def key_of(key: BlockingKey, record: str | None = None, folded: str | None = None) -> sql.Composable:
    """Return the SQL that reads a key; null where the record does not state it.

    Args:
        key: which.
        record: alias of the record's row; none where its columns stand alone, as in an index.
        folded: alias of a row with the full name as `text.fold` gives it (`folded`) and `text.fold_parts`
            (`parts`); none to fold it here.
    """
    columns = {name: sql.Identifier(record, name) if record else sql.Identifier(name) for name in _COLUMNS}
    names: dict[str, sql.Composable] = {
        "folded": sql.SQL("text.fold({full_name})").format(**columns),
        "parts": sql.SQL("text.fold_parts({full_name})").format(**columns),
    }
    if folded:
        names = {name: sql.Identifier(folded, name) for name in names}
    return sql.SQL(_KEYS[key]).format(**columns, **names)


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
    """Return the attributes that agree when another record of the person states the same value."""
    return [attribute for attribute, evidence in rules.compare.items() if evidence == "shared"]


def _stated(attribute: str, evidence: Evidence) -> Columns:
    stated = sql.Identifier("r", attribute)
    if evidence == "name":
        return {
            attribute: sql.SQL("lower({})").format(stated),
            f"{attribute}_key": _folded(attribute),
            f"{attribute}_parts": _parts(attribute),
        }
    if evidence == "commune":
        return {attribute: _catalogued(stated), f"{attribute}_present": _present(stated)}
    return {attribute: identifying(attribute) if evidence == "shared" else stated}


def _folded(attribute: str) -> sql.Composable:
    """Return the folded attribute; the full name is folded already."""
    if attribute == "full_name":
        return sql.SQL("replace(f.folded, ' ', '')")
    return sql.SQL("text.fold_name({})").format(sql.Identifier("r", attribute))


def _parts(attribute: str) -> sql.Composable:
    """Return the folded words of an attribute; those of the full name are folded already."""
    if attribute == "full_name":
        return sql.SQL("f.parts")
    return sql.SQL("text.fold_parts({})").format(sql.Identifier("r", attribute))


def _shared(rules: ModelRules) -> sql.Composable:
    gathered = {
        name: sql.SQL("string_agg(distinct {}, ',')").format(identifying(name))
        for name in shared_attributes(rules)
    }
    if not gathered:
        return sql.SQL("")
    return _SHARED.format(columns=selected(gathered))


def identifying(attribute: str) -> sql.Composable:
    """Return the SQL of an attribute of the record `r` in its identifying form."""
    return sql.SQL("text.identifying({}, {})").format(sql.Literal(attribute), sql.Identifier("r", attribute))


def former(address: sql.Composable) -> sql.Composable:
    """Return the condition that an address uses a catalogue from before the reform of 2025."""
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
    """Return the rows of a query as a frame of texts."""
    buffer = io.BytesIO()
    cursor.copy_expert(sql.SQL("copy ({}) to stdout (format csv, header)").format(query), buffer)
    buffer.seek(0)
    return pl.read_csv(buffer, infer_schema=False)
