"""Requests that are refused before a question is asked are lines of the access log, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import OKPKey

from oncehub.api.core.refusals import NOT_REGISTERED, OTHERS, RefusalCounter
from oncehub.audit.signing.anchors import anchor_place, read_anchors
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.keys import keys_to_trust
from oncehub.audit.signing.verification import verify_database
from oncehub.settings import Settings
from oncehub.share.clients.keys import retire_key
from oncehub.store.connection import Connection

WHO = {"person.personal_id": "001084000999"}
NAME = ["person.full_name"]
Read = Callable[[], list[dict[str, Any]]]


def said(lines: list[dict[str, Any]]) -> dict[tuple[Any, ...], int]:
    """How many requests the lines count, by (status, client, agreement, claimed client)."""
    counts: dict[tuple[Any, ...], int] = {}
    for line in lines:
        alike = (line["status"], line["client_id"], line["agreement"], line["claimed_client"])
        counts[alike] = counts.get(alike, 0) + line["refusals"]
    return counts


def test_every_kind_of_refusal_is_counted(portal: Any, http: TestClient, refusals: Read) -> None:
    mine = {"Authorization": f"Bearer {portal.token()}"}
    path = "/v1/persons/lookup"
    for _ in range(3):
        http.post(path, json={}, headers={"Authorization": "Bearer none"})
    http.post(path, json={})
    http.post(path, json={}, headers=mine)
    http.post(path, content=b"{", headers=mine | {"Content-Type": "application/json"})
    http.post(path, content=b"x" * 70_000, headers=mine)
    http.post(path, content=b"a=b", headers=mine | {"Content-Type": "text/plain"})
    http.post("/v1/token", data={"grant_type": "password"})
    portal.ask_token("a.b.c")
    portal.ask_token(portal.assertion(key=OKPKey.generate_key("Ed25519")))
    http.get("/v1/no/such/path")
    http.get("/v1/token")
    assert said(refusals()) == {
        (401, None, None, None): 5,
        (401, None, None, "client-of-portal-residence"): 1,
        (422, "client-of-portal-residence", "portal-residence", None): 1,
        (400, None, None, None): 2,
        (413, None, None, None): 1,
        (415, None, None, None): 1,
        (404, None, None, None): 1,
        (405, None, None, None): 1,
    }


def test_a_refusal_with_a_line_of_its_own_is_not_counted_again(
    portal: Any, refusals: Read, log: Any, believe: Callable[..., str]
) -> None:
    assert portal.lookup(WHO, NAME).status_code == 404
    assert portal.lookup(WHO, ["person.religion"]).status_code == 403
    assert len(log()) == 2
    assert refusals() == []


def test_a_name_that_is_no_clients_never_reaches_the_log(
    portal: Any, refusals: Read, names_nobody: Callable[[str], bool]
) -> None:
    for claimed in ("001084000999", "Nguyễn Thị An", "x" * 5000, "\0", "portal' --"):
        assert portal.ask_token(portal.assertion(iss=claimed, sub=claimed)).status_code == 401
    lines = refusals()
    assert said(lines) == {(401, None, None, NOT_REGISTERED): 5}
    assert names_nobody(str(lines))


def test_a_retired_keys_token_is_counted_for_the_client_it_claims(
    portal: Any, refusals: Read, database: Connection
) -> None:
    portal.token()
    retire_key(database, portal.client_id, portal.key.thumbprint())
    assert portal.lookup(WHO, NAME).status_code == 401
    assert said(refusals()) == {(401, None, None, portal.client_id): 1}


def test_the_lines_are_signed_and_verified_like_any_other(
    portal: Any, refusals: Read, settings: Settings, database: Connection, believe: Callable[..., str]
) -> None:
    believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    portal.lookup(WHO, NAME)
    portal.ask_token("a.b.c")
    (line,) = refusals()
    write_checkpoints(settings, database)

    def findings() -> list[str]:
        found = verify_database(
            database, keys_to_trust(settings.home, None), read_anchors(anchor_place(settings))
        )
        return [each.what for each in found.findings]

    assert findings() == []
    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update audit.entry set refusals = 7 where entry_id = %s", (line["entry_id"],))
    assert findings() == ["changed"]


@pytest.fixture
def clock() -> list[float]:
    return [1_800_000_000.0]


@pytest.fixture
def counter(database: Connection, clock: list[float]) -> RefusalCounter:
    class Transaction:
        def __enter__(self) -> Connection:
            return database.__enter__()

        def __exit__(self, *error: Any) -> None:
            database.__exit__(*error)

    return RefusalCounter(Transaction, lambda: clock[0])


def lines(database: Connection) -> list[tuple[Any, ...]]:
    with database, database.cursor() as cursor:
        cursor.execute("select status, claimed_client, source, refusals from audit.entry order by entry_id")
        return cursor.fetchall()


def test_the_first_is_written_at_once_and_its_repetitions_at_the_end_of_the_minute(
    counter: RefusalCounter, clock: list[float], database: Connection
) -> None:
    counter.count(401, source="192.0.2.1")
    counter.flush()
    for _ in range(1000):
        counter.count(401, source="192.0.2.1")
        counter.flush()
    assert lines(database) == [(401, None, "192.0.2.1", 1)]
    clock[0] += 60
    counter.flush()
    assert lines(database) == [(401, None, "192.0.2.1", 1), (401, None, "192.0.2.1", 1000)]
    counter.flush()
    assert len(lines(database)) == 2


def test_whoever_varies_names_and_addresses_gets_a_bounded_number_of_lines_and_none_is_lost(
    counter: RefusalCounter, clock: list[float], database: Connection
) -> None:
    for number in range(20_000):
        counter.count(401, source=f"10.0.{number % 5000 // 250}.{number % 250}", claimed=f"client-{number}")
    counter.count(400)
    counter.flush(everything=True)
    written = lines(database)
    assert len(written) < 4000
    assert sum(count for *_, count in written) == 20_001
    assert {claimed for _, claimed, *_ in written} == {NOT_REGISTERED, OTHERS, None}


def test_what_cannot_be_written_is_kept(
    counter: RefusalCounter, clock: list[float], database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.count(429, source="192.0.2.1")
    with database, database.cursor() as cursor:
        cursor.execute("alter table audit.entry rename to away")
    counter.flush()
    counter.count(429, source="192.0.2.1")
    with database, database.cursor() as cursor:
        cursor.execute("alter table audit.away rename to entry")
    counter.flush()
    assert lines(database) == [(429, None, "192.0.2.1", 2)]
