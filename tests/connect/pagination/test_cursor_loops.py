"""A reader sent in circles notices, and one sent forward is left alone."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from oncehub.connect.pagination.cursor import checked_loop


def noticed_after(tokens: list[str]) -> int | None:
    check = None
    for number, token in enumerate(tokens, start=1):
        check = checked_loop(check, token)
        if check is None:
            return number
    return None


@given(st.integers(0, 60), st.integers(1, 60))
def test_any_circle_is_noticed_soon(before: int, length: int) -> None:
    tokens = (str(n if n < before else before + (n - before) % length) for n in count())
    limit = 3 * (before + length) + 2
    noticed = noticed_after([next(tokens) for _ in range(limit)])
    assert noticed is not None
    assert noticed > before + length


@given(st.lists(st.text(), unique=True, max_size=300))
def test_tokens_that_all_differ_are_never_taken_for_a_circle(tokens: list[str]) -> None:
    assert noticed_after(tokens) is None


def test_a_token_that_repeats_at_once_is_noticed_at_once() -> None:
    assert noticed_after(["a", "a"]) == 2


def test_the_state_does_not_hold_the_tokens_nor_grow() -> None:
    check = None
    for number in range(5000):
        check = checked_loop(check, f"9704000000{number:09}")
        assert check is not None
        assert "9704" not in str(check.steps)
        assert len(str(check)) < 120
    assert "9704000000" not in str(check)
