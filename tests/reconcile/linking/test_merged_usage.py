"""People whom clerks join see the uses of both; taken apart, each their own."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from oncehub.audit.log.entries import write
from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.reconcile.linking.merges import merge_people, unmerge_person
from oncehub.reconcile.linking.overrides import DecidedBy
from oncehub.share.data_subjects.usage import Period, find_usages

KEY = b"k" * 32
ANH = {"full_name": "Nguyễn Thị Ánh", "birth_date": "1984-05-07", "personal_id": "001184000001"}
AGAIN = ANH | {"personal_id": "001184000009"}


@pytest.fixture
def look_at(hub, entry):
    """Writes that an officer has looked at a person."""

    def write_down(person, officer):
        with hub.database:
            write(hub.database, entry(person=person_pseudonym(KEY, person), officer=officer))

    return write_down


def _given_out(hub, person, sequence):
    hub.execute("insert into share.feed (feed) values ('taxpayers') on conflict do nothing")
    hub.execute(
        "insert into share.feed_entry (feed, sequence, person_key, line) values ('taxpayers', %s, %s, '{}')",
        *(sequence, person),
    )
    hub.execute(
        "insert into audit.entry (client_id, agency, agreement, purpose, legal_basis, action, attributes, "
        "outcome, request_id, feed, first_sequence, last_sequence, given) values ('tax', 'G12', "
        "'tax-registration', 'p', 'l', 'feed', '{}', 'answered', gen_random_uuid(), 'taxpayers', %s, %s, '')",
        *(sequence, sequence),
    )


def _total(hub, person):
    with hub.database:
        return find_usages(
            hub.database, person, [KEY], {}, Period(), offset=0, limit=1, day=date(2026, 6, 1)
        ).total


def test_merged_people_see_the_uses_of_both_and_unmerged_ones_their_own(hub, look_at):
    hub.state("population", "CD1", **ANH)
    hub.state("population", "CD2", **AGAIN)
    hub.reconcile()
    one, two = (
        hub.row("select truth.person_key('population', 'citizens', %s)::text as key", name)["key"]
        for name in ("CD1", "CD2")
    )
    look_at(one, "of one")
    look_at(two, "of two")
    _given_out(hub, two, 1)
    assert (_total(hub, one), _total(hub, two)) == (1, 2)
    merge_people(hub.settings, UUID(two), UUID(one), DecidedBy("clerk", "seen"), hub.database)
    hub.reconcile()
    look_at(one, "of both")
    assert _total(hub, one) == 4
    unmerge_person(hub.settings, UUID(two), DecidedBy("clerk", "two after all"), hub.database)
    hub.reconcile()
    assert (_total(hub, one), _total(hub, two)) == (2, 2)
