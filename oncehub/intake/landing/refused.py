"""Finds the records of a batch that the database refuses, so that they alone are rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import psycopg2

from oncehub.normalize.batch import Batch, Rejected
from oncehub.store.connection import Connection
from oncehub.store.failures import refuses_values

Land = Callable[[Batch], object]
"""Lands a batch within the caller's transaction, and changes nothing but the database."""


def without_refused(connection: Connection, land: Land, batch: Batch) -> Batch:
    """Return the batch with the records rejected that cannot land, found by landing halves and undoing it.

    The normalizer checks what it knows the tables to refuse. This is for what nobody thought of, and costs
    nothing until it happens.

    Args:
        connection: outside a transaction.
        land: see `Land`.
        batch: refused as a whole.
    """
    keys = batch.keys()
    refused = _refused(connection, land, batch, keys)
    rest = batch.only([key for key in keys if key not in refused])
    return replace(rest, rejected=[*batch.rejected, *refused.values()])


def _refused(connection: Connection, land: Land, batch: Batch, keys: list[str]) -> dict[str, Rejected]:
    error = _error_of(connection, land, batch.only(keys))
    if error is None:
        return {}
    if len(keys) > 1:
        half = len(keys) // 2
        return {
            **_refused(connection, land, batch, keys[:half]),
            **_refused(connection, land, batch, keys[half:]),
        }
    [key] = keys
    stated_at, deletion = batch.statement_of(key)
    place = ".".join(filter(None, (error.diag.table_name, error.diag.column_name)))
    reason = f"the database refuses it: {type(error).__name__}"
    payload = batch.payload_of(key)
    return {key: Rejected(key, "canonical", reason, place, payload, stated_at, deletion)}


def _error_of(connection: Connection, land: Land, batch: Batch) -> psycopg2.Error | None:
    """Land a batch, undo it, and return the error if its values are refused."""
    try:
        land(batch)
    except psycopg2.Error as error:
        if not refuses_values(error):
            raise
        return error
    finally:
        connection.rollback()
    return None
