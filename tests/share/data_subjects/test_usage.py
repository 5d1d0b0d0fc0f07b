"""What a citizen sees is found by index, under every key that was ever used, and only as it was sealed."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import date
from typing import get_args

import pytest

from oncehub.audit.log.entries import Action, DisclosedLine, Entry, page, write
from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.audit.signing.anchors import anchor_place, read_anchors
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.page_verification import page_findings
from oncehub.audit.signing.verification import verify_database
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.data_subjects.usage import ACTIONS, Period, UsagePage, find_usages
from oncehub.store.connection import Connection

KEY, EARLIER = b"k" * 32, b"e" * 32
AN, BINH = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))

_TEN_THOUSAND = """
insert into audit.entry (client_id, agency, agreement, purpose, legal_basis, action, person, attributes,
    outcome, request_id, involvement)
select 'tax', 'G12', 'tax-registration', 'dpv:LegalCompliance', 'Luật', 'lookup', md5((n % 1000)::text), '{}',
    'answered', gen_random_uuid(), 'consulted'
from generate_series(1, 10000) n;
insert into audit.entry (client_id, agency, agreement, purpose, legal_basis, action, attributes, outcome,
    request_id, feed, first_sequence, last_sequence, given)
select 'portal', 'G01', 'portal-residence', 'dpv:PublicServiceProvision', 'Luật', 'feed', '{}', 'answered',
    gen_random_uuid(), 'residence', n * 10 + 1, n * 10 + 10, ''
from generate_series(0, 999) n;
insert into share.feed (feed) values ('residence'), ('taxpayers');
insert into share.feed_entry (feed, sequence, person_key, line)
select 'residence', n, md5((n % 1000)::text)::uuid, '{}' from generate_series(1, 10000) n;
analyze audit.entry, share.feed_entry, share.feed;
"""


def usages(settings: Settings, database: Connection, person: str, *keys: bytes, limit: int = 50) -> UsagePage:
    with database:
        return find_usages(
            database,
            person,
            keys,
            load_agreements(settings),
            Period(),
            offset=0,
            limit=limit,
            day=date(2026, 6, 1),
        )


def test_lines_under_an_earlier_key_are_found_while_it_is_kept(
    settings: Settings, database: Connection, entry: Callable[..., Entry]
) -> None:
    with database:
        write(database, entry(person=person_pseudonym(EARLIER, AN)))
        write(database, entry(person=person_pseudonym(KEY, AN)))
        write(database, entry(person=person_pseudonym(EARLIER, BINH)))
    assert usages(settings, database, AN, KEY, EARLIER).total == 2
    assert usages(settings, database, AN, KEY).total == 1


def test_of_eleven_thousand_lines_a_persons_are_found_by_index(
    settings: Settings, database: Connection
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(_TEN_THOUSAND)
        cursor.execute("select md5('7'), md5('7')::uuid::text")
        ((pseudonym, person),) = cursor.fetchall()
        cursor.execute(
            "load 'auto_explain'; set auto_explain.log_min_duration = 0; "
            "set auto_explain.log_nested_statements = on; set client_min_messages = log"
        )
        database.notices.clear()
        cursor.execute(
            "select total, involvement from audit.usage_of("
            "array[%s]::uuid[], array[%s], '-infinity', 'infinity', '{}', '{}', '{}', 0, 50)",
            (person, pseudonym),
        )
        found = cursor.fetchall()
    assert [row[0] for row in found] == [20] * 20
    assert sorted(row[1] for row in found) == ["appeared"] * 10 + ["consulted"] * 10
    (plan,) = [notice for notice in database.notices if "released" in notice]
    nodes = re.findall(r"(\w[\w ]* (?:on|using) \w+(?: on \w+)?)", plan)
    told = [node for node in nodes if "entry" in node or "feed_entry" in node]
    assert any("entry_person" in node for node in told)
    assert any("entry_page" in node for node in told)
    assert any("feed_entry_person" in node for node in told)
    assert not [node for node in told if "Seq Scan" in node], plan


def test_people_of_a_page_are_signed_with_it(
    settings: Settings, database: Connection, entry: Callable[..., Entry]
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("insert into share.feed (feed) values ('taxpayers')")
        cursor.execute(
            "insert into share.feed_entry (feed, sequence, person_key, line) values "
            "('taxpayers', 1, %s, '{}'), ('taxpayers', 2, %s, '{}'), ('taxpayers', 3, %s, '{}')",
            (AN, BINH, AN),
        )
        given = page(EARLIER, "taxpayers", [DisclosedLine(1, AN), DisclosedLine(2, BINH)])
        write(database, entry(action="feed", page=given))
    write_checkpoints(settings, database)
    assert list(page_findings(database, [KEY, EARLIER])) == []
    key = signing_key(settings.home)
    trusted, anchors = {key.id: key.private}, read_anchors(anchor_place(settings))
    assert verify_database(database, trusted, anchors).genuine

    with database, database.cursor() as cursor:
        cursor.execute("delete from share.feed_entry where sequence <= 2")
    assert list(page_findings(database, [EARLIER])) == []
    assert usages(settings, database, BINH, KEY).total == 1

    for bent in (
        f"update share.past_disclosure set person_key = '{AN}' where sequence = 2",
        "delete from share.past_disclosure where sequence = 1",
    ):
        with database.cursor() as cursor:
            cursor.execute(bent)
            database.commit()
        (finding,) = page_findings(database, [EARLIER])
        assert str(finding) == "changed: entry 1: the page that it gave out was about other people"


@pytest.mark.parametrize("hides", [True, False])
def test_a_line_written_in_hiding_needs_its_agreement_to_be_shown(
    settings: Settings, database: Connection, entry: Callable[..., Entry], hides: bool
) -> None:
    hidden = entry(
        person=person_pseudonym(KEY, AN),
        hidden_by="Luật An ninh, Điều 9",
        agreement="forgotten" if hides else "tax-registration",
    )
    with database:
        write(database, hidden)
    assert usages(settings, database, AN, KEY).total == (0 if hides else 1)


def test_every_action_of_the_log_has_a_name_for_citizens() -> None:
    assert set(get_args(Action)) <= set(ACTIONS)
    assert len(set(ACTIONS.values())) == len(ACTIONS)
