"""Windows and pages cut from a sorted frame."""

from datetime import UTC, datetime, timedelta

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stubs.servers.protocol.windows import SortedStream, microseconds, wire_records

START = datetime(2026, 1, 1, tzinfo=UTC)
records = st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40)
bound = st.none() | st.integers(-1, 11)


def frame_of(rows):
    columns = {
        "_updated_at": [START + timedelta(microseconds=tick) for tick, _ in rows],
        "_key": [f"k{number:03d}" for number in range(len(rows))],
        "_deleted": [deleted for _, deleted in rows],
        "_raw": [None] * len(rows),
    }
    types = {
        "_updated_at": pl.Datetime("us", "UTC"),
        "_key": pl.String,
        "_deleted": pl.Boolean,
        "_raw": pl.String,
    }
    return pl.DataFrame(columns, schema=types).sort("_updated_at", "_key")


def at(tick):
    return None if tick is None else START + timedelta(microseconds=tick)


@given(records, bound, bound, st.booleans(), st.integers(1, 7))
def test_pages_by_position_give_the_window_once_and_in_order(rows, since, until, deleted, size):
    frame = frame_of(rows)
    wanted = frame.filter(
        pl.lit(value=True) if since is None else pl.col("_updated_at") >= at(since),
        pl.lit(value=True) if until is None else pl.col("_updated_at") < at(until),
        pl.lit(value=True) if deleted else ~pl.col("_deleted"),
    )
    selection = SortedStream(frame).select(at(since), at(until), deleted=deleted)
    assert len(selection) == wanted.height
    keys: list[str] = []
    start = 0
    while start < len(selection):
        keys += selection.page(start, size)["_key"].to_list()
        last = min(start + size, len(selection)) - 1
        start = selection.start_after(*selection.position(last))
        assert start == last + 1
    assert keys == wanted["_key"].to_list()


def test_a_position_is_known_where_a_record_stands_or_stood():
    stream = SortedStream(frame_of([(5, False), (5, True), (7, False)]))
    tick = microseconds(START)
    assert stream.has_stood_at(tick + 5, "k001")
    assert stream.has_stood_at(tick + 5, "k002")
    assert not stream.has_stood_at(tick + 6, "k001")
    assert not stream.has_stood_at(tick + 5, "k009")
    assert not SortedStream(frame_of([])).has_stood_at(tick, "k000")


def test_an_instant_in_another_offset_is_not_taken_for_utc():
    with pytest.raises(ValueError, match="UTC"):
        microseconds(datetime.fromisoformat("2026-01-01T00:00:00+07:00"))


def test_a_raw_record_is_sent_verbatim():
    frame = frame_of([(1, False), (2, False)]).with_columns(
        pl.Series("_raw", [None, '{"name":  17.0}']), pl.Series("name", ["A", "B"])
    )
    assert orjson.dumps(wire_records(frame)) == b'[{"name":"A"},{"name":  17.0}]'
