"""A model sees one person in two whom a clerk has joined."""

from __future__ import annotations

AN = {"full_name": "Đặng Thị Thùy An", "birth_date": "1984-05-07", "sex": "female"}
HOME = {"unit": "00001", "edition": "2024-12-01", "detail": "12 Hàng Bài"}

_JOIN = """
insert into truth.merge_decision (person_key, merged_into, verdict, reason, decided_by)
values (
    truth.person_key('population', 'citizens', '2'), truth.person_key('population', 'citizens', '1'),
    %s, 'seen', 'clerk'
)
"""


def test_a_record_that_two_people_fit_is_linked_once_they_are_one(matcher):
    for key in ("1", "2"):
        matcher.state("population", key, personal_id=f"00118400000{key}", permanent_address=HOME, **AN)
    matcher.state("portal", "a", permanent_address=HOME, **AN)
    assert matcher.reconcile().matching.cases == 1
    before = matcher.outcome()

    matcher.execute(_JOIN, "one")
    assert matcher.reconcile().matching.linked == 1
    (link,) = matcher.rows(
        "select person_key = truth.person_key('population', 'citizens', '1') as first "
        "from truth.link where method = 'model'"
    )
    assert link["first"]
    assert matcher.rows("select * from truth.case_file where closed_at is null") == []

    matcher.execute(_JOIN, "two")
    assert matcher.reconcile().matching.cases == 1
    assert matcher.outcome() == before
