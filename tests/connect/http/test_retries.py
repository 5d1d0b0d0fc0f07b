"""What a retry can cure is tried again, politely, not for ever; the rest fails at once, in one line."""

from __future__ import annotations

import gzip
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from oncehub.config.connector import Connector
from oncehub.connect.http.local_rate_limiter import LocalRateLimiter
from oncehub.connect.http.requester import Requester
from oncehub.connect.http.retry import backoff, retry_after
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import (
    AuthenticationError,
    ContractBroken,
    PermanentError,
    RequestRefused,
    SourceUnavailable,
    Throttled,
)

from ..conftest import Pauses, shortened
from ..serving import Answering, Reply, Served, as_json, in_turn

ALL = Window(None, None)
GOOD = as_json({"items": [{"id": 1}]})
SENTINEL = "079084000999"

Serve = Callable[[Answering], Served]
Make = Callable[..., Connector]
Open = Callable[..., Source]

CURABLE = {
    "500": (Reply(status=500), "answered 500"),
    "503": (Reply(status=503), "answered 503"),
    "429 without advice": (Reply(status=429), "answered 429"),
    "408": (Reply(status=408), "answered 408"),
    "dropped": (Reply(drop=True), "connection broken"),
    "half an answer": (Reply(body=b'{"items": [', claimed=500), "connection broken"),
    "half a page": (Reply(body=b'{"items": [{"id": 1},'), "not JSON"),
    "nonsense": (Reply(body=f"<h1>{SENTINEL}</h1>".encode()), "not JSON"),
    "nothing": (Reply(body=b""), "not JSON"),
    "broken compression": (Reply(body=b"plain", headers={"Content-Encoding": "gzip"}), "connection broken"),
}


def read(source: Source) -> list[dict[str, object]]:
    return [record for page in source.pages("items", ALL) for record in page.records]


@pytest.mark.parametrize("fault", CURABLE)
def test_a_passing_fault_is_cured_by_asking_again(
    fault: str, serve: Serve, connector_of: Make, open_served: Open, pauses: Pauses
) -> None:
    served = serve(in_turn(CURABLE[fault][0], CURABLE[fault][0], GOOD))
    assert read(open_served(connector_of(), served.host)) == [{"id": 1}]
    assert len(pauses.seconds) == 2
    assert 0.25 <= pauses.seconds[0] <= 0.5 <= pauses.seconds[1] <= 1


@pytest.mark.parametrize("fault", CURABLE)
def test_a_lasting_fault_ends_after_the_tries_allowed(
    fault: str, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    reply, reason = CURABLE[fault]
    served = serve(in_turn(reply))
    with pytest.raises(SourceUnavailable) as failure:
        read(open_served(connector_of(), served.host))
    assert str(failure.value).startswith("tax.items: page 1: ")
    assert reason in str(failure.value)
    assert str(failure.value).endswith("tried 3 times")
    assert len(served.asked) == 3


def test_a_source_that_is_down_is_tried_again(connector_of: Make, open_served: Open, pauses: Pauses) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(SourceUnavailable, match="page 1: connection refused; tried 3 times"):
            read(open_served(connector_of(), host))
    assert len(pauses.seconds) == 2


@pytest.mark.parametrize(
    "slow", [Reply(body=GOOD.body, wait=5), Reply(body=GOOD.body, trickle=0.05)], ids=["silent", "trickling"]
)
def test_an_answer_that_does_not_end_in_time_is_given_up(
    slow: Reply, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(in_turn(slow, GOOD))
    connector = shortened(connector_of(), timeout=0.2)
    assert read(open_served(connector, served.host)) == [{"id": 1}]
    assert len(served.asked) == 2


def test_waits_grow_and_are_spread() -> None:
    waits = [[backoff(tried) for _ in range(50)] for tried in range(1, 5)]
    for tried, drawn in enumerate(waits):
        assert all(0.25 * 2**tried <= wait <= 0.5 * 2**tried for wait in drawn)
        assert len(set(drawn)) > 1


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_a_source_asks_for_is_kept(
    status: int, serve: Serve, connector_of: Make, open_served: Open, pauses: Pauses
) -> None:
    served = serve(in_turn(Reply(status=status, headers={"Retry-After": "7"}), GOOD))
    assert read(open_served(connector_of(), served.host)) == [{"id": 1}]
    assert pauses.seconds == [pytest.approx(7, abs=0.5)]


def test_the_wait_may_be_a_date(serve: Serve, connector_of: Make, open_served: Open, pauses: Pauses) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    served = serve(in_turn(Reply(status=429, headers={"Retry-After": date}), GOOD))
    read(open_served(connector_of(), served.host))
    assert 20 < pauses.seconds[0] <= 30


def test_a_wait_beyond_the_longest_fails_at_once(
    serve: Serve, connector_of: Make, open_served: Open, pauses: Pauses
) -> None:
    served = serve(in_turn(Reply(status=429, headers={"Retry-After": "3600"})))
    with pytest.raises(
        Throttled, match="answered 429, to be asked again in 3600 s, longer than 60 s"
    ) as asked:
        read(open_served(connector_of(), served.host))
    assert asked.value.retry_after == 3600
    assert (len(served.asked), pauses.seconds) == (1, [])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("Mon, 06 Jul 2026 17:00:30 GMT", 30),
        ("Mon, 06 Jul 2026 16:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("Mon, 06 Jul 99999999999999999999 17:00:30 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str | None, seconds: float | None) -> None:
    now = datetime(2026, 7, 6, 17, tzinfo=UTC).timestamp()
    assert retry_after(text, now) == seconds


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_not_tried_again(
    status: int, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(in_turn(Reply(status=status)))
    with pytest.raises(AuthenticationError, match=f"page 1: answered {status}; check auth in its connector"):
        read(open_served(connector_of(), served.host))
    assert len(served.asked) == 1


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_refused_request_is_not_tried_again(
    status: int, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(in_turn(Reply(status=status)))
    with pytest.raises(RequestRefused, match=f"page 1: answered {status}; check the path"):
        read(open_served(connector_of(), served.host))
    assert len(served.asked) == 1


def test_of_what_was_sent_a_refusal_names_the_parameters_and_no_more(
    serve: Serve, connector_of: Make, open_served: Open
) -> None:
    served = serve(in_turn(Reply(status=400)))
    connector = connector_of({"read": {"format": "json", "path": "/items", "query": {"unit": SENTINEL}}})
    with pytest.raises(RequestRefused, match=r"check the path and the parameters sent \(unit") as refused:
        read(open_served(connector, served.host))
    assert SENTINEL not in str(refused.value)


def test_a_redirect_is_not_followed(serve: Serve, connector_of: Make, open_served: Open) -> None:
    elsewhere = serve(in_turn(GOOD))
    served = serve(in_turn(Reply(status=302, headers={"Location": f"{elsewhere.host}/items"})))
    with pytest.raises(RequestRefused, match="a redirect"):
        read(open_served(connector_of(), served.host))
    assert elsewhere.asked == []


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
def test_an_answer_beyond_the_limit_is_refused(
    zipped: bool, serve: Serve, connector_of: Make, open_served: Open
) -> None:
    large = b'{"items": [' + b" " * 500_000 + b"]}"
    reply = (
        Reply(body=gzip.compress(large), headers={"Content-Encoding": "gzip"})
        if zipped
        else Reply(body=large)
    )
    served = serve(in_turn(reply))
    connector = connector_of(limits={"page_bytes": 100_000})
    with pytest.raises(
        ContractBroken, match=r"page 1: the response is larger than limits.page_bytes \(100000\)"
    ):
        read(open_served(connector, served.host))


def test_requests_keep_the_sources_rate_limit(serve: Serve, connector_of: Make) -> None:
    served = serve(in_turn(GOOD))
    limits = connector_of(limits={"requests": "50/s"}).limits
    waited: list[float] = []
    # A clock that stands still: nothing really slept, so each wait is longer than the one before.
    rate_limiter = LocalRateLimiter(limits, clock=lambda: 0.0)
    requester = Requester(requests.Session(), limits, rate_limiter, pause=waited.append)
    for _ in range(4):
        requester.send(
            requests.Request("GET", f"{served.host}/items"), "tax.items: page 1", lambda answer: answer.body
        )
    assert [round(seconds, 6) for seconds in waited] == [0.02, 0.04, 0.06]


def test_one_connection_serves_many_pages(connector_of: Make, open_served: Open, serve: Serve) -> None:
    ports: set[int] = set()
    served = serve(in_turn(GOOD))
    original = served._server.process_request

    def counting(request: socket.socket, address: tuple[str, int]) -> None:
        ports.add(address[1])
        original(request, address)

    served._server.process_request = counting  # type: ignore[method-assign]
    source = open_served(connector_of(), served.host)
    for _ in range(5):
        read(source)
    assert len(served.asked) == 5
    assert len(ports) == 1


LEAKY = {
    "json": Reply(status=500, body=f'{{"error": "{SENTINEL}"}}'.encode()),
    "refusal": Reply(status=400, body=SENTINEL.encode()),
    "forbidden": Reply(status=403, body=SENTINEL.encode()),
    "nonsense": Reply(body=f'{{"items": [{{"id": "{SENTINEL}"'.encode()),
    "form": Reply(body=f'{{"elsewhere": "{SENTINEL}"}}'.encode()),
    "redirect": Reply(status=307, headers={"Location": f"/?id={SENTINEL}"}),
    "dropped": Reply(drop=True),
}


@pytest.mark.parametrize("fault", LEAKY)
def test_neither_errors_nor_logs_show_secrets_or_what_the_source_said(
    fault: str, serve: Serve, connector_of: Make, open_served: Open, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(in_turn(as_json({"items": [{"id": 1}], "next": SENTINEL}), LEAKY[fault]))
    connector = connector_of(
        {
            "changes": {"since": SENTINEL},
            "pages": {
                "kind": "cursor",
                "parameter": "c",
                "next": "next",
                "size": {"parameter": "n", "value": 1},
            },
        },
        auth={"kind": "api_key", "header": "X-API-Key"},
    )
    source = open_served(connector, served.host, password=SENTINEL)
    window = Window(datetime(2026, 7, 1, tzinfo=UTC), None)
    with caplog.at_level(logging.DEBUG), pytest.raises((SourceUnavailable, PermanentError)) as failure:
        list(source.pages("items", window))
    assert served.asked[1].query["c"] == SENTINEL
    assert served.asked[1].headers["X-API-Key"] == SENTINEL
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__ or failure.value.__context__ is None
    reported = [str(failure.value), repr(failure.value), repr(source), caplog.text]
    assert not [text for text in reported if SENTINEL in text]
