"""What two readers of a request could take differently is refused, by the running API, and counted."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from oncehub.api.client import HubClient
from oncehub.store.connection import Connection
from tests.api.server.processes import Running

LOOKUP = b"/v1/persons/lookup"
FEED = b"/v1/feeds/residence/changes"
BODY = b'{"search": {"person.personal_id": "001084000000"}, "attributes": ["person.sex"]}'
TOKEN_FORM = b"grant_type=client_credentials"

# Method, target and headers of a request, with the status that answers it. {token} is a good one.
UNFIT: list[tuple[bytes, bytes, tuple[bytes, ...], int]] = [
    (b"GET", FEED, (b"Authorization: Bearer sentinel",), 400),
    (b"GET", FEED, (b"Authorization: Bearer {token}",), 400),
    (b"GET", FEED, (b"authorization:",), 400),
    (b"GET", FEED, (b"Host: sentinel",), 400),
    (b"GET", FEED, (b"X-Note: caf\xc3\xa9",), 400),
    (b"GET", FEED, (b"X-Note: a\x01b",), 400),
    (b"GET", FEED, (b"X-Note: a\x7fb",), 400),
    (b"GET", FEED, (b"X-Note: a", b" folded"), 400),
    (b"GET", FEED, (b"X-Note : a",), 400),
    (b"GET", FEED, (b"Expect: sentinel",), 417),
    (b"GET", b"http://sentinel" + FEED, (), 400),
    (b"GET", FEED + b"#sentinel", (), 400),
    (b"GET", b"*", (), 400),
    (b"CONNECT", b"sentinel:80", (), 400),
    (b"GET", b"/v1/feeds/%ff/changes", (), 400),
    (b"GET", b"/v1/feeds/%c0%af/changes", (), 400),
    (b"GET", b"/v1/feeds/%ed%a0%80/changes", (), 400),
    (b"GET", b"/v1/feeds/a%00/changes", (), 400),
    (b"GET", b"/v1/feeds/a%0d%0aX:y/changes", (), 400),
    (b"GET", b"/v1/feeds/a%2fb/changes", (), 400),
    (b"GET", b"/v1/feeds/a%252fb/changes", (), 400),
    (b"GET", b"/v1/feeds/%2e%2e/changes", (), 400),
    (b"GET", b"/v1/feeds/../agreements/mine", (), 400),
    (b"GET", b"/v1/./agreements/mine", (), 400),
    (b"GET", b"/v1\\agreements\\mine", (), 400),
    (b"GET", b"/v1/feeds/%zz/changes", (), 400),
    (b"GET", b"/v1/feeds/r\xc3\xa9s/changes", (), 400),
    (b"GET", FEED + b"?after=1&after=2", (), 400),
    (b"GET", FEED + b"?after=1&%61fter=2", (), 400),
    (b"GET", FEED + b"?after=%ff", (), 400),
    (b"GET", FEED + b"?after=1%00", (), 400),
    (b"GET", FEED + b"?after=%", (), 400),
    (b"GET", FEED + b"?sentinel=1", (), 422),
    (b"GET", b"/v1/agreements/mine?sentinel=1", (), 400),
    (b"GET", b"/ready?sentinel=1", (), 400),
    (b"POST", LOOKUP + b"?sentinel=1", (b"Content-Type: application/json",), 400),
    (b"POST", LOOKUP, (b"Content-Type: application/json", b"Content-Type: application/json"), 400),
    (b"POST", LOOKUP, (b"Content-Type: application/json; charset=iso-8859-1",), 415),
    (b"POST", LOOKUP, (b'Content-Type: application/json; charset="utf-16"',), 415),
    (b"POST", LOOKUP, (b"Content-Type: application/json; charset=utf-8; charset=latin1",), 415),
    (b"POST", LOOKUP, (b"Content-Type: application/json", b"Content-Encoding: gzip"), 415),
    (b"POST", LOOKUP, (b"Content-Type: application/json", b"Content-Encoding: identity, br"), 415),
    (b"POST", LOOKUP, (b"Content-Type: application/json", b"Content-Length: 3"), 400),
    (b"POST", LOOKUP, (b"Content-Type: application/json", b"Content-Length: 88"), 400),
    (b"POST", LOOKUP, (b"Content-Type: application/json", b"Transfer-Encoding: chunked"), 400),
    (b"POST", LOOKUP, (b"Content-Type: application/json", b"Transfer-Encoding: gzip, chunked"), 400),
    (b"POST", b"/v1/token", (b"Content-Type: application/x-www-form-urlencoded; charset=latin1",), 415),
]


def request(method: bytes, target: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    length = (b"Content-Length: %d" % len(body),) if body else ()
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", *headers, *length, b"", body])


def status(answer: bytes) -> int:
    """Check that an answer is a problem document which repeats nothing, and return its status."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"entinel" not in answer.lower()
    assert b"application/problem+json" in head.lower(), answer
    document = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % document["status"])
    assert document["detail"]
    return int(document["status"])


@pytest.fixture
def usual(client: HubClient) -> tuple[bytes, ...]:
    return b"Host: x", b"Connection: close", b"Authorization: Bearer " + client.token().encode()


def test_an_ambiguous_request_is_refused_and_counted(
    running: Running, client: HubClient, usual: tuple[bytes, ...], database: Connection
) -> None:
    token = client.token().encode()
    given: Counter[int] = Counter()
    for method, target, headers, expected in UNFIT:
        more = [header.replace(b"{token}", token) for header in headers]
        answer = running.exchange(
            request(method, target, *usual, *more, body=BODY if method == b"POST" else b"")
        )
        assert status(answer) == expected, (method, target, headers, answer)
        given[expected] += 1
    without_host = request(b"GET", FEED, *usual[1:])
    kind = b"Content-Type: application/json"
    marked = request(b"POST", LOOKUP, *usual, kind, body=b"\xef\xbb\xbf" + BODY)
    trailer = request(b"POST", LOOKUP, *usual, kind, b"Transfer-Encoding: chunked")
    trailer += b"%x\r\n%s\r\n0\r\nAuthorization: sentinel\r\n\r\n" % (len(BODY), BODY)
    bare = b"GET " + FEED + b" HTTP/1.1\nHost: x\n\n"
    with_body = request(b"GET", FEED, *usual, body=BODY)
    for sent in (without_host, marked, trailer, bare, with_body):
        assert status(running.exchange(sent)) == 400, sent
        given[400] += 1
    running.process.terminate()
    running.process.wait(timeout=20)
    assert counted(database) == given
    assert "Traceback" not in running.log.read_text()


def counted(database: Connection) -> Counter[int]:
    with database, database.cursor() as cursor:
        cursor.execute(
            "select status, sum(refusals) from audit.entry where action = 'refusals' group by status"
        )
        return Counter({status: int(count) for status, count in cursor.fetchall()})


def test_what_is_not_ambiguous_is_answered(
    running: Running, usual: tuple[bytes, ...], client: HubClient
) -> None:
    token = (b"Authorization: bearer " + client.token().encode(), b"Host: [::1]:8080", b"Connection: close")
    json_body = b"Content-Type: application/json"
    fit: list[bytes] = [
        request(b"GET", FEED + b"?after=%30&limit=1", *usual),
        request(b"GET", FEED, *token, b"X-Note: a", b"X-Note: b\tc", b"Content-Length: 0"),
        request(b"GET", b"/v1/feeds/%72esidence/changes", *usual),
        request(b"GET", FEED, *usual[:1], *usual[2:], b"Connection: Upgrade", b"Upgrade: h2c"),
    ]
    for sent in fit:
        assert running.exchange(sent).startswith(b"HTTP/1.1 200 "), sent
    for kind in (json_body, json_body + b"; charset=UTF-8", json_body + b'; charset="utf-8"'):
        sent = request(b"POST", LOOKUP, *usual, kind, b"Content-Encoding: identity", body=BODY)
        assert status(running.exchange(sent)) == 404, sent
    chunked = request(
        b"POST", LOOKUP, *usual, json_body, b"Transfer-Encoding: chunked", b"Expect: 100-continue"
    )
    answer = running.exchange(chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
    assert answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").startswith(b"HTTP/1.1 404 "), answer
