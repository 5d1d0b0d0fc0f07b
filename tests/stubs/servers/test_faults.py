"""Faults on demand, the count of requests, and how readers and the moving world get along."""

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import polars as pl
import pytest
import requests

from stubs.client import SystemsError
from stubs.world import World


def test_a_status_comes_as_often_as_asked_after_as_many_healthy_answers(reader, systems):
    systems.faults("tax", "status", status=503, retry_after=7, count=2, after=1)
    answers = [reader.tax_get(soDong=1) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 200]
    assert answers[1].headers["Retry-After"] == "7"


def test_retry_after_can_be_a_date(reader, systems):
    systems.faults("tax", "status", status=429, retry_after="http-date", seconds=60)
    when = parsedate_to_datetime(reader.tax_get().headers["Retry-After"])
    assert 50 < (when - datetime.now(UTC)).total_seconds() <= 60


def test_a_second_fault_waits_for_the_first(reader, systems):
    systems.faults("tax", "status", status=500)
    systems.faults("tax", "status", status=403)
    assert [reader.tax_get(soDong=1).status_code for _ in range(3)] == [500, 403, 200]


def test_a_truncated_body_is_as_long_as_it_says(reader, systems):
    whole = reader.tax_get(soDong=50)
    systems.faults("tax", "truncate")
    cut = reader.tax_get(soDong=50)
    assert len(cut.content) == int(cut.headers["Content-Length"]) == len(whole.content) // 2
    with pytest.raises(requests.JSONDecodeError):
        cut.json()


def test_nonsense_is_html_with_status_200(reader, systems):
    systems.faults("tax", "nonsense")
    answer = reader.tax_get()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_the_faults_of_one_system_are_removed_by_its_name(reader, systems):
    systems.faults("tax", "nonsense")
    systems.faults("customs", "nonsense")
    systems.clear_faults("tax")
    assert reader.tax_get().headers["Content-Type"].startswith("application/json")
    with pytest.raises(SystemsError, match="system"):
        systems.clear_faults("nobody")


@pytest.mark.parametrize("system", ["tax", "banking"])
def test_a_dropped_connection_gives_no_answer(reader, systems, system):
    systems.faults(system, "drop")
    get = {"tax": reader.tax_get, "banking": reader.banking_get}[system]
    with pytest.raises(requests.ConnectionError):
        get()
    assert get().status_code == 200


def test_a_slow_answer_outlasts_an_impatient_client(reader, systems):
    systems.faults("customs", "slow", seconds=5)
    key = {"X-API-Key": reader.connections["customs"]["password"]}
    url = reader.connections["customs"]["host"] + "/exports/manifest.json"
    with pytest.raises(requests.ReadTimeout):
        requests.get(url, headers=key, timeout=0.3)
    assert requests.get(url, headers=key, timeout=30).status_code == 200


def test_token_requests_do_not_use_up_a_fault(reader, systems):
    systems.faults("portal", "status", status=502)
    get = reader.portal_get("accounts")
    assert [get(limit=1).status_code, get(limit=1).status_code] == [502, 200]


def test_faults_are_forgotten_when_cleared(reader, systems):
    systems.faults("tax", "status", count=50)
    systems.clear_faults()
    assert reader.tax_get(soDong=1).status_code == 200


@pytest.mark.parametrize(
    ("fault", "parameter"),
    [
        ({"system": "weather", "kind": "drop"}, "system"),
        ({"system": "tax", "kind": "explode"}, "kind"),
        ({"system": "tax", "kind": "status", "count": 0}, "count"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(systems, fault, parameter):
    with pytest.raises(SystemsError, match=f'400.*"parameter":"{parameter}"'):
        systems.faults(**fault)


def count_of(systems, system, status):
    return sum(line["count"] for line in systems.request_counts()[system] if line["status"] == status)


def test_requests_are_counted_by_method_path_and_status(reader, systems):
    before = count_of(systems, "tax", 404)
    requests.get(reader.connections["tax"]["host"] + "/counted", timeout=30)
    requests.get(reader.connections["tax"]["host"] + "/counted?soDinhDanh=1", timeout=30)
    assert count_of(systems, "tax", 404) == before + 2
    counted = [line for line in systems.request_counts()["tax"] if line["path"] == "/counted"]
    assert counted == [{"method": "GET", "path": "/counted", "status": 404, "count": 2}]


def test_the_control_asks_for_its_token(systems):
    control = systems._url
    for method, path in (
        ("GET", "/health"),
        ("POST", "/advance"),
        ("POST", "/correct"),
        ("GET", "/truth/links"),
        ("DELETE", "/faults"),
    ):
        assert requests.request(method, control + path, timeout=30).status_code == 401


def test_the_truth_is_that_of_the_world(systems, world):
    truth = world.truth()
    tables = {"discrepancies": truth.discrepancies, "links": truth.links, "broken": truth.broken}
    for kind, table in tables.items():
        assert systems.truth(kind) == table.to_dicts()
    counts = systems.truth_counts()
    assert sum(counts["discrepancies"].values()) == truth.discrepancies.height > 0
    assert sum(counts["links"].values()) == truth.links.height > 0
    assert sum(counts["broken"].values()) == truth.broken.height > 0


def test_advancing_gives_the_next_state_of_the_same_world(moving_reader, moving_systems):
    mirror = World.generate(2000, 7)
    before = mirror.now
    manifest, _ = moving_reader.customs()
    assert moving_systems.advance(2) == mirror.advance(2)
    changed = mirror.frame("banking", "accounts").filter(pl.col("_updated_at") >= before)
    since = before.isoformat().replace("+00:00", "Z")
    read = moving_reader.banking(changed_since=since)
    assert [record["RsrcId"] for record in read] == changed["_key"].to_list()
    assert read
    assert moving_systems.health()["generation"] == 1
    next_manifest, _ = moving_reader.customs()
    assert (manifest["ngay"], next_manifest["ngay"]) == ("2026-07-06", "2026-07-08")
    assert moving_systems.truth("discrepancies") == mirror.truth().discrepancies.to_dicts()
    assert moving_systems.correct("tax", "customs") == mirror.correct("tax", "customs") > 0
    assert moving_systems.truth("discrepancies") == mirror.truth().discrepancies.to_dicts()


def test_a_reader_never_sees_a_world_on_the_move(moving_reader, moving_systems):
    get = moving_reader.population_get()

    def seen():
        page = get(limit=1, tuThoiDiem="2000-01-01T00:00:00Z").json()
        return page["ThoiDiemDuLieu"], page["SoCongDan"]

    states = [seen()]
    with ThreadPoolExecutor(1) as pool:
        moves = pool.submit(moving_systems.advance, 30)
        while not moves.done():
            states.append(seen())
        assert moves.result()
    states.append(seen())
    assert len({moment for moment, _ in states}) == len(set(states)) == 2


def test_a_cursor_survives_the_advance_of_the_world(moving_reader, moving_systems):
    get = moving_reader.population_get()
    page = get(limit=400).json()
    ids = {record["Id"] for record in page["CongDan"]}
    moving_systems.advance(3)
    while page["TiepTheo"]:
        answer = get(limit=400, cursor=page["TiepTheo"])
        assert answer.status_code == 200
        page = answer.json()
        ids |= {record.get("Id") for record in page["CongDan"]}
    live = {record.get("Id") for record in moving_reader.population(limit=2000)}
    assert live <= ids


def test_slowness_of_one_request_holds_up_no_other(reader, systems):
    systems.faults("tax", "slow", seconds=2)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(reader.tax_get, soDong=1) for _ in range(2)]
        done, waiting = wait(both, return_when=FIRST_COMPLETED)
    assert (len(done), len(waiting)) == (1, 1)
    assert [request.result().status_code for request in both] == [200, 200]
