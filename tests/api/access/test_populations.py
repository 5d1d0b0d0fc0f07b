from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym_key
from oncehub.settings import Settings
from oncehub.store.connection import Connection

NAME = ["person.full_name"]
IN_HANOI = {"unit": "00004", "edition": "2025-07-01", "detail": "12 Hàng Bài"}
OUTSIDE = {"unit": "26734", "edition": "2025-07-01", "detail": "1 Lê Lợi"}
FORMERLY = {"unit": "00006", "edition": "2024-12-01", "detail": None}


@pytest.fixture
def one_stop(admit: Callable[..., Any]) -> Any:
    return admit("hanoi-one-stop")


def told(answer: Any) -> tuple[Any, ...]:
    content = answer.json()
    content.pop("instance", None)
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, content, headers


def test_a_person_outside_the_population_is_answered_exactly_as_an_unknown_one(
    one_stop: Any, believe: Callable[..., str], editable: Settings, database: Connection
) -> None:
    believe(personal_id="001084000001", full_name="Nguyễn Thị An", permanent_address=IN_HANOI)
    binh = believe(personal_id="001084000002", full_name="Lê Văn Bình", permanent_address=OUTSIDE)
    chi = believe(personal_id="001084000003", full_name="Trần Thị Chi")
    assert one_stop.lookup({"person.personal_id": "001084000001"}, NAME).status_code == 200
    nobody = told(one_stop.lookup({"person.personal_id": "001084000009"}, NAME))
    filled = told(one_stop.prefill("1.004222", {"person.personal_id": "001084000009"}))
    assert nobody[0] == filled[0] == 404
    for number in ("001084000002", "001084000003"):
        assert told(one_stop.lookup({"person.personal_id": number}, NAME)) == nobody
        assert told(one_stop.prefill("1.004222", {"person.personal_id": number})) == filled
    with database.cursor() as cursor:
        cursor.execute(
            "select person, outcome, withheld from audit.entry where action <> 'refusals' order by entry_id"
        )
        lines = cursor.fetchall()[3:]
    key = pseudonym_key(editable.home)
    assert lines == [
        (person_pseudonym(key, person), "refused", "population") for person in (binh, binh, chi, chi)
    ]


def test_an_address_of_the_catalogue_before_the_reform_is_followed_through_it(
    one_stop: Any, believe: Callable[..., str]
) -> None:
    believe(personal_id="001084000001", full_name="Nguyễn Thị An", permanent_address=FORMERLY)
    assert one_stop.lookup({"person.personal_id": "001084000001"}, NAME).status_code == 200
