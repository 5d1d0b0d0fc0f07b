"""What stands for real values in a recording leads back to none of them."""

from __future__ import annotations

import pytest

from oncehub.conformance.recording.substitutes import Substitutes, substituted


@pytest.mark.parametrize("name", ["079099001234", "an.nguyen@mail.example"])
def test_a_field_called_by_somebodys_number_or_address_is_called_otherwise(name: str) -> None:
    record = {"theoNguoi": {name: {"ten": "An"}}}
    replaced = substituted(record, Substitutes(b"k" * 32), lambda _: False)
    assert isinstance(replaced, dict)
    (other,) = replaced["theoNguoi"]
    assert other != name
    assert len(other) == len(name)
    assert list(replaced["theoNguoi"][other]) == ["ten"]
