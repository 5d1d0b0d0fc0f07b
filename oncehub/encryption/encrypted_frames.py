"""Encrypts the sensitive columns of a frame; apart from `field_values`, which must not load Polars."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from oncehub.config.entities import Entity
from oncehub.encryption.cipher import Ciphers
from oncehub.encryption.field_values import encrypt_value, sensitive_of


def encrypted_frame(
    frame: pl.DataFrame, entity: Entity, source: str, stream: str, ciphers: Ciphers
) -> pl.DataFrame:
    """Return the frame with its sensitive attributes encrypted, each for its record; nulls stay null."""
    return frame.with_columns(
        pl.Series(
            name,
            _encrypted_column(frame, entity.qualified(name), (source, stream), ciphers, indexed),
            pl.String(),
        )
        for name, indexed in sensitive_of(entity).items()
        if name in frame.columns and frame[name].null_count() < frame.height
    )


def _encrypted_column(
    frame: pl.DataFrame, attribute: str, stream: tuple[str, str], ciphers: Ciphers, indexed: bool
) -> Sequence[str | None]:
    name = attribute.rpartition(".")[2]
    return [
        None if value is None else encrypt_value(ciphers, attribute, (*stream, key), value, indexed=indexed)
        for key, value in frame.select("source_key", name).iter_rows()
    ]
