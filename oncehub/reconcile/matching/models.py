"""Stores matching models: keeps, lists, activates, exports and imports them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import polars as pl
from psycopg2 import sql
from psycopg2.extras import Json, RealDictCursor
from pydantic import BaseModel, ValidationError

from oncehub.config.rules import ModelRules
from oncehub.errors import ConfigError
from oncehub.reconcile.matching.blocking import prepare_register
from oncehub.reconcile.matching.levels import terms
from oncehub.reconcile.matching.splink_job import Frequencies
from oncehub.store.connection import Connection
from oncehub.store.frames import copy_frame

_LIST: Final = """
select model_id, trained_at, trained_by, reason, rules, settings, people, labels, active
from truth.match_model
"""

_INSERT: Final = """
insert into truth.match_model (trained_by, reason, rules, settings, people, labels)
values (%s, %s, %s, %s, %s, %s)
returning model_id
"""

_FREQUENCIES: Final = """
select term, value, frequency
from truth.match_frequency
where model_id = %(model)s and (%(values)s::text[] is null or value = any(%(values)s))
"""

_ACTIVATE: Final = """
update truth.match_model set active = false where active and model_id <> %(id)s;
update truth.match_model set active = true where not active and model_id = %(id)s;
"""

_JUDGE_AGAIN: Final = """
insert into intake.dirty (source, stream, source_key)
select source, stream, source_key from truth.unlinked
union all
select source, stream, source_key from truth.link where method = 'model'
"""


@dataclass(frozen=True)
class Trained:
    """A model as training or an export gives it.

    Attributes:
        rules: what it compares, and whom.
        settings: Splink's settings with the trained parameters.
        frequencies: column -> its frequent values (`<column>`, text) and their share (`tf_<column>`).
        people: live records of the register that it learned from.
        labels: linked records that it learned from.
    """

    rules: ModelRules
    settings: dict[str, Any]
    frequencies: Frequencies
    people: int
    labels: int


@dataclass(frozen=True)
class Model:
    """A stored model, without its term frequencies."""

    model_id: int
    trained_at: datetime
    trained_by: str
    reason: str
    rules: ModelRules
    settings: dict[str, Any]
    people: int
    labels: int
    active: bool


class _Document(BaseModel):
    """An exported model."""

    format: Literal["oncehub matching model 1"]
    rules: ModelRules
    settings: dict[str, Any]
    people: int
    labels: int
    frequencies: dict[str, dict[str, float]]


def keep_model(connection: Connection, trained: Trained, by: str, reason: str) -> int:
    """Add a model, not yet active, within the caller's transaction; return its number."""
    with connection.cursor() as cursor:
        rules = Json(trained.rules.model_dump(mode="json"))
        cursor.execute(_INSERT, (by, reason, rules, Json(trained.settings), trained.people, trained.labels))
        (model_id,) = cursor.fetchone() or (0,)
    for term, frame in trained.frequencies.items():
        rows = frame.select(
            pl.lit(model_id).alias("model_id"),
            pl.lit(term).alias("term"),
            pl.col(term).alias("value"),
            pl.col(f"tf_{term}").alias("frequency"),
        )
        copy_frame(connection, rows, sql.Identifier("truth", "match_frequency"), rows.columns)
    return int(model_id)


def list_models(connection: Connection) -> list[Model]:
    """Return every model, newest first."""
    return _models(connection, "order by model_id desc")


def model_of(connection: Connection, model_id: int) -> Model:
    """Return one model.

    Raises:
        ConfigError: when there is none of that number.
    """
    found = _models(connection, "where model_id = %s", model_id)
    if not found:
        raise ConfigError(f"no matching model {model_id}; `oncehub match models` lists them")
    return found[0]


def active_model(connection: Connection) -> Model | None:
    """Return the active model, if there is one."""
    found = _models(connection, "where active")
    return found[0] if found else None


def activate(connection: Connection, model_id: int, register: str) -> None:
    """Make this the active model, within the caller's transaction.

    Creates the indexes that its blocking needs, and marks the records that no identifier links dirty, so that
    the next run matches all of them by it.
    """
    model = model_of(connection, model_id)
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVATE, {"id": model_id})
        prepare_register(cursor, model.rules, register)
        cursor.execute(_JUDGE_AGAIN)


def frequencies_of(
    connection: Connection, model: Model, values: Sequence[str] | None = None
) -> dict[str, pl.DataFrame]:
    """Return the term frequencies of a model as `Trained.frequencies`: all, or those of some values."""
    with connection.cursor() as cursor:
        cursor.execute(_FREQUENCIES, {"model": model.model_id, "values": values})
        rows = cursor.fetchall()
    kept = pl.DataFrame(rows, {"term": pl.String, "value": pl.String, "frequency": pl.Float64}, orient="row")
    return {
        term: kept.filter(pl.col("term") == term).select(
            pl.col("value").alias(term), pl.col("frequency").alias(f"tf_{term}")
        )
        for term in terms(model.rules)
    }


def exported(connection: Connection, model_id: int) -> bytes:
    """Return a model as one JSON document that `imported` reads.

    It holds the folded names that several people of the register bore, and no data of a single person.
    """
    model = model_of(connection, model_id)
    frequencies = frequencies_of(connection, model)
    document = _Document(
        format="oncehub matching model 1",
        rules=model.rules,
        settings=model.settings,
        people=model.people,
        labels=model.labels,
        frequencies={term: dict(sorted(frame.iter_rows())) for term, frame in frequencies.items()},
    )
    return document.model_dump_json(indent=2).encode() + b"\n"


def imported(document: bytes, name: str) -> Trained:
    """Read what `exported` wrote.

    Raises:
        ConfigError: It is something else; `name` is the file that was read.
    """
    try:
        content = _Document.model_validate_json(document)
    except ValidationError:
        raise ConfigError(
            f"{name}: is no model that this version of `oncehub match export` wrote; export it again"
        ) from None
    frequencies = {
        term: pl.DataFrame(
            {term: list(known), f"tf_{term}": list(known.values())},
            schema={term: pl.String, f"tf_{term}": pl.Float64},
        )
        for term, known in content.frequencies.items()
    }
    return Trained(content.rules, content.settings, frequencies, content.people, content.labels)


def _models(connection: Connection, clause: str, *values: Any) -> list[Model]:
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LIST + clause, values)
        return [
            Model(**{**row, "rules": ModelRules.model_validate(row["rules"])}) for row in cursor.fetchall()
        ]
