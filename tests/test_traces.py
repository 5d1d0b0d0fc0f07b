"""Traces as a collector receives them: one trace from a caller to the hub's work, with nobody's value."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.clients.clients import add_client
from oncehub.store.connection import Connection
from oncehub.traces import ENDPOINTS, _exporter
from stubs.client import Systems

from .api.conftest import Agency
from .api.server.processes import await_true, environment, serving
from .connect.serving import Reply, Served

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
NUMBER = "001084000999"


class Collector:
    """Takes what OpenTelemetry's exporters send, and reads it with OpenTelemetry's own classes."""

    def __init__(self) -> None:
        self.received: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = ExportTraceServiceRequest()
                request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/v1/traces"
                collector.received.append(request)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}).start()

    @property
    def spans(self) -> list[Span]:
        resources = [each for request in self.received for each in request.resource_spans]
        return [span for each in resources for scope in each.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Span]:
        return [each for each in self.spans if each.name == name]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    collector = Collector()
    yield collector
    collector.stop()


def command(settings: Settings, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process, since OpenTelemetry keeps one provider for each."""
    return subprocess.run(
        [sys.executable, "-m", "oncehub.cli", *words],
        env=environment(settings) | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def attributes(span: Span | Resource) -> Mapping[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def trace_of(span: Span) -> tuple[str, str]:
    return span.trace_id.hex(), span.parent_span_id.hex()


def test_a_step_is_traced_below_its_caller_and_with_its_run(
    settings: Settings, systems: Systems, collector: Collector, names_nobody: Callable[[str], bool]
) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "TRACEPARENT": TRACEPARENT,
        "ONCEHUB_LOG": "json",
    }
    connection = json.dumps(systems.connections["tax"])
    done = command(settings, "sync", "tax", ONCEHUB_CONN_TAX=connection, **variables)
    assert done.returncode == 0, done.stderr
    [landed] = collector.named("land")
    assert trace_of(landed) == (TRACE, PARENT)
    assert attributes(landed) == {
        "oncehub.source": "tax",
        "oncehub.stream": "registrations",
        "oncehub.run": "landing-1",
    }
    requests = collector.named("request a source")
    assert len(requests) >= 2
    # Pages are fetched ahead in another thread.
    assert {trace_of(each) for each in requests} == {(TRACE, landed.span_id.hex())}
    assert {"tax.registrations: page 1", "tax.registrations: page 2"} <= {
        attributes(each)["oncehub.request"] for each in requests
    }
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["trace_id"] for line in lines if "run" in line} == {TRACE}
    for words in (["reconcile"], ["publish"]):
        done = command(settings, *words, **variables)
        assert done.returncode == 0, done.stderr
    assert {attributes(each)["oncehub.run"] for each in collector.named("reconcile")} == {"reconcile-1"}
    assert "residence" in {attributes(each)["oncehub.feed"] for each in collector.named("publish")}
    assert names_nobody(str(collector.received))
    resources = [each.resource for request in collector.received for each in request.resource_spans]
    assert {attributes(each)["service.name"] for each in resources} == {"oncehub"}


def test_a_request_is_traced_below_its_caller_without_what_the_caller_sent(
    settings: Settings,
    database: Connection,
    believe: Callable[..., str],
    collector: Collector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names_nobody: Callable[[str], bool],
) -> None:
    believe(personal_id=NUMBER, full_name="Nguyễn Thị An")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    with (
        serving(settings, tmp_path / "log") as running,
        httpx2.Client(base_url=running.url) as http,
    ):
        http.headers.update(
            {"traceparent": TRACEPARENT, "tracestate": f"a={NUMBER}", "baggage": f"a={NUMBER}"}
        )
        portal = Agency(http, "portal")  # type: ignore[arg-type]
        public = tmp_path / "public.json"
        public.write_text(json.dumps(portal.key.as_dict(private=False)))
        add_client(database, "portal", "portal-residence", json.loads(public.read_text()))
        answer = portal.lookup({"person.personal_id": NUMBER}, ["person.full_name"])
        assert answer.status_code == 200
        assert http.get(f"/v1/persons/{NUMBER}?name=An").status_code == 404
        assert http.get("/live", headers={"traceparent": f"not one: {NUMBER}"}).status_code == 200
    # What has ended is sent when the API ends.
    lookup = "POST /v1/persons/lookup"
    await_true(lambda: bool(collector.named(lookup)))
    [looked_up] = collector.named(lookup)
    assert trace_of(looked_up) == (TRACE, PARENT)
    assert attributes(looked_up) == {
        "oncehub.request_id": answer.headers["X-Request-Id"],
        "http.request.method": "POST",
        "http.route": "/v1/persons/lookup",
        "http.response.status_code": 200,
    }
    inside = [
        each for each in collector.named("database transaction") if each.parent_span_id == looked_up.span_id
    ]
    assert inside
    assert trace_of(collector.named("GET /live")[0])[1] == ""
    assert collector.named("GET (no such path)")
    text = str(collector.received)
    assert NUMBER not in text
    assert names_nobody(text)


def test_a_failure_is_traced_by_its_type(settings: Settings, collector: Collector) -> None:
    refusing = Served(lambda _: Reply(status=401))
    connection = {"conn_type": "http", "host": refusing.host, "login": "a", "password": "b"}
    endpoint = f"{collector.url}/v1/traces"
    done = command(
        settings,
        *("sync", "tax"),
        ONCEHUB_CONN_TAX=json.dumps(connection),
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=endpoint,
    )
    refusing.stop()
    assert done.returncode == 1
    [landed] = collector.named("land")
    assert landed.status == Status(code=Status.STATUS_CODE_ERROR, message="AuthenticationError")
    assert not landed.events


def test_a_collector_that_is_away_fails_nothing(settings: Settings, collector: Collector) -> None:
    collector.stop()
    done = command(settings, "audit", "checkpoint", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_another_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    with pytest.raises(ConfigError, match="set it to http/protobuf or grpc"):
        _exporter()


def test_without_an_endpoint_nothing_of_opentelemetry_is_imported() -> None:
    script = (
        "import sys; from oncehub.traces import flush, step\n"
        "with step('sign'): pass\n"
        "flush(); print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    without = {name: value for name, value in os.environ.items() if name not in ENDPOINTS}
    done = subprocess.run(
        [sys.executable, "-c", script], env=without, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
