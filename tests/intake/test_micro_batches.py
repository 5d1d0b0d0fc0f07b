"""Pages that land together are the pages that came, in their order, and never too many at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.connect.page import Page
from oncehub.errors import SourceUnavailable
from oncehub.intake.micro_batches import Size, micro_batches


def page(number: int, records: int, **more: object) -> Page:
    content = [{"number": number, "record": record} for record in range(records)]
    return Page(content, {"after": number}, number, None, **more)  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["records", "deletions"]), st.booleans())),
    st.integers(1, 50),
    st.integers(1, 5),
)
def test_all_pages_land_in_their_order_and_like_with_like(
    drawn: list[tuple[int, str, bool]], records: int, pages: int
) -> None:
    coming = [
        page(number, count, kind=kind, of_snapshot=of_snapshot)
        for number, (count, kind, of_snapshot) in enumerate(drawn, 1)
    ]
    joined = list(micro_batches(iter(coming), Size(records=records, pages=pages)))
    assert [record for each in joined for record in each.records] == [
        record for each in coming for record in each.records
    ]
    assert sum(each.pages for each in joined) == len(coming)
    for each in joined:
        assert (each.first.kind, each.first.of_snapshot) == (each.last.kind, each.last.of_snapshot)
        assert each.pages <= pages
        assert len(each.records) - len(each.last.records) < records
        assert each.next == each.last.next


def test_a_read_that_begins_anew_begins_a_micro_batch() -> None:
    coming = iter([page(7, 1), page(8, 1), page(1, 1), page(2, 1)])
    assert [(each.first.number, each.pages) for each in micro_batches(coming, Size())] == [(7, 2), (1, 2)]


def test_records_read_before_a_failure_land_before_it_is_reported() -> None:
    def failing() -> Iterator[Page]:
        yield page(1, 3)
        yield page(2, 3)
        raise SourceUnavailable("gone")

    coming = micro_batches(failing(), Size())
    assert len(next(coming).records) == 6
    with pytest.raises(SourceUnavailable):
        next(coming)
