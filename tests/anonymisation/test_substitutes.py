"""What stands for values in a recording, and answers written anew in every form."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from oncehub.anonymisation.substitutes import Substitutes, substituted
from oncehub.config.reading import Read, SinglePage
from oncehub.conformance.recording.writing import written
from oncehub.connect.formats import PageReader
from oncehub.connect.http.responses import Response
from oncehub.errors import ConfigError

KEY = b"k" * 32
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=30)


@given(TEXTS)
def test_a_substitute_is_as_long_and_of_the_same_form(text: str) -> None:
    drawn = Substitutes(KEY).text(text)
    assert len(drawn) == len(text)
    for mine, theirs in zip(drawn, text, strict=True):
        if theirs.isdigit():
            assert mine.isdigit()
        elif theirs.isalpha():
            assert mine.isalpha()
            assert mine.isupper() == theirs.isupper()
        elif theirs.isascii():
            assert mine == theirs


@given(st.lists(TEXTS, min_size=2, max_size=20))
def test_the_same_value_has_the_same_substitute_and_another_key_gives_others(texts: list[str]) -> None:
    one, again, other = Substitutes(KEY), Substitutes(KEY), Substitutes(b"o" * 32)
    assert [one.text(text) for text in texts] == [again.text(text) for text in texts]
    long = [text for text in texts if sum(letter.isalnum() for letter in text) > 8]
    assert all(one.text(text) != other.text(text) for text in long)


def test_different_values_have_different_substitutes_and_none_is_a_real_one() -> None:
    numbers = [f"SDC{number:04}" for number in range(500)]
    substitutes = Substitutes(KEY)
    substitutes.learn([{"maSo": number} for number in numbers])
    drawn = {substitutes.text(number) for number in numbers}
    assert len(drawn) == 500
    assert drawn.isdisjoint(numbers)
    assert {each[:3] for each in drawn} == {"SDC"}


@given(st.lists(st.integers(0, 9_999), min_size=100, max_size=300, unique=True), st.binary(min_size=32))
def test_no_substitute_holds_a_real_value_as_a_word_of_its_own(numbers: list[int], key: bytes) -> None:
    # A cell of a CSV file lists what other records state alone: 12/345;6/78.
    parcels = [f"{number % 100:02}/{number // 100 + 100}" for number in numbers]
    cells = [";".join(parcels[at : at + 3]) for at in range(0, len(parcels), 3)]
    substitutes = Substitutes(key)
    substitutes.learn(
        [*({"thuaDat": cell} for cell in cells), *({"dienTich": each / 10} for each in numbers)]
    )
    drawn = {part for cell in cells for part in substitutes.text(cell).split(";")}
    assert drawn.isdisjoint(parcels)
    areas = {number / 10 for number in numbers}
    assert all(substitutes.number(area) not in areas for area in areas if len(str(area)) > 4)


def test_where_every_value_of_a_form_is_real_it_says_what_to_do() -> None:
    substitutes = Substitutes(KEY)
    substitutes.learn([{"so": f"{one:02}-{other:02}"} for one in range(100) for other in range(100)])
    with pytest.raises(ConfigError, match="list the values of codes in the contract"):
        substitutes.text("12-34")


@pytest.mark.parametrize(
    "text", ["31/12/1980", "7/5/1984", "1980-12-31", "19801231", "05/1984", "1983", "2026-05-01 08:12:33"]
)
def test_a_date_stands_for_a_date(text: str) -> None:
    forms = ["%d/%m/%Y", "%Y-%m-%d", "%Y%m%d", "%m/%Y", "%Y", "%Y-%m-%d %H:%M:%S"]
    drawn = Substitutes(KEY).text(text)
    assert drawn != text

    def fits(form: str, value: str) -> bool:
        try:
            datetime.strptime(value, form)  # noqa: DTZ007
        except ValueError:
            return False
        return True

    assert any(fits(form, drawn) and fits(form, text) for form in forms)


def test_what_is_kept_stays_and_the_rest_keeps_its_type() -> None:
    record = {"ten": "An", "so": 1234, "ty": 12.5, "co": True, "ma": None, "gt": "1", "ds": ["a1", "b2"]}
    drawn: Any = substituted(record, Substitutes(KEY), {"gt"}.__contains__)
    assert drawn["gt"] == "1"
    assert (drawn["co"], drawn["ma"]) == (True, None)
    assert (len(str(drawn["so"])), type(drawn["ty"]), len(drawn["ds"])) == (4, float, 2)
    assert drawn["ten"] != "An"


VALUE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
VIETNAMESE = st.sampled_from(["Nguyễn Văn Ấn", "ĐẶNG THỊ ỸÊN", 'ưỡng; "ộ"', "a\tb"])


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ({"format": "json", "records": "data.items"}, VALUE),
        ({"format": "json", "compression": "gzip"}, VALUE),
        ({"format": "jsonl"}, VALUE),
        ({"format": "csv", "delimiter": ";"}, VALUE),
        ({"format": "csv", "encoding": "cp1258"}, VIETNAMESE),
        ({"format": "csv", "encoding": "utf-16", "compression": "gzip"}, VIETNAMESE),
        ({"format": "xml", "records": "ds/muc", "namespaces": {"v": "urn:v"}}, VALUE),
    ],
)
@given(data=st.data())
def test_what_is_written_is_read_again(form: dict[str, Any], values: Any, data: Any) -> None:
    read = TypeAdapter(Read).validate_python({**form, "path": "/x"})
    names = ["v:a", "b", "@c"] if form["format"] == "xml" else ["a", "b", "c"]
    record = st.fixed_dictionaries(dict.fromkeys(names, values))
    records = data.draw(st.lists(record, min_size=1, max_size=5))
    body = written(read, records, {})
    reader = PageReader(read, SinglePage(kind="none"), 1_000_000)
    assert reader.page(Response(200, {}, body), "page").records == records
