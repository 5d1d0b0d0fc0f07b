"""The taxpayer register: signed requests, page numbers, Vietnamese local times."""

import time
from datetime import timedelta, timezone

import pytest
import requests

STREAM = "tax", "registrations"
PATH = "/v2/taxpayers"
VIETNAM = timezone(timedelta(hours=7))


def local(instant):
    return instant.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M:%S")


def test_a_full_read_gives_exactly_the_live_records_in_order(reader, expected):
    assert reader.tax() == expected.live(*STREAM)


def test_changes_come_with_those_struck_off(reader, expected):
    since, until = expected.instants(*STREAM)
    changed = expected.changed(*STREAM, since, until)
    assert reader.tax(size=97, tuNgay=local(since), denNgay=local(until)) == expected.records(changed)


def test_those_struck_off_come_only_among_changes(reader, expected):
    frame = expected.frame(*STREAM)
    assert frame["_deleted"].any()
    assert len(reader.tax(size=2000, tuNgay="01/01/2000 00:00:00")) == frame.height


def test_a_page_beyond_the_end_is_empty(reader, expected):
    data = reader.tax_get(trang=9999).json()["data"]
    assert data == {"trang": 9999, "tongSo": len(expected.live(*STREAM)), "items": []}


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("trang", "0"),
        ("soDong", "2001"),
        ("soDong", "x"),
        ("tuNgay", "2026-05-01T00:00:00Z"),
        ("tuNgay", "1/5/2026 00:00:00"),
        ("denNgay", "31/02/2026 00:00:00"),
        ("limit", "3"),
    ],
)
def test_a_wrong_parameter_is_named(reader, parameter, value):
    answer = reader.tax_get(**{parameter: value})
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def refused(reader, headers, query="trang=1"):
    answer = requests.get(f"{reader.connections['tax']['host']}{PATH}?{query}", headers=headers, timeout=30)
    assert answer.status_code == 401
    return answer.json()["error"]


@pytest.mark.parametrize("missing", ["X-Key-Id", "X-Timestamp", "X-Signature"])
def test_an_unsigned_request_is_refused(reader, missing):
    headers = reader.signature(PATH, "trang=1")
    del headers[missing]
    assert refused(reader, headers) == "unsigned"


def test_an_unknown_key_is_refused(reader):
    assert refused(reader, reader.signature(PATH, "trang=1") | {"X-Key-Id": "other"}) == "unknown_key"


@pytest.mark.parametrize("offset", [-310, 310])
def test_a_stale_timestamp_is_refused(reader, offset):
    assert refused(reader, reader.signature(PATH, "trang=1", at=time.time() + offset)) == "stale_timestamp"


def test_a_timestamp_within_300_seconds_is_taken(reader):
    headers = reader.signature(PATH, "trang=1", at=time.time() - 280)
    url = f"{reader.connections['tax']['host']}{PATH}?trang=1"
    assert requests.get(url, headers=headers, timeout=30).status_code == 200


def test_a_timestamp_that_is_no_number_is_refused(reader):
    assert refused(reader, reader.signature(PATH, "trang=1") | {"X-Timestamp": "now"}) == "bad_timestamp"


def test_the_signature_covers_path_query_time_and_body(reader):
    good = reader.signature(PATH, "trang=1")
    assert refused(reader, good, query="trang=2") == "bad_signature"
    assert refused(reader, reader.signature("/v2/other", "trang=1")) == "bad_signature"
    assert refused(reader, good | {"X-Timestamp": str(int(good["X-Timestamp"]) - 1)}) == "bad_signature"
    assert refused(reader, good | {"X-Signature": good["X-Signature"].upper()}) == "bad_signature"
    url = f"{reader.connections['tax']['host']}{PATH}?trang=1"
    assert requests.get(url, headers=good, data=b"{}", timeout=30).status_code == 401


def test_the_query_is_signed_exactly_as_sent(reader):
    host = reader.connections["tax"]["host"]
    for query in ("tuNgay=01%2F05%2F2026+00%3A00%3A00", "tuNgay=01/05/2026%2000:00:00"):
        answer = requests.get(f"{host}{PATH}?{query}", headers=reader.signature(PATH, query), timeout=30)
        assert answer.status_code == 200
