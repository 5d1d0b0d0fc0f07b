"""Clerks break and set links, by themselves and at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import UUID, uuid4

import pytest

from oncehub.errors import ConfigError, DecisionRefused
from oncehub.reconcile.linking.overrides import (
    DecidedBy,
    RecordKey,
    link_state_of,
    override_link,
    remove_link,
)
from oncehub.reconcile.run import mark_all, settle_people
from oncehub.store.connection import connect

ANH = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "personal_id": "001184000001"}
BINH = {"full_name": "Trần Văn Bình", "birth_date": "1990-11-20", "personal_id": "001090000002"}
ACCOUNT = RecordKey("banking", "accounts", "B1")
WORD = DecidedBy("clerk", "seen at the counter")


@pytest.fixture
def linked(hub):
    """Two people of the register; an account under the first one's number, linked."""
    hub.state("population", "CD1", **ANH)
    hub.state("population", "CD2", **BINH)
    hub.state("banking", "B1", phone="+84912345678", **ANH)
    hub.reconcile()
    return hub


def _key(hub, name):
    return UUID(hub.person(name)["person_key"])


def test_a_wrong_link_is_found_broken_and_stays_broken(linked):
    found = link_state_of(linked.settings, ACCOUNT, linked.database)
    assert (found.link["method"], found.overrides) == ("personal_id", [])
    _, person = remove_link(linked.settings, ACCOUNT, WORD, linked.database)
    assert person == found.link["person_key"]
    for day in range(3):
        linked.reconcile()
        assert (linked.links(), linked.person("CD1")["phone"]) == ({}, None)
        linked.state("banking", "B1", day + 1, phone="+84912345678", **ANH)
        linked.reconcile()
        mark_all(linked.database)
    (override,) = link_state_of(linked.settings, ACCOUNT, linked.database).overrides
    assert (override.verdict, override.decided_by, override.reason, override.active) == (
        "different",
        "clerk",
        "seen at the counter",
        True,
    )
    assert (override.linked_to, override.method) == (person, "personal_id")


def test_a_waiting_run_is_not_settled_by_a_link_that_a_clerk_is_removing(linked):
    linked.execute("insert into truth.pending select person_key from truth.person")
    settings = linked.settings
    with (
        closing(connect(settings.database_url)) as clerk,
        closing(connect(settings.database_url)) as settler,
        ThreadPoolExecutor(1) as thread,
    ):
        with clerk, clerk.cursor() as cursor:
            cursor.execute(
                "insert into truth.link_override"
                " (source, stream, source_key, person_key, verdict, reason, decided_by) "
                "select source, stream, source_key, person_key, 'different', 'seen', 'clerk' "
                "from truth.link where source = 'banking'"
            )
            settling = thread.submit(settle_people, settings, database=settler)
            while not settling.done() and not linked.waits(settler):
                pass
        assert settling.result().people == 2
    assert linked.person("CD1")["phone"] is None


def test_an_override_moves_the_values_with_the_link_and_a_later_one_returns_them(linked):
    first, second = _key(linked, "CD1"), _key(linked, "CD2")
    override_link(linked.settings, ACCOUNT, second, WORD, linked.database)
    linked.reconcile()
    assert (linked.person("CD1")["phone"], linked.person("CD2")["phone"]) == (None, "+84912345678")
    override_link(linked.settings, ACCOUNT, first, DecidedBy("other clerk", "mistaken"), linked.database)
    linked.reconcile()
    assert (linked.person("CD1")["phone"], linked.person("CD2")["phone"]) == ("+84912345678", None)
    overrides = link_state_of(linked.settings, ACCOUNT, linked.database).overrides
    assert [(each.decided_by, each.active) for each in overrides] == [("other clerk", True), ("clerk", False)]


def test_what_is_not_linked_cannot_be_broken(linked):
    remove_link(linked.settings, ACCOUNT, WORD, linked.database)
    with pytest.raises(DecisionRefused, match="is not linked"):
        remove_link(linked.settings, ACCOUNT, WORD, linked.database)


def test_the_link_of_a_person_to_the_register_cannot_be_removed(linked):
    with pytest.raises(DecisionRefused, match="founds its person"):
        remove_link(linked.settings, RecordKey("population", "citizens", "CD1"), WORD, linked.database)


def test_a_link_is_set_to_a_person_of_the_register_only(linked):
    with pytest.raises(DecisionRefused, match="has no person"):
        override_link(linked.settings, ACCOUNT, uuid4(), WORD, linked.database)
    assert linked.links() == {("banking", "B1"): "personal_id"}


def test_a_missing_record_is_reported_without_its_key(linked):
    absent = RecordKey("banking", "accounts", "no such key")
    for look in (link_state_of, lambda *given: remove_link(*given[:2], WORD, given[2])):
        with pytest.raises(ConfigError, match=r"banking\.accounts has no live record") as told:
            look(linked.settings, absent, linked.database)
        assert absent.source_key not in str(told.value)


@pytest.mark.parametrize(
    ("clerk", "reason"), [("", "seen"), ("clerk", " "), ("a\nb", "seen"), ("c" * 201, "seen")]
)
def test_a_decision_requires_its_author_and_reason(clerk, reason):
    with pytest.raises(ConfigError, match="one line of 1 to"):
        DecidedBy(clerk, reason)


def test_of_clerks_who_break_one_link_at_once_one_does(linked):
    def attempt(number):
        with closing(connect(linked.settings.database_url)) as own:
            try:
                remove_link(linked.settings, ACCOUNT, DecidedBy(f"clerk {number}", "seen"), own)
            except DecisionRefused:
                return 0
            return 1

    with ThreadPoolExecutor(4) as clerks:
        assert sum(clerks.map(attempt, range(4))) == 1
    assert linked.row("select count(*) from truth.link_override") == {"count": 1}
