"""Every way to ask wrongly is answered by a problem document that repeats nothing of what was sent."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncehub.api.http.middleware import MAX_BODY_BYTES

ID = "001084000999"
LOOKUP = "/v1/persons/lookup"
GOOD = {"search": {"person.personal_id": ID}, "attributes": ["person.sex"]}


def require_problem(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert document["status"] == status
    assert document["detail"]
    assert document["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    for sent in (ID, "entinel"):
        assert sent not in answer.text
        assert sent not in str(answer.headers)


def post(portal: Any, content: bytes, path: str = LOOKUP, **headers: str) -> Any:
    return portal.http.post(
        path, content=content, headers={"Content-Type": "application/json"} | portal.headers() | headers
    )


NOT_STRICT = [
    b'{"search": {"person.personal_id": "001084000999"}, "sentinel"',
    b"sentinel",
    b'{"a": "sentinel", "a": "sentinel"}',
    b'{"search": {"person.personal_id": "001084000999", "person.personal_id": "001084000999"}}',
    b'{"sentinel": NaN}',
    b'{"sentinel": -Infinity}',
    b'{"sentinel": 1e999}',
    b'{"sentinel": ' + b"9" * 5000 + b"}",
    b'{"sentinel": "\\ud800"}',
    b'{"sentinel": "\\u0000"}',
    b'{"sentinel\\u0000": 1}',
    b'{"sentinel": "\xff\xfe"}',
    '{"sentinel": 1}'.encode("utf-16"),
    b"\xef\xbb\xbf{}",
    b"[" * 60_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b"[" * 40 + b"]" * 40,
    b"'sentinel'",
    b"{sentinel: 1}",
    b"// sentinel\n{}",
]


def test_a_body_that_is_no_strict_json_is_a_400(portal: Any) -> None:
    for body in NOT_STRICT:
        require_problem(post(portal, body), 400)


def test_a_body_of_another_type_is_a_415(portal: Any) -> None:
    body = json.dumps(GOOD).encode()
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=sentinel",
        "",
    ):
        answer = post(portal, body, **{"Content-Type": kind})
        require_problem(answer, 415)
        assert answer.headers["accept-post"] == "application/json"


def test_a_body_that_is_too_large_is_a_413_however_it_is_sent(portal: Any) -> None:
    large = b'{"sentinel": "' + b"x" * MAX_BODY_BYTES + b'"}'
    require_problem(post(portal, large), 413)
    require_problem(post(portal, iter([large[:1000], large[1000:]])), 413)  # type: ignore[arg-type]
    require_problem(post(portal, b"", **{"Content-Length": "9" * 30}), 413)
    require_problem(portal.http.post("/v1/token", data={"sentinel": "x" * MAX_BODY_BYTES}), 413)


def test_paths_that_do_not_exist_are_a_404(portal: Any) -> None:
    for path in (
        "/",
        "/sentinel",
        f"/v1/persons/{ID}",
        "/v1/token/",
        "/docs",
        "/redoc",
        "/v1/feeds//changes",
    ):
        require_problem(portal.http.get(path, headers=portal.headers()), 404)


def test_other_methods_are_a_405_that_names_those_there_are(http: TestClient) -> None:
    for path, operations in http.app.openapi()["paths"].items():  # type: ignore[attr-defined]
        methods = {method.upper() for method in operations} | ({"HEAD"} if "get" in operations else set())
        for method in ("DELETE", "PATCH", "OPTIONS", "TRACE", "SENTINEL"):
            answer = http.request(method, path.replace("{case_id}", "1"))
            if method not in methods:
                require_problem(answer, 405)
                assert set(answer.headers["allow"].split(", ")) == methods, path


def test_a_head_is_a_get_without_its_body(portal: Any, believe: Callable[..., str], log: Any) -> None:
    believe(personal_id=ID)
    shown = portal.http.head("/v1/feeds/residence/changes", headers=portal.headers())
    assert (shown.status_code, shown.content) == (200, b"")
    assert [entry[1] for entry in log()] == ["feed"]
    refused = portal.http.head("/v1/agreements/mine")
    assert (refused.status_code, refused.content) == (401, b"")
    assert refused.headers["x-request-id"]


def test_what_the_request_id_of_the_caller_says_is_not_taken(portal: Any) -> None:
    answer = portal.http.get("/ready", headers={"X-Request-Id": "sentinel"})
    assert "sentinel" not in str(answer.headers)
    assert answer.headers["x-request-id"] in str(answer.headers)


def test_a_401_says_how_to_prove_who_one_is(http: TestClient) -> None:
    plain, wrong = "Bearer", 'Bearer error="invalid_token"'
    challenges = {
        None: plain,
        "Bearer sentinel": wrong,
        "Basic c2VudGluZWw6eA==": wrong,
        "Bearer": wrong,
    }
    for authorization, challenge in challenges.items():
        headers = {"Authorization": authorization} if authorization else {}
        answer = http.get("/v1/agreements/mine", headers=headers)
        require_problem(answer, 401)
        assert answer.headers["www-authenticate"] == challenge


def test_an_unforeseen_error_discloses_nothing(
    portal: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError(f"sentinel {ID}")

    monkeypatch.setattr("oncehub.api.core.look_up.told", broken)
    caplog.set_level(logging.DEBUG)
    answer = portal.lookup(GOOD["search"], GOOD["attributes"])
    require_problem(answer, 500)
    assert "KeyError" not in answer.text
    assert not any("entinel" in record.getMessage() for record in caplog.records)


def test_an_unfit_token_request_is_refused_in_the_form_of_oauth(http: TestClient) -> None:
    form = "application/x-www-form-urlencoded"
    part = b"--x\r\nContent-Disposition: form-data; name=grant_type\r\n\r\nx\r\n--x--"
    unfit = [
        (b"grant_type=client_credentials&grant_type=client_credentials", form),
        (b"grant_type=%ff", form),
        (b"\xff", form),
        (b"", form),
        (b"grant_type=client_credentials", "text/plain"),
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (part, "multipart/form-data; boundary=x"),
    ]
    for body, kind in unfit:
        answer = http.post("/v1/token", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 400
        assert answer.json()["error"] in ("invalid_request", "unsupported_grant_type")
        assert answer.json().keys() == {"error", "error_description"}
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-request-id"]


def test_no_line_of_the_log_holds_what_the_caller_wrote(
    portal: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "oncehub")
    portal.http.request("SENTINEL", "/sentinel?sentinel=1")
    post(portal, b'{"sentinel": 1}', path="/v1/procedures/sentinel/prefill")
    written = [record.getMessage() for record in caplog.records if record.name.startswith("oncehub")]
    assert len(written) >= 2
    assert not any("entinel" in line.lower() for line in written)


# As bytes, since no client of HTTP sends these.


@pytest.fixture
def speak(http: TestClient, serve: Callable[[Any], tuple[str, int]]) -> Callable[[bytes], bytes]:
    """Send bytes to the served API, and give what comes back until it closes."""
    address = serve(http.app)

    def exchange(sent: bytes) -> bytes:
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts)

    return exchange


NOT_HTTP = [
    b"sentinel\r\n\r\n",
    b"GET /ready HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /ready HTTP/1.1\r\nHost: x\r\nSentinel\x00: y\r\n\r\n",
    b"GET /ready HTTP/1.1\r\nHost: x\r\nSentinel: y\r\n obs-fold\x01\r\n\r\n",
    b"POST /v1/token HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nsentinel\r\n",
]


def test_what_is_not_http_is_refused_without_naming_the_server(speak: Any) -> None:
    for sent in NOT_HTTP:
        answer = speak(sent)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 "), sent
        assert b"application/problem+json" in head
        assert b"x-request-id: " in head.lower()
        assert json.loads(body)["status"] == 400
        for told in (b"entinel", b"uvicorn", b"server:", b"python"):
            assert told not in answer.lower()
