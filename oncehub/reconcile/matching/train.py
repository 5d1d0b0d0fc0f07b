"""Trains the matching model on records that identifiers have linked.

u (how often strangers agree) comes from random pairs of records and people who cannot belong together, m (how
often the same person agrees) from records that an identifier links. See decision 19 in
docs/decisions/.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl
from psycopg2 import sql

from oncehub.config.rules import ModelRules
from oncehub.errors import ConfigError, NotTrainable
from oncehub.reconcile.matching.features import (
    fetched,
    frame_of_people,
    frame_of_records,
    note_people,
    note_records,
)
from oncehub.reconcile.matching.levels import DATASETS, splink_settings, terms
from oncehub.reconcile.matching.models import Trained, keep_model
from oncehub.reconcile.matching.splink_job import Frequencies, completed, linking
from oncehub.reconcile.rules.rulebook import Rulebook, load_rulebook
from oncehub.settings import Settings
from oncehub.store.connection import Connection, Cursor
from oncehub.store.migrate import opened
from oncehub.store.statements import statement

LABELS: Final = 100_000
"""The most linked records to train on."""
STRANGERS: Final = 2_000_000
"""The most random pairs to compare."""
_FEWEST: Final = 100

_HALVES: Final = sql.SQL(
    "select id::text as unique_id, get_byte(uuid_send(person_key), 0) % 2 as half from candidate_person"
)

_PEOPLE: Final = "select count(*) from record.person where source = %s and deleted_at is null"

# The share of the records with an identifier of the register that are linked by it. Records without one are
# assumed to describe a person of the register as often.
_LINKED: Final = sql.SQL("""
select count(*)::float8 / greatest(count(*) + (
    select count(*)
    from truth.unlinked join record.person r using (source, stream, source_key)
    where num_nonnulls({identifiers}) > 0
), 1)
from truth.link where method = any({methods})
""")

_FREQUENCY: Final = sql.SQL("""
select text.fold_name({attribute}) as {term}, count(*)::float8 / {people} as {frequency}
from record.person
where source = {register} and deleted_at is null and {attribute} is not null
group by 1
having count(*) > 1
order by 1
""")


def train(
    settings: Settings, *, by: str, reason: str, seed: int = 1, database: Connection | None = None
) -> int:
    """Train a model by the rules of `matching.yaml` and keep it, not yet active; return its number.

    Raises:
        ConfigError: when the rules have no `model`.
        NotTrainable: when too few records are linked by an identifier of the register.
        StoreError: when the database, or DuckDB, fails.
    """
    rules = load_rulebook(settings)
    if rules.matching.model is None:
        raise ConfigError(f"{rules.matching.path}: there is no `model:` to train for; add it")
    with opened(settings, database) as connection, connection, connection.cursor() as cursor:
        cursor.execute("set local work_mem = '64MB'; set local jit = off")
        trained = trained_on(cursor, rules, rules.matching.model, seed)
        return keep_model(connection, trained, by, reason)


def trained_on(cursor: Cursor, rules: Rulebook, model: ModelRules, seed: int) -> Trained:
    """Train on what is linked now; the same seed and the same data give the same model."""
    cursor.execute(statement(__name__, "work_tables"))
    methods = [rule.method for rule in rules.register_identifiers]
    cursor.execute(statement(__name__, "labels"), {"methods": methods, "seed": seed, "most": LABELS})
    note_records(cursor, model)
    note_people(cursor, model, rules.register)
    records, people = frame_of_records(cursor, model), frame_of_people(cursor, model)
    if len(records) < _FEWEST:
        raise NotTrainable(
            f"{len(records)} records are linked by an identifier of the register; a model learns from "
            f"{_FEWEST} or more: run `oncehub sync` and `oncehub reconcile` first"
        )
    halves = fetched(cursor, _HALVES)
    cursor.execute(_PEOPLE, (rules.register,))
    (registered,) = cursor.fetchone() or (0,)
    cursor.execute(_LINKED.format(identifiers=_identifiers(rules), methods=sql.Literal(methods)))
    (linked,) = cursor.fetchone() or (0.0,)
    frequencies = _frequencies(cursor, rules, model, registered)
    known = completed(frequencies, registered, records, people)
    untrained = splink_settings(model, prior=linked / registered)
    with_strangers = _strangers(
        untrained, _half(people, halves, "0"), _half(records, halves, "1"), known, seed
    )
    trained = _same_people(with_strangers, people, records, known)
    return Trained(model, _smoothed(trained, len(records)), frequencies, registered, len(records))


def _identifiers(rules: Rulebook) -> sql.Composable:
    stated = sorted({rule.attribute for rule in rules.register_identifiers})
    return sql.SQL(", ").join(sql.Identifier("r", attribute) for attribute in stated)


def _strangers(
    settings: dict[str, Any], people: pl.DataFrame, records: pl.DataFrame, known: Frequencies, seed: int
) -> dict[str, Any]:
    with linking(settings, people, records, known) as linker:
        linker.training.estimate_u_using_random_sampling(
            max_pairs=STRANGERS, seed=seed, min_count_per_level=None, num_chunks=1
        )
        return linker.misc.save_model_to_json()


def _same_people(
    settings: dict[str, Any], people: pl.DataFrame, records: pl.DataFrame, known: Frequencies
) -> dict[str, Any]:
    person, record = DATASETS
    labels = records.select(
        source_dataset_l=pl.lit(person),
        unique_id_l="unique_id",
        source_dataset_r=pl.lit(record),
        unique_id_r="unique_id",
    )
    with linking(settings, people, records, known) as linker:
        told = linker.table_management.register_table(labels.to_arrow(), "labels")
        linker.training.estimate_m_from_pairwise_labels(told)  # type: ignore[no-untyped-call]
        return linker.misc.save_model_to_json()


def _smoothed(settings: dict[str, Any], labels: int) -> dict[str, Any]:
    """Give a level that did not occur the share of half a pair: it is rare, not impossible."""
    settings.pop("linker_uid")  # random, of this job only
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if level.get("is_null_level"):
                continue
            for name, pairs in (("m_probability", labels), ("u_probability", STRANGERS)):
                level[name] = max(level.get(name) or 0.0, 0.5 / pairs)
    return settings


def _half(frame: pl.DataFrame, halves: pl.DataFrame, half: str) -> pl.DataFrame:
    chosen = halves.filter(pl.col("half") == half).select("unique_id")
    return frame.join(chosen, on="unique_id", how="semi")


def _frequencies(cursor: Cursor, rules: Rulebook, model: ModelRules, people: int) -> dict[str, pl.DataFrame]:
    frequencies = {}
    for term in terms(model):
        query = _FREQUENCY.format(
            attribute=sql.Identifier(term.removesuffix("_key")),
            term=sql.Identifier(term),
            frequency=sql.Identifier(f"tf_{term}"),
            people=sql.Literal(people),
            register=sql.Literal(rules.register),
        )
        frequencies[term] = fetched(cursor, query).with_columns(pl.col(f"tf_{term}").cast(pl.Float64))
    return frequencies
