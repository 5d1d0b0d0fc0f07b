"""Serves the watchdog's figures to Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from oncehub.errors import ConfigError
from oncehub.extras import needs_extra
from oncehub.watch.figures import HELP, Figure

with needs_extra("watch"):
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector


class _Figures(Collector):
    def __init__(self, figures: Callable[[], Iterable[Figure]]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Give each name's figures as one family, as Prometheus wants them."""
        by_name: dict[str, list[Figure]] = {}
        for figure in self._figures():
            by_name.setdefault(figure.name, []).append(figure)
        for name, figures in by_name.items():
            family = GaugeMetricFamily(f"oncehub_{name}", HELP[name], labels=sorted(figures[0].labels))
            for figure in figures:
                family.add_metric([value for _, value in sorted(figure.labels.items())], figure.value)
            yield family


@contextmanager
def serve_figures(host: str, port: int, figures: Callable[[], Iterable[Figure]]) -> Iterator[int]:
    """Serve what `figures` gives at `/metrics` from a thread of this process meanwhile; give the port.

    Raises:
        ConfigError: when the port cannot be used.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(figures))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise ConfigError(f"cannot serve figures on {host}:{port}: {error.strerror}; give --port") from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
