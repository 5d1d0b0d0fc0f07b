"""Traces of requests, steps and requests to sources, sent by OTLP where `OTEL_EXPORTER_OTLP_ENDPOINT` says.

Without an endpoint no package of OpenTelemetry is imported. A span has names, numbers of runs and statuses:
no path, query, statement or message of an exception, and nothing that a caller sent except the ids of its
`traceparent`. The other settings are OpenTelemetry's own variables (`OTEL_…`); all is traced unless
`OTEL_TRACES_SAMPLER` says otherwise, whatever a caller's `traceparent` says.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, Literal, Protocol

from oncehub.errors import ConfigError
from oncehub.extras import needs_extra
from oncehub.logs import bound_contextvars

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PARENT: Final = "TRACEPARENT"

_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")

# A collector that does not answer holds up the end of a command no longer than this.
_SECONDS: Final = 3

_Kind = Literal["internal", "server", "client"]


class Span(Protocol):
    """What the hub tells of a piece of work."""

    def update_name(self, name: str) -> None:
        """Name it anew."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Add an attribute."""


class _Untraced:
    def update_name(self, name: str) -> None:
        pass

    def set_attribute(self, key: str, value: Any) -> None:
        pass


_UNTRACED: Final = _Untraced()


@contextmanager
def step(name: str, **labels: str) -> Iterator[None]:
    """Name a step in each of its log lines, and trace it.

    Its parent is the span that surrounds it, such as that of a task of Airflow, or what `TRACEPARENT` names.
    """
    attributes = {f"oncehub.{label}": value for label, value in labels.items()}
    with bound_contextvars(**labels), span(name, attributes, parent=os.environ.get(PARENT), is_root=False):
        yield


@contextmanager
def span(
    name: str,
    attributes: dict[str, Any] | None = None,
    *,
    kind: _Kind = "internal",
    parent: str | None = None,
    is_root: bool | None = None,
) -> Iterator[Span]:
    """Trace what is done inside; log lines have its `trace_id`.

    Args:
        name: of a kind of work, not of one piece.
        attributes: without values of anybody.
        kind: of OpenTelemetry.
        parent: a `traceparent`; what is no such thing is passed over.
        is_root: whether `parent` comes before a span that surrounds this one; unless given, if it is named.
    """
    if (tracer := _tracer()) is None:
        yield _UNTRACED
        return
    from opentelemetry import trace

    context = None
    if parent and (is_root is not False or not trace.get_current_span().get_span_context().is_valid):
        context = _context_of(parent)
    with tracer.start_as_current_span(
        name,
        context,
        trace.SpanKind[kind.upper()],
        attributes,
        # The message of an exception may quote a person's record.
        record_exception=False,
        set_status_on_exception=False,
    ) as begun:
        trace_id = format(begun.get_span_context().trace_id, "032x")
        with bound_contextvars(trace_id=trace_id):
            try:
                yield begun
            except BaseException as error:
                begun.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise


def flush() -> None:
    """Send what has ended, where a process ends without running what Python runs at exit."""
    if _tracer() is None:
        return
    from opentelemetry import trace

    provider: Any = trace.get_tracer_provider()
    flushing = threading.Thread(target=provider.force_flush, daemon=True)
    flushing.start()
    flushing.join(_SECONDS)


def _context_of(parent: str) -> Any:
    # Without tracestate and baggage, which may hold anything.
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())


@cache
def _tracer() -> Any:
    """Return this process' tracer, or None where nothing is traced.

    Raises:
        ConfigError: OpenTelemetry's packages are missing, or its settings name another protocol.
    """
    if not _set(ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    with needs_extra("traces", "or unset OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    # Airflow has a provider of its own, where its traces are on.
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        named = os.environ.get("OTEL_SERVICE_NAME") or "service.name" in os.environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        provider = TracerProvider(
            sampler=None if os.environ.get("OTEL_TRACES_SAMPLER") else ALWAYS_ON,
            resource=Resource.create({} if named else {"service.name": "oncehub"}),
        )
        provider.add_span_processor(BatchSpanProcessor(_exporter()))
        trace.set_tracer_provider(provider)
    return trace.get_tracer("oncehub")


def _exporter() -> Any:
    timeout = None if _set(_TIMEOUTS) else _SECONDS
    protocol = _set(_PROTOCOLS) or "http/protobuf"
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as http

        return http.OTLPSpanExporter(timeout=timeout)
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc

        return grpc.OTLPSpanExporter(timeout=timeout)
    raise ConfigError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; set it to http/protobuf or grpc")


def _set(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)
