"""What is planted around a request does what its description says."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

from stubs.hostile.plants import requests as plants

from ..hostile_reading import PlainReader


@pytest.fixture
def reader(hostile):
    """A reader of a source that asks for no credentials, and the source."""

    def starting(plant, **variant):
        source = hostile(**({"auth": "none"} | variant))
        source.plant(plant)
        return PlainReader(source)

    return starting


def statuses(reader, count):
    return [reader.get("/holders", limit=5).status_code for _ in range(count)]


def test_every_second_request_is_one_too_many(reader):
    asking = reader("rate_limited")
    assert statuses(asking, 4) == [200, 429, 200, 429]
    asking.get("/position")
    assert asking.get("/position").headers["Retry-After"] == str(plants.SHORT_WAIT_SECONDS)


def test_the_wait_may_be_a_date(reader):
    asking = reader("rate_limited_date")
    asking.get("/position")
    answer = asking.get("/position")
    when = parsedate_to_datetime(answer.headers["Retry-After"])
    assert answer.status_code == 429
    assert abs((when - datetime.now(UTC)).total_seconds()) < 60


def test_the_wait_may_be_a_day(reader):
    asking = reader("rate_limited_long")
    assert statuses(asking, 4) == [200, 429, 429, 429]
    assert int(asking.get("/position").headers["Retry-After"]) == 86_400


def test_a_flaky_source_fails_every_second_time(reader):
    assert statuses(reader("flaky"), 6) == [200, 500, 200, 502, 200, 503]


def test_a_slow_source_answers_all_the_same(reader, monkeypatch):
    monkeypatch.setattr(plants, "SLOW_SECONDS", 0.3)
    asking = reader("slow")
    asking.get("/position")
    begin = time.monotonic()
    assert asking.get("/position").status_code == 200
    assert time.monotonic() - begin >= 0.3


def test_a_truncated_body_is_as_long_as_it_says(reader):
    asking = reader("truncated")
    whole, cut = asking.get("/holders"), asking.get("/holders")
    assert cut.content == whole.content[: len(whole.content) // 2]
    assert int(cut.headers["Content-Length"]) == len(cut.content)
    assert cut.status_code == 200


def test_a_maintenance_page_is_html_with_status_200(reader):
    asking = reader("maintenance_page")
    asking.get("/holders")
    answer = asking.get("/holders")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert asking.get("/holders").json()["data"]["items"]


def test_an_endless_body_goes_on_for_as_long_as_somebody_listens(reader):
    asking = reader("endless")
    whole = asking.get("/position").content
    with asking.session.get(f"{asking.connection['host']}/position", stream=True, timeout=30) as answer:
        assert answer.status_code == 200
        read = b""
        for chunk in answer.iter_content(1_000_000):
            read += chunk
            if len(read) > 5_000_000:
                break
    assert read.startswith(whole[:-1])
    assert asking.get("/openapi.json").status_code == 200


def test_a_dropped_connection_ends_in_the_middle_of_the_body(reader):
    asking = reader("dropped")
    asking.get("/holders")
    with pytest.raises(requests.exceptions.RequestException):
        asking.get("/holders")
    assert asking.get("/holders").status_code == 200


def test_a_redirect_leads_to_another_origin(hostile):
    source = hostile(auth="api_key_header")
    source.plant("redirects")
    asking = PlainReader(source)
    asking.get("/holders")
    answer = asking.session.get(
        f"{source.connection['host']}/holders", auth=asking.sign, allow_redirects=False, timeout=30
    )
    assert answer.status_code == 302
    assert not answer.headers["Location"].startswith(source.connection["host"])
    assert source.strayed() == []
    asking.get("/holders")
    assert [(asked.path, asked.credentials) for asked in source.strayed()] == [("/holders", True)]


@pytest.mark.parametrize("auth", ["oauth2_basic", "oauth2_post", "oauth2_jwt"])
def test_a_token_dies_after_two_requests(reader, auth):
    asking = reader("token_dies_early", auth=auth)
    assert statuses(asking, 4) == [200, 200, 401, 401]
    asking.sign = asking.signer()
    assert statuses(asking, 3) == [200, 200, 401]


def test_credentials_may_be_forbidden(reader):
    assert statuses(reader("forbidden_token"), 3) == [200, 403, 403]


def test_an_error_may_repeat_the_secret_and_the_query(reader):
    asking = reader("secret_in_error", auth="api_key_header")
    asking.get("/position")
    answer = asking.get("/holders", since="2025-01-01T00:00:00Z")
    assert answer.status_code == 400
    assert asking.connection["password"] in answer.text
    assert "since=2025" in answer.text


def test_a_dropped_request_is_noted(hostile):
    source = hostile(auth="none")
    source.plant("dropped")
    asking = PlainReader(source)
    asking.get("/position")
    with pytest.raises(requests.exceptions.RequestException):
        asking.get("/holders")
    noted = [(asked.method, asked.path, asked.status) for asked in source.requests()]
    assert ("GET", "/position", 200) in noted


def test_the_token_and_the_description_are_never_spoiled(hostile):
    source = hostile()
    for name in ("flaky", "maintenance_page"):
        source.plant(name)
    reader = PlainReader(source)
    assert [reader.token().status_code for _ in range(3)] == [200, 200, 200]
    assert [reader.get("/openapi.json").status_code for _ in range(3)] == [200, 200, 200]
