"""The API as a process of its own, called over real HTTP."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from oncehub.api.client import HubClient
from oncehub.errors import (
    AccessDenied,
    CaseNotFound,
    CorrectionRefused,
    DecisionRefused,
    NotAuthenticated,
    PersonNotFound,
    PersonNotLiving,
    RequestRefused,
    SourceUnavailable,
)
from oncehub.settings import Settings
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection
from tests.api.server.processes import Running, environment

ID = "001084000999"
WHO = {"person.personal_id": ID}


@pytest.fixture
def client(running: Running, database: Connection, tmp_path: Path, web: requests.Session) -> HubClient:
    path = tmp_path / "agency.pem"
    add_client(database, "portal", "portal-residence", new_client_key(path))
    return HubClient(running.url, "portal", path.read_bytes(), web)


def test_an_agency_looks_up_prefills_and_follows_its_feed(
    client: HubClient, database: Connection, editable: Settings, believe: Callable[..., str]
) -> None:
    believe(personal_id=ID, full_name="Nguyễn Thị An")
    publish(editable, "residence", database)
    found = client.lookup(WHO, ["person.full_name"])
    assert found["attributes"]["person.full_name"]["value"] == "Nguyễn Thị An"
    form = client.prefill("1.004222", WHO)
    assert form["items"]["full_name"]["value"] == "Nguyễn Thị An"
    page = client.changes("residence")
    assert (page["next"], page["more"], len(page["changes"])) == (1, False, 1)
    assert client.agreement()["in_force"] is True


def test_each_refusal_is_an_error_of_its_own(
    client: HubClient, running: Running, believe: Callable[..., str], tmp_path: Path, web: requests.Session
) -> None:
    believe(personal_id=ID, life_status="deceased")
    with pytest.raises(AccessDenied) as denied:
        client.lookup(WHO, ["person.religion"])
    assert denied.value.refused == ("person.religion",)
    with pytest.raises(PersonNotFound):
        client.lookup({"person.personal_id": "001084000000"}, ["person.sex"])
    with pytest.raises(PersonNotLiving):
        client.prefill("1.004222", WHO)
    with pytest.raises(RequestRefused):
        client.lookup({"person.personal_id": "1"}, ["person.sex"])
    new_client_key(tmp_path / "stranger.pem")
    stranger = HubClient(running.url, "portal", (tmp_path / "stranger.pem").read_bytes(), web)
    with pytest.raises(NotAuthenticated):
        stranger.agreement()


def test_the_log_names_requests_by_their_declared_path_and_has_no_personal_data(
    client: HubClient, running: Running, believe: Callable[..., str], web: requests.Session
) -> None:
    believe(personal_id=ID, full_name="Nguyễn Thị An")
    client.lookup(WHO, ["person.full_name"])
    client.prefill("1.004222", WHO)
    for path in (f"/v1/persons/{ID}", f"/ready?id={ID}", f"/v1/feeds/{ID}/changes?after={ID}"):
        web.get(running.url + path, timeout=10)
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(timeout=20)
    written = running.log.read_text()
    assert "POST /v1/procedures/{code}/prefill 200" in written
    assert "GET (no such path) 404" in written
    assert ID not in written
    assert "Nguy" not in written


def test_a_source_reads_its_notices_and_answers_and_the_log_of_the_api_holds_nothing_of_them(
    running: Running,
    database: Connection,
    editable: Settings,
    web: requests.Session,
    tmp_path: Path,
    believe: Callable[..., str],
    disagree: Callable[..., int],
) -> None:
    add_client(database, "tax", "tax-registration", new_client_key(tmp_path / "tax.pem"))
    tax = HubClient(running.url, "tax", (tmp_path / "tax.pem").read_bytes(), web)
    person = believe(personal_id=ID, full_name="Nguyễn Thị An")
    disagree(person, "full_name", stated="Nguyễn Thị Anh", believed="Nguyễn Thị An", key=ID)
    publish_corrections(editable, "tax", database)
    page = tax.corrections()
    assert (page["next"], page["more"]) == (1, False)
    (notice,) = page["notices"]
    assert (notice["golden_value"], notice["record"]["key"]) == ("Nguyễn Thị An", ID)
    with pytest.raises(RequestRefused):
        tax.acknowledge(2)
    reading = {"notice": 1, "response": "rejected", "reason": "documented"}
    assert tax.acknowledge(1, [reading]) == {"acknowledged": 1, "fetched": 1}
    running.process.terminate()
    running.process.wait(timeout=20)
    written = running.log.read_text()
    assert "GET /v1/corrections 200" in written
    assert "POST /v1/corrections/acknowledgements 422" in written
    assert ID not in written
    assert "Nguy" not in written


def test_an_unexpected_error_is_reported_by_its_place_and_not_its_message(
    client: HubClient, running: Running, database: Connection, believe: Callable[..., str]
) -> None:
    believe(personal_id=ID, full_name="Nguyễn Thị An")
    with database, database.cursor() as cursor:
        # A provenance that nothing writes: the code that reads it fails with its content in the message.
        cursor.execute('update truth.person set provenance = \'{"full_name": "sentinel"}\'')
    with pytest.raises(SourceUnavailable):
        client.lookup(WHO, ["person.full_name"])
    # The answer leaves before the error is written down.
    running.process.terminate()
    running.process.wait(timeout=20)
    written = running.log.read_text()
    assert "lookup.py:" in written
    assert "sentinel" not in written
    assert "AttributeError" in written


def test_a_large_body_is_not_read(running: Running, web: requests.Session) -> None:
    answer = web.post(running.url + "/v1/persons/lookup", data=b"x" * 100_000, timeout=10)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_port_in_use_is_one_clear_line(editable: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "oncehub.api", "--port", str(port)],
            env=environment(editable),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()
    assert last == [
        f"oncehub: cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port"
    ]


def test_no_database_is_one_clear_line(editable: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "oncehub.api", "--port", "0"],
        env=environment(editable) | {"ONCEHUB_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("oncehub: the hub's database does not answer")
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def entitled(editable: Settings) -> None:
    """Let the portal's officers decide cases, before the API starts."""
    agreement = editable.mappings / "agreements" / "portal-residence.yaml"
    agreement.write_text(agreement.read_text("utf-8") + "cases: {kinds: [possible_match]}\n", "utf-8")


@pytest.mark.usefixtures("entitled")
def test_an_officer_decides_a_case_through_the_client(
    running: Running, database: Connection, tmp_path: Path, web: requests.Session
) -> None:
    key = tmp_path / "portal.pem"
    add_client(database, "portal", "portal-residence", new_client_key(key))
    officer = HubClient(running.url, "portal", key.read_bytes(), web, officer="officer 7")
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into truth.case_file (kind, source, stream, source_key, evidence) "
            "values ('possible_match', 'portal', 'accounts', 'TK1', '{\"candidates\": []}') returning case_id"
        )
        ((number,),) = cursor.fetchall()
    assert [case["case"] for case in officer.cases()["cases"]] == [number]
    assert officer.case(number)["people"] == []
    with pytest.raises(CaseNotFound):
        officer.case(number + 1)
    with pytest.raises(PersonNotFound):
        officer.decide(number, "other", "seen", search=WHO)
    assert officer.decide(number, "different", "nobody's")["takes_effect"] is True
    with pytest.raises(DecisionRefused, match="it was decided by G01/officer 7"):
        officer.decide(number, "different", "once more")


def test_a_portal_shows_a_citizen_who_had_their_data_and_takes_what_is_wrong(
    client: HubClient,
    running: Running,
    believe: Callable[..., str],
    tmp_path: Path,
    web: requests.Session,
    providers: dict[str, Any],
) -> None:
    believe(personal_id=ID, full_name="Nguyễn Thị An", phone="+84912345678")
    key = (tmp_path / "agency.pem").read_bytes()
    citizen = HubClient(
        *(running.url, "portal", key, web),
        citizen=ID,
        agreement="portal-residence",
        prove_citizen=partial(providers["citizens"].id_token, ID),
    )
    client.lookup(WHO, ["person.full_name"])
    assert [use["receiverSystem"] for use in citizen.usage(limit=1)["usages"]] == ["portal"]
    made = citizen.correct("person.phone", "+84987654321", "số cũ đã trả lại")
    with pytest.raises(CorrectionRefused):
        citizen.correct("person.phone", "+84987650000", "số cũ đã trả lại")
    (request,) = citizen.correction_requests()
    assert (request["case"], request["state"]) == (made["case"], "received")
    running.process.terminate()
    running.process.wait(timeout=20)
    written = running.log.read_text()
    assert "POST /v1/persons/corrections 201" in written
    assert not any(text in written for text in (ID, "+84987654321", "+84987650000", "đã trả lại"))
