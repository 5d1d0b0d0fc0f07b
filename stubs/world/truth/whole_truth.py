"""The whole truth: what a hub would find that knew of every record whom it is about.

What `truth` tells is what can be found by the identifiers that the records state, and so must be. Where they
state none, or a mistyped one, whom they are about is known here all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from stubs.world.render.population import register_key
from stubs.world.state import SOURCES, STREAMS, State
from stubs.world.table import Array
from stubs.world.truth.discrepancies import discrepancies_among, source_keys
from stubs.world.truth.linking import METHODS, NONE, PERSONAL_ID, WRONG_PERSON, Links, find_links, sound


@dataclass(frozen=True)
class WholeTruth:
    """About live unbroken records of people who have a live unbroken record in the register."""

    links: pl.DataFrame
    """source, stream, source_key, register_id, method by which identifiers lead there.

    The method is `none` where they lead nowhere, `wrong_person` where they lead to somebody else.
    """
    discrepancies: pl.DataFrame
    """As of `Truth`."""


def whole_truth_of(state: State) -> WholeTruth:
    """The whole truth about the world as it stands."""
    led = find_links(state)
    known = {source: _known(state, source, led[source]) for source in SOURCES}
    return WholeTruth(
        links=pl.concat(_links(state, source, led[source].method) for source in SOURCES),
        discrepancies=discrepancies_among(state, known),
    )


def _registered(state: State, source: str) -> Array:
    table = state.records[source]
    return np.asarray(sound(table) & (table["person"] >= 0) & sound(state.people)[table["person"]])


def _known(state: State, source: str, led: Links) -> Links:
    """Links as if every record named the person it is about; a foreign number still leads to its bearer."""
    wrong = led.method == WRONG_PERSON
    registered = _registered(state, source)
    person = np.where(registered, state.records[source]["person"], -1)
    method = np.where(registered, PERSONAL_ID, NONE)
    return Links(np.where(wrong, led.person, person), np.where(wrong, WRONG_PERSON, method))


def _links(state: State, source: str, method: Array) -> pl.DataFrame:
    about = register_key(state.records[source]["person"])
    names = pl.Series(METHODS).gather(pl.Series(method.astype(np.int64)))
    frame = _frame(state, source, register_id=about, method=names)
    return frame.filter(pl.Series(_registered(state, source)))


def _frame(state: State, source: str, **columns: pl.Series) -> pl.DataFrame:
    keys = source_keys(source, state.records[source])
    frame = pl.DataFrame({"source_key": keys, **columns})
    return frame.select(pl.lit(source).alias("source"), pl.lit(STREAMS[source]).alias("stream"), pl.all())
