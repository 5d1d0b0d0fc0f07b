"""How sure a filled value is: whose word it is, who else says so, and what it weighs today."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg2.extras import Json

from oncehub.store.connection import Connection

ID = "001084000999"
WHO = {"person.personal_id": ID}
STATED = "2026-05-01T01:02:03+00:00"

_STATE = """
insert into record.person (source, stream, source_key, full_name, phone, deleted_at, stated_at)
values (%(source)s, 's', %(key)s, %(full_name)s, %(phone)s, %(deleted_at)s, now());
insert into truth.link (source, stream, source_key, person_key, method)
values (%(source)s, 's', %(key)s, %(person)s, 'personal_id');
"""


@pytest.fixture
def an(believe: Callable[..., str]) -> str:
    return believe(personal_id=ID, full_name="Nguyễn Thị An", phone="+84912345678", life_status="alive")


@pytest.fixture
def state(database: Connection, an: str) -> Callable[..., None]:
    """Let a source state something of An: `state("tax", phone=...)`."""

    def add(source: str, key: str | None = None, **given: Any) -> None:
        values = {"full_name": None, "phone": None, "deleted_at": None} | given
        with database, database.cursor() as cursor:
            cursor.execute("select record.attach_source(%s)", (source,))
            cursor.execute(_STATE, values | {"source": source, "key": key or source, "person": an})

    return add


def confidence(portal: Any, item: str) -> dict[str, Any]:
    answer: dict[str, Any] = portal.prefill("1.004222", WHO).json()["items"][item]["confidence"]
    return answer


def faded(trust: float) -> float:
    """A word of `STATED` under a half-life of a year."""
    age = datetime.now(UTC) - datetime.fromisoformat(STATED)
    return trust * 0.5 ** (age.total_seconds() / (365.25 * 86400))


def test_the_authority_s_value_is_not_scored(portal: Any, state: Callable[..., None]) -> None:
    state("population", full_name="Nguyễn Thị An")
    assert confidence(portal, "full_name") == {"level": "authority", "sources": 1, "weight": None}
    state("portal", full_name="NGUYEN THI AN")
    assert confidence(portal, "full_name") == {"level": "authority", "sources": 2, "weight": None}


def test_a_source_s_value_weighs_its_trust_and_fades(portal: Any, state: Callable[..., None]) -> None:
    state("tax", phone="+84912345678")
    told = confidence(portal, "phone")
    assert (told["level"], told["sources"]) == ("single", 1)
    assert told["weight"] == pytest.approx(faded(0.6), abs=0.006)


def test_several_sources_that_say_so_agree_and_each_counts_once(
    portal: Any, state: Callable[..., None]
) -> None:
    state("tax", phone="+84912345678")
    state("tax", "second", phone="+84912345678")
    assert confidence(portal, "phone")["level"] == "single"
    state("banking", phone="+84912345678")
    assert (confidence(portal, "phone")["level"], confidence(portal, "phone")["sources"]) == ("agreed", 2)


def test_who_states_nothing_another_value_or_is_deleted_does_not_agree(
    portal: Any, state: Callable[..., None], an: str, disagree: Callable[..., int]
) -> None:
    state("tax", phone="+84912345678")
    state("portal", full_name="Nguyễn Thị An")
    state("customs", phone="+84912345678", deleted_at="2026-06-01")
    state("banking", phone="+84999999999")
    disagree(an, "phone", source="banking", stream="s", key="banking", kind="stale")
    assert (confidence(portal, "phone")["level"], confidence(portal, "phone")["sources"]) == ("single", 1)


def test_a_difference_of_form_is_agreement(
    portal: Any, state: Callable[..., None], an: str, disagree: Callable[..., int]
) -> None:
    state("tax", phone="+84912345678")
    state("banking", phone="0912345678")
    disagree(an, "phone", source="banking", stream="s", key="banking", kind="form")
    assert confidence(portal, "phone")["sources"] == 2


def test_a_value_of_a_doubtful_record_is_doubtful_and_weighs_less(
    portal: Any, state: Callable[..., None], database: Connection
) -> None:
    state("tax", phone="+84912345678")
    origin = {"source": "tax", "rule": "trust", "as_of": STATED, "doubtful": True}
    with database, database.cursor() as cursor:
        cursor.execute("update truth.person set provenance = provenance || %s", (Json({"phone": origin}),))
    told = confidence(portal, "phone")
    assert told["level"] == "doubtful"
    assert told["weight"] == pytest.approx(faded(0.6) / 2, abs=0.006)
