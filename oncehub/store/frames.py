"""Copies Polars frames into PostgreSQL tables with COPY."""

from __future__ import annotations

import io
from collections.abc import Sequence

import polars as pl
from psycopg2 import sql

from oncehub.store.connection import Connection

_CHUNK_BYTES = 2**20


def copy_frame(
    connection: Connection, frame: pl.DataFrame, table: sql.Composable, columns: Sequence[str]
) -> None:
    """Append the frame's `columns` to `table` within the caller's transaction.

    Struct columns are written as JSON objects; datetimes must be UTC. Nulls stay null, empty strings empty.
    """
    buffer = io.BytesIO()
    # Texts are quoted and nulls are not: this is how COPY distinguishes an empty string from a null.
    frame.select(_encoded(frame.schema, column) for column in columns).write_csv(
        buffer, include_header=False, quote_style="non_numeric"
    )
    buffer.seek(0)
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor:
        cursor.copy_expert(statement, buffer, size=_CHUNK_BYTES)


def stage(connection: Connection, frame: pl.DataFrame, *, like: sql.Composable, name: str) -> sql.Identifier:
    """Copy the frame into a temporary table with the types of `like`, dropped at commit; return its name."""
    table = sql.Identifier("pg_temp", name)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("drop table if exists {}").format(table))
        cursor.execute(
            sql.SQL("create temporary table {} on commit drop as select {} from {} limit 0").format(
                sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, frame.columns)), like
            )
        )
    copy_frame(connection, frame, table, frame.columns)
    return table


def _encoded(schema: pl.Schema, column: str) -> pl.Expr:
    kind = schema[column]
    if isinstance(kind, pl.Struct):
        return pl.when(pl.col(column).is_not_null()).then(pl.col(column).struct.json_encode()).alias(column)
    if isinstance(kind, pl.Datetime):
        return pl.col(column).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f%z")
    if kind == pl.Null:
        return pl.col(column).cast(pl.String)
    return pl.col(column)
