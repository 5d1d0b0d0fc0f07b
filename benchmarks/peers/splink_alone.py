"""Calls Splink directly, with the hub's model and blocking: the peer of linking by the hub.

It links from the same tables into the same database in the simplest way: all people are read, DuckDB blocks
and scores, and the links are copied back. It opens no cases, keeps nothing for the next run, and applies no
link overrides.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl
from psycopg2 import sql

from oncehub.config.rules import BlockingKey, ModelRules
from oncehub.reconcile.matching.features import fetched
from oncehub.reconcile.matching.models import Model, active_model, frequencies_of
from oncehub.reconcile.matching.splink_job import completed, linking
from oncehub.store.connection import Connection
from oncehub.store.frames import copy_frame

_MAKE: Final = """
create table splink_link (
    source text, stream text, source_key text, person_key uuid not null, probability real not null,
    primary key (source, stream, source_key)
)
"""

_FORMER: Final = "coalesce(r.permanent_address ->> 'edition', '2025-07-01') < '2025-07-01'"

_STATED: Final = f"""
lower(r.full_name) as full_name, text.fold_name(r.full_name) as full_name_key,
(
    select string_agg(part, ' ' order by part collate "C") from unnest(string_to_array(f.folded, ' ')) part
) as full_name_parts,
split_part(f.folded, ' ', 1) as first_part,
split_part(f.folded, ' ', -1) as last_part,
r.birth_date, r.sex,
case when {_FORMER} then 'f' else 'p' end || (r.permanent_address ->> 'unit') as permanent_address,
case
    when {_FORMER} then (
        select string_agg(u.present_unit, ',') from truth.unit_successor u
        where u.former_unit = r.permanent_address ->> 'unit'
    )
    else r.permanent_address ->> 'unit'
end as permanent_address_present
"""

# Folded once for all expressions that use it, as in the hub.
_FOLDED: Final = "cross join lateral (select text.fold(r.full_name) as folded offset 0) f"

# Communes are blocked with their predecessors and successors.
_RECORDS: Final = sql.SQL(f"""
select
    r.source || '|' || r.stream || '|' || r.source_key as unique_id, {_STATED},
    r.phone, text.identifying('tax_code', r.tax_code) as tax_code,
    concat_ws(',', r.permanent_address ->> 'unit', case
        when {_FORMER} then (
            select string_agg(u.present_unit, ',') from truth.unit_successor u
            where u.former_unit = r.permanent_address ->> 'unit'
        )
        else (
            select string_agg(u.former_unit, ',') from truth.unit_successor u
            where u.present_unit = r.permanent_address ->> 'unit'
        )
    end) as commune
from truth.unlinked u join record.person r using (source, stream, source_key)
{_FOLDED}
""")

_PEOPLE: Final = sql.SQL(f"""
select
    k.person_key::text as unique_id, {_STATED}, linked.phone, linked.tax_code,
    r.permanent_address ->> 'unit' as commune
from truth.link k
join record.person r using (source, stream, source_key)
{_FOLDED}
left join (
    select
        l.person_key, string_agg(distinct t.phone, ',') as phone,
        string_agg(distinct text.identifying('tax_code', t.tax_code), ',') as tax_code
    from truth.link l join record.person t using (source, stream, source_key)
    where l.method not in ('register', 'model')
    group by l.person_key
) linked using (person_key)
where k.method = 'register'
""")

_LISTS: Final = ("permanent_address_present", "phone", "tax_code", "commune")

_KEYS: Final[dict[BlockingKey, str]] = {
    "name_key": "{0}.full_name_key",
    "name_parts": "{0}.full_name_parts",
    "first_part": "{0}.first_part",
    "last_part": "{0}.last_part",
    "birth_date": "case when length({0}.birth_date) = 10 then {0}.birth_date end",
    "birth_year": "substr({0}.birth_date, 1, 4)",
    "sex": "{0}.sex",
    "commune": "{0}.commune",
    "phone": "{0}.phone",
    "tax_code": "{0}.tax_code",
}
_SEVERAL: Final = {"commune", "phone", "tax_code"}


def link_by_splink(connection: Connection) -> None:
    """Link the unlinked records by the active model with Splink alone, into a new table `splink_link`."""
    with connection, connection.cursor() as cursor:
        model = active_model(connection)
        assert model
        cursor.execute(_MAKE)
        records, people = (_listed(fetched(cursor, query)) for query in (_RECORDS, _PEOPLE))
        links = _linked(_scored(connection, model, records, people), model.rules)
        copy_frame(connection, links, sql.Identifier("splink_link"), links.columns)


def _listed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(_LISTS).str.split(","))


def _scored(
    connection: Connection, model: Model, records: pl.DataFrame, people: pl.DataFrame
) -> pl.DataFrame:
    frequencies = completed(frequencies_of(connection, model), model.people, records, people)
    settings = model.settings | {
        "blocking_rules_to_generate_predictions": [_blocking(rule) for rule in model.rules.blocking],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
    }
    with linking(settings, people, records, frequencies) as linker:
        predicted = linker.inference.predict(threshold_match_probability=model.rules.case)
        scored: pl.DataFrame = predicted.as_duckdbpyrelation().pl()
        return scored


def _blocking(rule: tuple[BlockingKey, ...]) -> dict[str, Any]:
    agreed = (f"{_KEYS[key].format('l')} = {_KEYS[key].format('r')}" for key in rule)
    return {
        "blocking_rule": " and ".join(agreed),
        "sql_dialect": "duckdb",
        "arrays_to_explode": [key for key in rule if key in _SEVERAL],
    }


def _linked(scored: pl.DataFrame, rules: ModelRules) -> pl.DataFrame:
    """Keep each record's only candidate at `case` or above, if its probability is at `link` or above."""
    parts = pl.col("unique_id_r").str.splitn("|", 3).struct
    return scored.filter(
        (pl.len().over("unique_id_r") == 1) & (pl.col("match_probability") >= rules.link)
    ).select(
        source=parts.field("field_0"),
        stream=parts.field("field_1"),
        source_key=parts.field("field_2"),
        person_key="unique_id_l",
        probability="match_probability",
    )
