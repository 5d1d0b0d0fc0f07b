"""Papers that need not be handed in again: the person's own, of decided dossiers, reusable, and there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oncehub.store.connection import Connection

ID, FORMER, STRANGER = "001084000999", "001084000111", "001084000222"
WHO = {"person.personal_id": ID}
CODE = "1.004222"

DOSSIER: dict[str, Any] = {
    "code": "H01.12-260501-0000001",
    "procedure_code": "1.004194",
    "status": "returned",
    "owner_personal_id": ID,
    "decided_at": "2026-05-02T03:04:05+00:00",
    "deleted_at": None,
}
PAPER: dict[str, Any] = {
    "file_id": "TDK1",
    "component_code": "TP02",
    "digitised": True,
    "reusable": True,
    "from_repository": False,
    "replaced_by": None,
    "deleted_at": None,
}

_ADD_DOSSIER = """
select record.attach_source('portal');
insert into record.dossier (source, stream, source_key, code, procedure_code, status, owner_personal_id,
    decided_at, deleted_at, stated_at)
values ('portal', 'dossiers', %(code)s, %(code)s, %(procedure_code)s, %(status)s, %(owner_personal_id)s,
    %(decided_at)s, %(deleted_at)s, now());
"""
_ADD_PAPER = """
insert into record.document (source, stream, source_key, file_id, component_code, digitised, reusable,
    from_repository, replaced_by, deleted_at, stated_at)
values ('portal', 'dossiers', %(code)s, %(file_id)s, %(component_code)s, %(digitised)s, %(reusable)s,
    %(from_repository)s, %(replaced_by)s, %(deleted_at)s, now());
"""


@pytest.fixture
def hand_in(database: Connection) -> Callable[..., None]:
    """Hold a dossier with one paper: `hand_in(status=..., reusable=...)`."""

    def add(**given: Any) -> None:
        values = DOSSIER | PAPER | given
        for name in ("dossier_deleted_at", "paper_deleted_at"):
            values.setdefault(name, None)
        with database, database.cursor() as cursor:
            cursor.execute(_ADD_DOSSIER, values | {"deleted_at": values["dossier_deleted_at"]})
            cursor.execute(_ADD_PAPER, values | {"deleted_at": values["paper_deleted_at"]})

    return add


@pytest.fixture
def an(believe: Callable[..., str]) -> str:
    return believe(personal_id=ID, full_name="Nguyễn Thị An", former=[FORMER], life_status="alive")


def test_a_paper_of_an_earlier_dossier_is_referred_to_and_not_asked(
    portal: Any, an: str, hand_in: Callable[..., None], log: Any
) -> None:
    hand_in()
    answer = portal.prefill(CODE, WHO).json()
    assert answer["papers"] == {
        "dwelling_proof": {
            "title": "Giấy tờ chứng minh chỗ ở hợp pháp",
            "dossier": "H01.12-260501-0000001",
            "file": "TDK1",
            "result": None,
            "component": "TP02",
            "procedure": "1.004194",
            "decided_at": "2026-05-02T03:04:05Z",
        }
    }
    assert "dwelling_proof" not in answer["missing_items"]
    assert log()[0][4] == ["document.file_id", "dossier.code", "person.full_name", "person.personal_id"]


def test_the_latest_of_several_papers_is_the_one(portal: Any, an: str, hand_in: Callable[..., None]) -> None:
    hand_in(code="A", decided_at="2025-01-01")
    hand_in(code="B", decided_at="2026-06-01")
    hand_in(code="C", decided_at="2024-01-01")
    assert portal.prefill(CODE, WHO).json()["papers"]["dwelling_proof"]["dossier"] == "B"


def test_a_result_replaces_a_paper_whatever_the_dossier_was_about(
    portal: Any, an: str, hand_in: Callable[..., None]
) -> None:
    hand_in(procedure_code="1.002809", component_code="TP09", replaced_by="KQ.G15.000894")
    paper = portal.prefill("1.001193", WHO).json()["papers"]["marriage_certificate"]
    assert (paper["result"], paper["component"], paper["procedure"]) == ("KQ.G15.000894", "TP09", "1.002809")
    assert portal.prefill(CODE, WHO).json()["papers"] == {}


@pytest.mark.parametrize(
    "given",
    [
        {"owner_personal_id": STRANGER},
        {"status": "processing"},
        {"status": "not_received"},
        {"status": "withdrawn"},
        {"dossier_deleted_at": "2026-06-01"},
        {"paper_deleted_at": "2026-06-01"},
        {"reusable": False},
        {"reusable": None},
        {"digitised": False},
        {"component_code": "TP01"},
        {"procedure_code": "1.002809"},
    ],
)
def test_no_other_paper_leaves(
    portal: Any, an: str, hand_in: Callable[..., None], log: Any, given: dict[str, Any]
) -> None:
    hand_in(**given)
    answer = portal.prefill(CODE, WHO)
    assert answer.json()["papers"] == {}
    assert answer.json()["missing_items"]["dwelling_proof"]["reason"] == "citizen_provides"
    assert "H01.12-260501-0000001" not in answer.text
    assert log()[0][4] == ["person.full_name", "person.personal_id"]


def test_a_paper_from_the_repository_needs_no_digitising(
    portal: Any, an: str, hand_in: Callable[..., None]
) -> None:
    hand_in(digitised=False, from_repository=True)
    assert set(portal.prefill(CODE, WHO).json()["papers"]) == {"dwelling_proof"}


def test_papers_handed_in_under_a_former_number_are_the_person_s_unless_it_is_somebody_else_s_now(
    portal: Any, an: str, hand_in: Callable[..., None], believe: Callable[..., str]
) -> None:
    hand_in(owner_personal_id=FORMER)
    assert set(portal.prefill(CODE, WHO).json()["papers"]) == {"dwelling_proof"}
    believe(personal_id=FORMER, full_name="Trần Văn Bình", life_status="alive")
    assert portal.prefill(CODE, WHO).json()["papers"] == {}


def test_a_paper_that_was_decided_on_too_long_ago_is_asked_anew(
    portal: Any, an: str, hand_in: Callable[..., None], add_items: Callable[..., None]
) -> None:
    paper = {"component": "TP02", "procedures": ["1.004194"]}
    for name, age in (("old", "1d"), ("young", "90y")):
        add_items(CODE, **{name: {"ask": {"vi": name}, "max_age": age, "replaced_by": [paper]}})
    hand_in()
    assert set(portal.prefill(CODE, WHO).json()["papers"]) == {"dwelling_proof", "young"}


def test_without_papers_in_the_agreement_none_is_looked_for(
    portal: Any, an: str, hand_in: Callable[..., None]
) -> None:
    hub = portal.http.app.state.hub
    agreement = hub.agreements["portal-residence"]
    hub.agreements["portal-residence"] = agreement.model_copy(update={"papers": False})
    hand_in()
    answer = portal.prefill(CODE, WHO).json()
    assert answer["papers"] == {}
    assert answer["missing_items"]["dwelling_proof"]["reason"] == "citizen_provides"


def test_papers_are_the_person_s_alone_and_not_their_relatives(
    portal: Any, believe: Callable[..., str], hand_in: Callable[..., None]
) -> None:
    head = {"personal_id": STRANGER, "full_name": "Trần Văn Bình"}
    believe(personal_id=ID, full_name="Nguyễn Thị An", household_head=head, spouse=head, life_status="alive")
    believe(personal_id=STRANGER, full_name="Trần Văn Bình", life_status="alive")
    hand_in(owner_personal_id=STRANGER)
    assert portal.prefill(CODE, WHO).json()["papers"] == {}
