"""What the database itself refuses to the API's role, whatever the code above it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2.errors
import pytest

from oncehub.api.database import api_login
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect

WHO = {"person.personal_id": "001084000999"}


@pytest.fixture
def api_role(settings: Settings) -> Iterator[Connection]:
    connection = connect(api_login(settings))
    yield connection
    connection.close()


FORBIDDEN = [
    "select * from audit.entry",
    "update audit.entry set outcome = 'answered'",
    "delete from audit.entry",
    "truncate audit.entry",
    "alter table audit.entry disable trigger all",
    "update truth.person set full_name = 'x'",
    "insert into truth.person (person_key) values (gen_random_uuid())",
    "delete from truth.identifier",
    "select * from truth.person_version",
    "select * from record.person",
    "select * from record.bank_account",
    "select * from record.dossier",
    "select * from record.document",
    "select * from record.tax_registration",
    "select * from truth.link",
    "select record.attach_source('x')",
    "select source_key, evidence from truth.case_file",
    "update truth.case_file set closed_at = now()",
    "insert into truth.link_override (source) values ('tax')",
    "select * from truth.link_override",
    "select * from truth.merge_decision",
    "insert into truth.decision (takes_effect) values (true)",
    "update truth.decision set reason = 'x'",
    "update truth.case_rule set four_eyes = false",
    "select source_value, golden_value from truth.discrepancy",
    "insert into audit.entry (at) values (now() - interval '1 day')",
    "insert into audit.entry (entry_id) overriding system value values (1)",
    "select * from intake.rejected",
    "insert into share.client values ('x', 'portal-residence')",
    "insert into share.client_key (client_id) values ('x')",
    "update share.client_key set valid_until = 'infinity'",
    "update share.token_key set signs_since = now()",
    "insert into share.token_key (fingerprint, signs_since) values (repeat('0', 64), now())",
    "delete from share.token_key",
    "update share.client set revoked_at = null",
    "update share.assertion set expires_at = now()",
    "insert into share.feed_entry values ('residence', 1, gen_random_uuid(), '{}')",
    "update share.request_limit set used = 0",
    "delete from share.request_limit",
    "select * from share.change",
    "select source_value, golden_value from truth.open_discrepancy",
    "insert into share.notice values ('tax', 1, 1, 1, 'opened', 'person.phone', '{}')",
    "update share.correction_feed set last_sequence = 0",
    "update share.consumer_offset set sequence = 0",
    "insert into share.consumer_offset (feed, kind, sequence, client_id, at) "
    "values ('f', 'fetched', 1, 'c', now())",
    "delete from share.consumer_offset",
    "update share.notice_response set response = 'accepted'",
    "delete from share.notice_response",
    "select * from share.disclosed_person",
    "select * from share.past_disclosure",
    "select * from truth.merged_person",
    "update truth.case_file set approved_by = 1",
    "insert into share.past_disclosure values ('residence', 1, gen_random_uuid())",
    "insert into truth.case_file (kind, source) values ('correction_request', 'tax')",
    "create table public.mine (x int)",
    "create table truth.mine (x int)",
]


def test_the_role_may_read_what_is_believed_and_append_to_the_log_only(api_role: Connection) -> None:
    for statement in FORBIDDEN:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege), api_role.cursor() as cursor:
            cursor.execute(statement)
        api_role.rollback()


def test_not_even_the_owner_changes_the_log(
    portal: Any, believe: Callable[..., str], database: Connection
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    portal.lookup(WHO, ["person.full_name"])
    for statement in (
        "update audit.entry set outcome = 'refused'",
        "delete from audit.entry",
        "truncate audit.entry",
    ):
        with pytest.raises(psycopg2.errors.RaiseException, match="insert only"), database.cursor() as cursor:
            cursor.execute(statement)
        database.rollback()
