"""What is planted in windows, clocks, commits and deletions does what its description says."""

from datetime import datetime, timedelta

import pytest

from stubs.hostile.plants.changes import BACKWARDS, LATE, LATE_RECORDS, VERY_LATE
from stubs.hostile.register.register import Hidden

from ..hostile_reading import PlainReader, with_plant

PEOPLE = 60


@pytest.fixture
def planted(hostile):
    """A source that asks for no credentials, with one plant, and its reader."""
    return lambda plant, **variant: with_plant(hostile(people=PEOPLE, auth="none", **variant), plant)


def keys(records):
    return {record["maSo"] for record in records}


def newest(records):
    return max(datetime.fromisoformat(record["capNhat"]) for record in records)


def test_records_exactly_at_the_lower_bound_are_lost(planted):
    source, reader = planted("since_exclusive")
    at = source.now + timedelta(seconds=5)
    source.advance(timedelta(seconds=10))
    lost, kept = source.add(2, at=at), source.add(1)
    assert keys(reader.read(since=at.isoformat())) == set(kept)
    assert set(lost) <= keys(reader.read(since=(at - timedelta(seconds=1)).isoformat()))


def test_the_record_at_an_inclusive_sequence_is_lost(planted):
    source, reader = planted("since_exclusive", changes="sequence", after_inclusive=True)
    (key,) = source.add()
    last = max(record["thuTu"] for record in source.records())
    assert keys(reader.read(afterSeq=last)) == set()
    assert keys(reader.read(afterSeq=last - 1)) == {key}


@pytest.mark.parametrize(
    ("changes", "asked"), [("time", {"since": "2026-01-01T00:00:00Z"}), ("sequence", {"afterSeq": 99_999})]
)
def test_the_lower_bound_is_ignored(planted, changes, asked):
    source, reader = planted("ignores_since", changes=changes)
    assert keys(reader.read(**asked)) == keys(source.records())


def test_the_upper_bound_is_ignored(planted):
    source, reader = planted("ignores_until")
    assert keys(reader.read(until="2000-01-01T00:00:00Z")) == keys(source.records())


@pytest.mark.parametrize(("plant", "lateness"), [("late_rows", LATE), ("very_late_rows", VERY_LATE)])
def test_late_records_show_after_a_reading_with_an_old_time(planted, plant, lateness):
    source, reader = planted(plant)
    first = reader.read()
    assert len(first) == PEOPLE
    late = [record for record in reader.read() if record["maSo"] not in keys(first)]
    assert len(late) == LATE_RECORDS
    asked = newest(first) - lateness + timedelta(minutes=1)
    assert not keys(late) & keys(reader.read(since=asked.isoformat()))
    below = newest(first) - lateness - timedelta(minutes=1)
    assert keys(late) <= keys(reader.read(since=below.isoformat()))
    (added,) = source.add()
    assert added not in keys(source.records())
    reader.read()
    assert added in keys(source.records())


def test_a_commit_can_be_late_by_the_clock_or_by_requests(hostile):
    source = hostile(auth="none")
    reader = PlainReader(source)
    (by_clock,) = source.add(hidden=Hidden(until=source.now + timedelta(minutes=5)))
    (by_requests,) = source.add(hidden=Hidden(requests=3))
    assert not {by_clock, by_requests} & keys(source.records())
    source.advance(timedelta(minutes=5))
    assert by_clock in keys(source.records())
    seen = [by_requests in keys(reader.get("/holders", limit=500).json()["data"]["items"]) for _ in range(4)]
    assert seen == [False, False, True, True]


@pytest.mark.parametrize("pages", ["cursor", "number", "link"])
def test_a_whole_batch_at_one_instant_is_read_over_several_pages(planted, pages):
    source, reader = planted("same_timestamp", pages=pages)
    records = reader.read(limit=7)
    batch = [record for record in records if record["capNhat"] == newest(records).isoformat()]
    assert len(batch) == PEOPLE // 2
    source.change(1)
    assert newest(reader.read()) == newest(records)
    assert keys(records) == keys(source.records())


def test_the_clock_runs_backwards(planted):
    source, reader = planted("backwards_clock")
    cursor = newest(reader.read())
    first, second = source.change(2)
    times = {record["maSo"]: datetime.fromisoformat(record["capNhat"]) for record in source.records()}
    assert times[second] - times[first] == BACKWARDS
    assert not {first, second} & keys(reader.read(since=cursor.isoformat()))
    source.clear()
    source.change([first])
    assert first in keys(reader.read(since=cursor.isoformat()))


@pytest.mark.parametrize("deletes", ["flag", "tombstone", "separate"])
def test_deleted_records_vanish_without_a_tombstone(planted, deletes):
    source, reader = planted("silent_deletes", deletes=deletes)
    deleted = source.delete(3)
    assert not set(deleted) & keys(reader.read())
    assert not set(deleted) & keys(reader.read(since="2000-01-01T00:00:00Z"))
    if deletes == "separate":
        assert reader.read("/deleted") == []


def test_a_restless_source_never_says_the_same_twice(planted):
    _, reader = planted("restless")
    first, second = (
        reader.get("/holders").json()["data"]["items"],
        reader.get("/holders").json()["data"]["items"],
    )
    assert [record["maSo"] for record in first] == [record["maSo"] for record in second]
    for before, after in zip(first, second, strict=True):
        assert after["dienThoai"] != before["dienThoai"]
        assert after["capNhat"] > before["capNhat"]


@pytest.mark.parametrize("pages", ["cursor", "link", "next_url"])
def test_a_token_expires_when_other_requests_come_between(planted, pages):
    _, reader = planted("expired_cursor", pages=pages)
    assert len(reader.read(limit=10)) == PEOPLE
    first = next(reader.pages(limit=10))
    target, asked = reader.following(first, 10, 1)
    reader.get("/position")
    reader.get("/position")
    answer = reader.get(target) if target else reader.get("/holders", limit=10, **asked)
    assert (answer.status_code, answer.json()["error"]) == (410, "expired_cursor")
