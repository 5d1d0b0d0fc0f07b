"""Ports and HTTP sessions on the loopback interface."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import requests

from demo.failure import DemoFailed

HOST = "127.0.0.1"


def loopback_session() -> requests.Session:
    """Return a session that ignores the proxies of the environment."""
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass(frozen=True)
class Ports:
    """The ports on which the components listen.

    Attributes:
        airflow: Airflow's web interface and REST API.
        hub: the hub's API.
        systems: first port of the simulated systems; 0 lets them take free ones.
    """

    airflow: int
    hub: int
    systems: int

    @classmethod
    def choose(cls, base: int) -> Self:
        """Take the ports from `base` on, or free ones for 0.

        Raises:
            DemoFailed: when one is in use.
        """
        with ExitStack() as stack:
            airflow, hub = (_bound(stack, base + index if base else 0) for index in range(2))
        return cls(airflow, hub, base + 2 if base else 0)


def _bound(stack: ExitStack, port: int) -> int:
    listener = stack.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        raise DemoFailed(
            f"cannot listen on {HOST}:{port}: {error.strerror}; name other ports: make demo PORT_BASE=18000"
        ) from None
    return int(listener.getsockname()[1])
