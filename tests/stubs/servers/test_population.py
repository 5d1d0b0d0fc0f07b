"""The population database: OAuth2, opaque cursors, changes since, tombstones."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
import requests

STREAM = "population", "citizens"


def test_a_full_read_gives_exactly_the_live_records_in_order(reader, expected):
    assert reader.population(limit=300) == expected.live(*STREAM)


def test_the_page_size_does_not_change_what_is_read(reader, expected):
    assert reader.population(limit=2000) == reader.population(limit=173) == expected.live(*STREAM)


def test_the_third_page_of_a_full_read_is_cut_once(reader):
    get = reader.population_get()
    first = get(limit=200).json()
    second = get(limit=200, cursor=first["TiepTheo"]).json()
    cut = get(limit=200, cursor=second["TiepTheo"])
    assert cut.status_code == 200
    assert len(cut.content) == int(cut.headers["Content-Length"])
    with pytest.raises(requests.JSONDecodeError):
        cut.json()
    again = get(limit=200, cursor=second["TiepTheo"])
    assert len(again.json()["CongDan"]) == 200
    assert again.content.startswith(cut.content)


def test_changes_begin_at_the_first_bound_and_end_before_the_second(reader, expected):
    since, until = expected.instants(*STREAM)
    changed = expected.changed(*STREAM, since, until)
    read = reader.population(limit=100, tuThoiDiem=since.isoformat(), denThoiDiem=until.isoformat())
    assert [record["Id"] for record in read] == changed["_key"].to_list()
    assert changed["_updated_at"][0] == since


def test_a_window_may_be_given_in_any_offset(reader, expected):
    since, until = expected.instants(*STREAM)
    local = timezone(timedelta(hours=7))
    in_utc = reader.population(tuThoiDiem=since.isoformat(), denThoiDiem=until.isoformat())
    in_vietnam = reader.population(
        tuThoiDiem=since.astimezone(local).isoformat(), denThoiDiem=until.astimezone(local).isoformat()
    )
    assert in_utc == in_vietnam


def test_deleted_records_come_as_tombstones_and_only_among_changes(reader, expected):
    frame = expected.frame(*STREAM)
    gone = frame.filter("_deleted")
    assert gone.height
    changes = reader.population(limit=2000, tuThoiDiem="2000-01-01T00:00:00Z")
    tombstones = [record for record in changes if "DaXoa" in record]
    wanted = gone.select("Id", pl.lit(value=True).alias("DaXoa"), "NgayCapNhat").to_dicts()
    assert tombstones == wanted
    assert len(changes) == frame.height


def test_the_upper_bound_alone_gives_live_records_only(reader, expected):
    _, until = expected.instants(*STREAM)
    live = expected.frame(*STREAM).filter(~pl.col("_deleted"), pl.col("_updated_at") < until)
    assert reader.population(denThoiDiem=until.isoformat()) == expected.records(live)


def test_the_envelope_says_the_worlds_time(reader, world):
    stated = datetime.fromisoformat(reader.population_get()(limit=1).json()["ThoiDiemDuLieu"])
    assert stated.astimezone(UTC) == world.now


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "0"),
        ("limit", "2001"),
        ("limit", "ten"),
        ("limit", "-1"),
        ("tuThoiDiem", "2026-05-01"),
        ("tuThoiDiem", "2026-05-01T00:00:00"),
        ("tuThoiDiem", "2026-02-31T00:00:00Z"),
        ("cursor", "abc"),
        ("cursor", ""),
        ("cursor", base64.urlsafe_b64encode(b'[1,"CD999999999"]').decode()),
        ("offset", "5"),
    ],
)
def test_a_wrong_parameter_is_named(reader, parameter, value):
    answer = reader.population_get()(**{parameter: value})
    assert answer.status_code == 400
    assert answer.json()["parameter"] == parameter


def test_a_window_that_ends_before_it_begins_is_refused(reader):
    answer = reader.population_get()(tuThoiDiem="2026-05-02T00:00:00Z", denThoiDiem="2026-05-01T00:00:00Z")
    assert (answer.status_code, answer.json()["parameter"]) == (400, "denThoiDiem")


def test_a_cursor_does_not_serve_another_window(reader, expected):
    since, _ = expected.instants(*STREAM)
    get = reader.population_get()
    cursor = get(limit=10).json()["TiepTheo"]
    answer = get(limit=10, cursor=cursor, tuThoiDiem=since.isoformat())
    assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")


def test_without_a_good_token_nothing_is_said(reader):
    url = reader.connections["population"]["host"] + "/dancu/v1/congdan"
    basic = {"Authorization": "Basic YTpi"}
    for headers in ({}, {"Authorization": "Bearer wrong"}, basic, {"Authorization": "Bearer "}):
        answer = requests.get(url, headers=headers, timeout=30)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_that_has_expired_is_refused_and_a_new_one_works(reader, systems):
    get = reader.population_get()
    assert get(limit=1).status_code == 200
    systems.expire_tokens()
    refused = get(limit=1)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert reader.population_get()(limit=1).status_code == 200


def test_an_unknown_path_and_method_are_json_errors(reader):
    host = reader.connections["population"]["host"]
    assert requests.get(host + "/nowhere", timeout=30).json()["error"] == "not_found"
    assert requests.delete(host + "/dancu/v1/congdan", timeout=30).status_code == 405
