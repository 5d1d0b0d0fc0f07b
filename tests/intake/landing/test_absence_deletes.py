"""Deletion by absence from a full snapshot."""

from __future__ import annotations

import pytest

from oncehub.errors import ContractBroken
from oncehub.intake.landing.absence_deletes import Snapshot
from oncehub.normalize.batch import Rejected


@pytest.fixture
def snapshot(bench):
    """Opens a run over the bench's stream and gives its snapshot."""

    def opening() -> Snapshot:
        [(run_id,)] = bench.query(
            "insert into intake.run (source, stream, mode, state) "
            "values (%(source)s, %(stream)s, 'full', 'succeeded') returning run_id"
        )
        return Snapshot(bench.database, run_id, bench.source, bench.stream)

    return opening


@pytest.fixture
def show(bench):
    """Lands a page of a snapshot."""

    def showing(snapshot: Snapshot, *statements, rejected=()) -> None:
        with bench.database:
            batch = bench.batch(statements, rejected)
            bench.landing.land(batch)
            snapshot.note_seen(batch)

    return showing


def delete_absent(bench, snapshot: Snapshot, at_most: float = 0.2) -> int:
    with bench.database:
        return snapshot.delete_absent(bench.landing, at_most)


def people(statement, *keys: str):
    return [statement(key, 1, {"person": [{"full_name": f"An {key}"}]}) for key in keys]


def living(bench) -> str:
    return "".join(row[0] for row in bench.living("person"))


def test_what_a_complete_snapshot_lacks_is_deleted_and_dirty(bench, statement, snapshot, show) -> None:
    show(snapshot(), *people(statement, *"abcdef"))
    bench.clean()
    second = snapshot()
    show(second, *people(statement, *"abc"))
    show(second, *people(statement, *"de"))
    assert delete_absent(bench, second) == 1
    assert living(bench) == "abcde"
    assert set(bench.dirty()) == {"f"}
    assert delete_absent(bench, second) == 0


def test_a_snapshot_that_lacks_too_much_deletes_nothing(bench, statement, snapshot, show) -> None:
    show(snapshot(), *people(statement, *"abcdef"))
    second = snapshot()
    show(second, *people(statement, *"abcd"))
    with pytest.raises(ContractBroken, match=r"lacks 2 of 6 records.*at_most 0\.2"):
        delete_absent(bench, second)
    assert living(bench) == "abcdef"


def test_an_empty_snapshot_deletes_nothing(bench, statement, snapshot, show) -> None:
    show(snapshot(), *people(statement, "a"))
    with pytest.raises(ContractBroken):
        delete_absent(bench, snapshot(), at_most=0.9)
    assert living(bench) == "a"


def test_a_rejected_record_is_present_though_it_cannot_be_read(bench, statement, snapshot, show) -> None:
    show(snapshot(), *people(statement, *"abcdef"))
    second = snapshot()
    bad = Rejected("f", "contract", "breaks 'type' of the contract", "TEN", b"{}")
    show(second, *people(statement, *"abcde"), rejected=[bad])
    assert delete_absent(bench, second) == 0


def test_a_record_without_a_readable_key_may_be_any_of_the_absent_ones(
    bench, statement, snapshot, show
) -> None:
    show(snapshot(), *people(statement, *"abcdef"))
    second = snapshot()
    bad = Rejected(None, "contract", "breaks 'required' of the contract", "MA_NGUOI_KHAI", b"{}")
    show(second, *people(statement, *"abcde"), rejected=[bad])
    assert delete_absent(bench, second) == 0
    assert living(bench) == "abcdef"


def test_a_record_that_reappears_unchanged_lives_again(bench, statement, snapshot, show) -> None:
    show(snapshot(), *people(statement, *"abcdef"))
    second = snapshot()
    show(second, *people(statement, *"abcde"))
    delete_absent(bench, second)
    bench.clean()
    show(snapshot(), *people(statement, *"f"))
    assert living(bench) == "abcdef"
    assert set(bench.dirty()) == {"f"}


def test_a_record_that_reappears_as_it_was_earlier_lives_again(bench, statement, snapshot, show) -> None:
    first, second, third = snapshot(), snapshot(), snapshot()
    show(first, *people(statement, *"abcdef"))
    show(second, *people(statement, *"abcde"))
    assert delete_absent(bench, second) == 1
    show(third, *people(statement, *"abcde"), statement("f", 0, {"person": [{"full_name": "An trước"}]}))
    assert delete_absent(bench, third) == 0
    assert living(bench) == "abcdef"


def test_a_snapshot_that_starts_anew_forgets_what_the_former_one_showed(
    bench, statement, snapshot, show
) -> None:
    run = snapshot()
    show(run, *people(statement, *"abcdef"))
    with bench.database:
        run.forget()
    show(run, *people(statement, *"abcde"))
    assert delete_absent(bench, run) == 1
    assert living(bench) == "abcde"


def test_a_page_without_records_is_part_of_a_snapshot(bench, statement, snapshot, show) -> None:
    first = snapshot()
    show(first, *people(statement, *"ab"))
    show(first)
    assert delete_absent(bench, first) == 0
    assert living(bench) == "ab"
