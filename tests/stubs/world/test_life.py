"""The world is the same for the same seed, and a day changes what it touches and nothing else."""

from itertools import pairwise

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stubs.world import World

STREAMS = [
    ("population", "citizens"),
    ("portal", "accounts"),
    ("portal", "dossiers"),
    ("tax", "registrations"),
    ("customs", "declarants"),
    ("banking", "accounts"),
]


def sent(frame: pl.DataFrame) -> pl.DataFrame:
    """What of a frame ever leaves: of a struck-off register record only its tombstone does."""
    return frame.filter(~pl.col("_deleted") | pl.col("_raw").is_null()).sort("_key")


@pytest.mark.parametrize("days", [0, 2])
def test_the_same_seed_and_the_same_days_make_the_same_world(days: int) -> None:
    one, other = World.generate(2000, 5), World.generate(2000, 5)
    assert one.advance(days) == other.advance(days)
    for stream in STREAMS:
        assert_frame_equal(one.frame(*stream), other.frame(*stream))
    assert_frame_equal(one.truth().discrepancies, other.truth().discrepancies)


def test_two_days_are_two_times_a_day() -> None:
    one, other = World.generate(2000, 5), World.generate(2000, 5)
    one.advance(2)
    other.advance()
    other.advance()
    assert one.now == other.now
    for stream in STREAMS:
        assert_frame_equal(one.frame(*stream), other.frame(*stream))


def test_another_seed_makes_another_world() -> None:
    one, other = World.generate(2000, 1), World.generate(2000, 2)
    assert set(one.frame("population", "citizens")["SoDinhDanh"]).isdisjoint(
        other.frame("population", "citizens")["SoDinhDanh"]
    )


def test_records_that_no_event_touches_keep_every_byte() -> None:
    world = World.generate(2000, 1)
    for _ in range(4):
        before, since = {stream: world.frame(*stream) for stream in STREAMS}, world.now
        world.advance()
        for stream in STREAMS:
            after = world.frame(*stream)
            untouched = sent(after.filter(pl.col("_updated_at") < since))
            earlier = sent(before[stream]).join(untouched.select("_key"), on="_key", how="semi").sort("_key")
            assert_frame_equal(untouched, earlier)
            assert set(before[stream]["_key"]) <= set(after["_key"])


def test_a_day_touches_about_one_record_in_a_hundred_within_the_day() -> None:
    world = World.generate(20_000, 1)
    since = world.now
    world.advance()
    frames = [world.frame(*stream) for stream in STREAMS]
    touched = sum(frame.filter(pl.col("_updated_at") >= since).height for frame in frames)
    assert 0.005 < touched / sum(frame.height for frame in frames) < 0.02
    assert max(frame["_updated_at"].max() for frame in frames) < world.now


def test_every_kind_of_event_happens() -> None:
    counts = World.generate(2000, 1).advance(5)
    assert {kind for kind, count in counts.items() if count == 0} <= {"customs_status_changes"}


def test_repaired_records_leave_the_truth() -> None:
    world = World.generate(2000, 1)
    broken = [world.truth().broken]
    for _ in range(8):
        world.advance()
        broken.append(world.truth().broken)
    keys = [set(each.select("source", "stream", "source_key").iter_rows()) for each in broken]
    assert all(later <= earlier for earlier, later in pairwise(keys))
    assert len(keys[-1]) < len(keys[0])
    assert set(broken[-1]["fault"]) >= {"check_digit"}  # a key with a wrong digit stays as it is


def test_corrected_conflicts_leave_the_truth_and_the_register_makes_others_stale() -> None:
    world = World.generate(2000, 1)

    def open_now(kind: str) -> set[tuple[str, ...]]:
        rows = world.truth().discrepancies.filter(kind=kind)
        return set(rows.select("source", "source_key", "attribute").iter_rows())

    conflicts, stale = open_now("conflict"), open_now("stale")
    world.advance(10)
    assert conflicts - open_now("conflict")
    assert {attribute for _, _, attribute in open_now("stale") - stale} >= {
        "birth_date",
        "full_name",
        "phone",
    }


def test_spouses_name_each_other_and_heads_are_of_the_household() -> None:
    world = World.generate(2000, 1)
    world.advance(5)
    people = world.frame("population", "citizens").filter(~pl.col("_deleted") & (pl.col("TrangThai") != 2))
    spouse = dict(zip(people["SoDinhDanh"], people["VoChong"].struct.field("SoDinhDanh"), strict=True))
    married = {one: other for one, other in spouse.items() if other is not None}
    assert len(married) > 400
    assert all(spouse[other] == one for one, other in married.items())
    assert set(people.filter(pl.col("VoChong").is_not_null())["TinhTrangHonNhan"]) == {2}
    head = people.filter(pl.col("ChuHo").struct.field("QuanHe") == "01")
    assert (head["ChuHo"].struct.field("SoDinhDanh") == head["SoDinhDanh"]).all()


def test_a_world_too_small_for_its_plants_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 500"):
        World.generate(10)
