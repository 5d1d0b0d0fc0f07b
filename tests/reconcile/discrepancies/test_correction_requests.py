"""Runs close a citizen's request when what they said is believed, and leave it alone until then."""

from __future__ import annotations

from uuid import UUID

import psycopg2
import pytest
from psycopg2.extras import Json

from oncehub.reconcile.linking.merges import merge_people, unmerge_person
from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.reconcile.run import mark_all
from oncehub.reconcile.stewardship.cases import decide, list_cases, open_case_file
from oncehub.share.data_subjects.correction_requests import Correction, request_correction, requests_of

AN = {"full_name": "Nguyễn Thị An", "birth_date": "1984-05-07", "personal_id": "001184000001"}
AGAIN = AN | {"personal_id": "001184000009"}


@pytest.fixture
def an(hub):
    """Somebody with a phone that the portal states; gives their key."""
    hub.state("population", "CD1", **AN)
    hub.state("portal", "TK1", 1, phone="+84912345678", **AN)
    hub.reconcile()
    return _key(hub, "CD1")


def _key(hub, name):
    return hub.row("select truth.person_key('population', 'citizens', %s)::text as key", name)["key"]


def _ask(hub, person, attribute="phone", value="+84987654321"):
    with hub.database:
        case, _ = request_correction(hub.database, person, Correction(attribute, value, "changed", None))
    return case


def _approve(hub, case):
    with hub.database:
        first = decide(hub.database, case, "approve", DecidedBy("one", "seen"))
    with hub.database:
        decide(hub.database, case, "approve", DecidedBy("two", "seen"), follows=first.decision_id)


def _states(hub, person):
    with hub.database:
        return [each.state for each in requests_of(hub.database, person)]


def test_the_run_that_believes_the_value_closes_the_request(hub, an):
    case = _ask(hub, an)
    _approve(hub, case)
    hub.state("portal", "TK1", 2, phone="+84911111111", **AN)
    hub.reconcile()
    assert _states(hub, an) == ["approved"]
    hub.state("portal", "TK1", 3, phone="+84987654321", **AN)
    hub.reconcile()
    assert _states(hub, an) == ["corrected"]
    assert hub.row("select truth.disputed_by_owner(%s) as names", an) == {"names": []}
    closed = hub.row("select closed_because from truth.case_file where case_id = %s", case)
    assert closed == {"closed_because": "corrected"}


def test_an_undecided_request_is_closed_as_well(hub, an):
    _ask(hub, an, "full_name", "Nguyễn Thị Ân")
    hub.state("population", "CD1", 2, **AN | {"full_name": "Nguyễn Thị Ân"})
    hub.reconcile()
    assert _states(hub, an) == ["corrected"]


def test_no_other_run_closes_it_and_of_one_record_several_may_be_open(hub, an):
    cases = [_ask(hub, an, "full_name", "Nguyễn Thị Ân"), _ask(hub, an, "sex", "female")]
    mark_all(hub.database)
    hub.reconcile()
    with hub.database:
        assert [case.case_id for case in list_cases(hub.database, kinds=["correction_request"])] == cases


def test_the_clerk_sees_only_the_attribute_in_question(hub, an):
    case = _ask(hub, an)
    with hub.database:
        file = open_case_file(hub.database, case, ["full_name", "phone"])
        cut = open_case_file(hub.database, case, ["full_name"])
    (row,) = file.compared
    assert (row.attribute, row.source_value) == ("phone", "+84987654321")
    assert (row.golden_values[0].value, row.golden_values[0].source) == ("+84912345678", "portal")
    assert (cut.compared, cut.evidence) == ((), {})
    assert "+84987654321" not in str(file.evidence)
    with hub.database, hub.database.cursor() as cursor:
        cursor.execute(
            "update truth.case_file set closed_at = now(), closed_because = 'corrected', evidence = '{}'"
        )
        purged = open_case_file(hub.database, case, ["full_name", "phone"])
        assert (purged.compared, purged.evidence) == ((), {})
        assert requests_of(hub.database, an) == []


def test_a_request_follows_its_person_when_people_are_merged_and_unmerged(hub, an):
    hub.state("population", "CD2", **AGAIN)
    hub.reconcile()
    other = _key(hub, "CD2")
    _ask(hub, other, "full_name", "Nguyễn Thị Ân")
    merge_people(hub.settings, UUID(other), UUID(an), DecidedBy("clerk", "one"), hub.database)
    hub.reconcile()
    assert _states(hub, an) == ["received"]
    unmerge_person(hub.settings, UUID(other), DecidedBy("clerk", "two"), hub.database)
    hub.reconcile()
    assert (_states(hub, an), _states(hub, other)) == ([], ["received"])


def test_the_database_takes_no_request_without_what_it_is_about(hub, an):
    with pytest.raises(psycopg2.errors.CheckViolation):
        hub.execute(
            "insert into truth.case_file (kind, person_key, source, stream, source_key, evidence) "
            "values ('correction_request', %s, 'portal', 'accounts', 'TK1', %s)",
            *(an, Json({})),
        )
