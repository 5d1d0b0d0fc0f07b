from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as some

from oncehub.config.catalogue import load_connector
from oncehub.encryption.cipher import use_keys
from oncehub.encryption.payloads import submitted_place
from oncehub.encryption.rotation import reencrypt
from oncehub.errors import KeyMissing, OncehubError
from oncehub.intake.micro_batches import Size
from oncehub.intake.quarantine.replay import list_rejected, show_rejected
from oncehub.intake.runs.run import RunReport
from oncehub.intake.submissions import Outbox
from oncehub.intake.sync import sync
from oncehub.settings import Settings
from oncehub.share.request_proofs import insert
from oncehub.store.connection import Connection, connect

ID = "001184000001"
PHONE, OTHER_PHONE = "+84912000001", "+84912000002"
START = datetime(2026, 11, 1, 2, 3, 4, tzinfo=UTC)

Query = Callable[..., list[tuple[Any, ...]]]


def record(attribute: str, value: Any, *, day: int = 0, number: str = ID) -> dict[str, Any]:
    return {
        "about": f"personal_id={number}",
        "named": {"personal_id": number},
        "attribute": attribute,
        "submission": "s",
        "submitted_at": (START + timedelta(days=day)).isoformat(),
        "value": {attribute: value},
    }


@pytest.fixture
def query(database: Connection) -> Query:
    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with database, database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def submit(settings: Settings, database: Connection) -> Callable[..., None]:
    """Submit records as the API does."""

    def put(*records: Mapping[str, Any], connection: Connection = database, commit: bool = True) -> None:
        rows = Outbox(settings, "portal", "submissions").rows(connection.cursor(), records)
        insert(connection, "intake.submission", *rows)
        if commit:
            connection.commit()

    return put


def land(settings: Settings, **options: Any) -> RunReport:
    (report,) = sync(settings, load_connector(settings, "portal"), None, streams=["submissions"], **options)
    return report


def waiting(query: Query) -> int:
    return int(query("select count(*) from intake.submission")[0][0])


def stated(query: Query) -> list[tuple[Any, ...]]:
    return query(
        "select personal_id, full_name, phone, email from record.person "
        "where (source, stream) = ('portal', 'submissions') and deleted_at is null order by phone, email"
    )


def test_what_is_submitted_lands_as_a_record_of_its_source_and_waits_no_more(
    settings: Settings, submit: Callable[..., None], query: Query
) -> None:
    submit(record("phone", PHONE), record("email", "An@Example.VN"))

    report = land(settings)

    assert (report.read, report.accepted, report.quarantined, report.done) == (2, 2, 0, True)
    assert stated(query) == [(ID, None, PHONE, None), (ID, None, None, "an@example.vn")]
    assert query("select count(*) from intake.dirty where stream = 'submissions'") == [(2,)]
    assert waiting(query) == 0
    assert land(settings).read == 0


def test_nothing_waits_in_clear(submit: Callable[..., None], query: Query) -> None:
    submit(record("phone", PHONE))
    ((payload,),) = query("select payload from intake.submission")
    assert PHONE.encode() not in bytes(payload)
    assert ID.encode() not in bytes(payload)


def test_what_does_not_meet_the_contract_goes_to_quarantine(
    settings: Settings, submit: Callable[..., None], query: Query
) -> None:
    submit(record("phone", PHONE), record("birth_date", "no day"))

    report = land(settings)

    assert (report.accepted, report.quarantined) == (1, 1)
    assert query("select source, stream, path from intake.rejected") == [
        ("portal", "submissions", "person.birth_date")
    ]
    assert waiting(query) == 0


def test_a_landing_that_fails_leaves_everything_waiting(
    settings: Settings, submit: Callable[..., None], query: Query
) -> None:
    submit(record("phone", PHONE))
    query(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;"
        "create trigger refuse before delete on intake.submission for each row execute function refuse()"
    )

    with pytest.raises((psycopg2.Error, OncehubError)):
        land(settings)

    assert (stated(query), waiting(query)) == ([], 1)
    query("drop trigger refuse on intake.submission")
    assert land(settings).accepted == 1
    assert (len(stated(query)), waiting(query)) == (1, 0)


def test_what_commits_late_is_landed_by_the_next_run(
    settings: Settings, submit: Callable[..., None], query: Query
) -> None:
    assert settings.database_url is not None
    with closing(connect(settings.database_url)) as slow:
        submit(record("phone", PHONE), connection=slow, commit=False)
        submit(record("email", "an@example.vn"))
        assert land(settings).read == 1
        slow.commit()
    assert land(settings).read == 1
    assert len(stated(query)) == 2


def test_more_than_a_page_lands_in_micro_batches(
    settings: Settings, submit: Callable[..., None], query: Query
) -> None:
    submit(*(record("phone", PHONE, number=f"001184{number:06}") for number in range(1, 1202)))

    report = land(settings, size=Size(records=400))

    assert (report.pages, report.read, report.accepted) == (3, 1201, 1201)
    assert (len(stated(query)), waiting(query)) == (1201, 0)


def test_another_key_lands_nothing_and_loses_nothing(
    settings: Settings, submit: Callable[..., None], query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(record("phone", PHONE))
    monkeypatch.setenv("ONCEHUB_KEY_DATA", b64encode(secrets.token_bytes(32)).decode())
    with pytest.raises(KeyMissing):
        land(settings)
    assert (stated(query), waiting(query)) == ([], 1)


def test_what_waits_is_reencrypted_under_a_new_data_key(
    settings: Settings, submit: Callable[..., None], query: Query
) -> None:
    submit(record("phone", PHONE), record("email", "an@example.vn"))

    assert reencrypt(settings) == {"intake.submission": 2}

    assert land(settings).accepted == 2


def test_rows_that_the_hub_did_not_write_so_are_quarantined_and_hold_up_no_other(
    settings: Settings, submit: Callable[..., None], query: Query
) -> None:
    """As SQL with the API's login can add them: moved, of an unknown key, no ciphertext, too long to read."""
    submit(record("phone", PHONE))
    query(
        "insert into intake.submission (source, stream, token, key_id, payload) "
        "select source, stream, gen_random_uuid(), key_id, payload from intake.submission union all "
        "select source, stream, gen_random_uuid(), repeat('k', 9999), payload "
        "from intake.submission union all "
        "select source, stream, gen_random_uuid(), key_id, '' from intake.submission union all "
        "select source, stream, gen_random_uuid(), key_id, repeat('x', 2000000)::bytea "
        "from intake.submission union all "
        "select 'portal', 'submissions', gen_random_uuid(), '', '' from generate_series(1, 300)"
    )
    submit(record("phone", OTHER_PHONE, number="001184000002"))

    report = land(settings)

    assert (report.accepted, report.quarantined, waiting(query)) == (2, 304, 0)
    rejected = query("select distinct reason from intake.rejected where source_key is null")
    assert rejected == [("was not encrypted by the hub for this place in the queue",)]
    assert settings.database_url is not None
    with closing(connect(settings.database_url)) as store:
        kept = [show_rejected(settings, store, each.rejected_id).payload for each in list_rejected(store)]
    assert sum(each["payload"] is None for each in kept) == 1


def bent(**changed: Any) -> bytes:
    return json.dumps(record("phone", PHONE) | changed).encode()


DEEP = b"[" * 900 + b"]" * 900
GARBAGE = {
    "nothing": b"",
    "no JSON": b"<html>",
    "no text": b"\xff\xfe\x00",
    "a scalar": b"7",
    "null": b"null",
    "a list": b"[1, 2]",
    "an empty object": b"{}",
    "a NUL escape": bent(value={"phone": "+84\0"}),
    "a NUL escape in the key": bent(about="personal_id=\0", named={"personal_id": "\0"}),
    "a lone surrogate": b'{"about": "\\ud800", "named": {"personal_id": "\\ud800"}}',
    "wrong types": bent(about=7, named=[], attribute={}, value="x", submitted_at=True),
    "no object where one is": bent(value=[{"phone": PHONE}]),
    "no time": bent(submitted_at="yesterday"),
    "a time without an end": bent(submitted_at="9" * 5000),
    "a number beyond all": bent(value={"phone": 10**300}),
    "no number": b'{"about": "x", "value": {"phone": NaN}}',
    "deep": bent(value={"phone": 0}).replace(b" 0}", b" " + DEEP + b"}"),
    "too deep to read": b"[" * 100_000,
    "long": bent(value={"phone": "9" * 900_000}),
    "long and not to be encoded in UTF-8": b"\xc3\x28" * 400_000,
    "a name twice": b'{"about": "a", "about": "b", "value": {}, "value": {}}',
}


def test_garbage_of_any_kind_is_quarantined_and_holds_up_no_other(
    settings: Settings, submit: Callable[..., None], query: Query, database: Connection
) -> None:
    """Encrypted as the hub does, by somebody who has its keys."""
    with database, database.cursor() as cursor:
        ciphers = use_keys(cursor, settings.home)
        for payload in GARBAGE.values():
            token = str(uuid4())
            encrypted = ciphers.primary.encrypt(payload, submitted_place("portal", "submissions", token))
            row = {"source": "portal", "stream": "submissions", "token": token}
            insert(database, "intake.submission", row | {"key_id": ciphers.primary_id, "payload": encrypted})
    submit(record("phone", PHONE))
    submit(record("phone", OTHER_PHONE, number="001184000002"))

    report = land(settings)

    assert (report.accepted, report.quarantined, waiting(query)) == (2, len(GARBAGE), 0)


@how(max_examples=how.default.max_examples // 2)
@given(
    order=some.permutations([("phone", PHONE, 1), ("phone", OTHER_PHONE, 2), ("email", "an@example.vn", 1)]),
    cuts=some.sets(some.integers(1, 2)),
)
def test_the_latest_value_of_each_attribute_counts_in_whatever_order_it_lands(
    settings: Settings,
    submit: Callable[..., None],
    query: Query,
    order: list[tuple[str, str, int]],
    cuts: set[int],
) -> None:
    query("delete from record.person")
    query("delete from intake.record_state")
    for place, (attribute, value, day) in enumerate(order):
        if place in cuts:
            land(settings)
        submit(record(attribute, value, day=day))
    land(settings)
    assert stated(query) == [(ID, None, OTHER_PHONE, None), (ID, None, None, "an@example.vn")]


def test_a_source_gets_such_a_stream_by_files_alone(extendable: Settings, query: Query) -> None:
    root = extendable.root
    for folder in ("connectors", "mappings/sources", "schemas/sources"):
        (root / folder / "clinic").mkdir()
    portal = (root / "connectors/portal/connector.yaml").read_text("utf-8")
    own = portal.replace("source: portal", "source: clinic").replace("submissions:", "visits:")
    (root / "connectors/clinic/connector.yaml").write_text(own, "utf-8")
    for folder, end in (("mappings/sources", "yaml"), ("schemas/sources", "json")):
        text = (root / folder / f"portal/submissions.{end}").read_text("utf-8")
        (root / folder / f"clinic/visits.{end}").write_text(text, "utf-8")
    connector = load_connector(extendable, "clinic")
    with closing(connect(str(extendable.database_url))) as connection:
        rows = Outbox(extendable, "clinic", "visits").rows(connection.cursor(), [record("phone", PHONE)])
        insert(connection, "intake.submission", *rows)
        connection.commit()

    (report,) = sync(extendable, connector, None, streams=["visits"])

    assert report.accepted == 1
    assert query("select phone from record.person where source = 'clinic'") == [(PHONE,)]
