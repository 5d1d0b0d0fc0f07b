"""Where the demo listens."""

from __future__ import annotations

import socket

import pytest

from demo.failure import DemoFailed
from demo.processes.loopback import HOST, Ports


def test_free_ports_differ() -> None:
    ports = Ports.choose(0)
    assert ports.airflow != ports.hub
    assert ports.systems == 0


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DemoFailed, match=f"cannot listen on {HOST}:{port}: .*PORT_BASE"):
            Ports.choose(port)
