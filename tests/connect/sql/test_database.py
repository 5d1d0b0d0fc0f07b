"""A database off this machine proves itself, or nothing is sent to it."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any

import pytest
import sqlalchemy as sa

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.connect.sql.database import Database
from oncehub.errors import AuthenticationError, ConfigError


class _Asked(Exception):
    pass


def arguments(host: str, **connect: Any) -> dict[str, Any]:
    """Return what the driver would be called with."""
    database = Database(Connection(host, "a", "b", {"connect": connect}), Limits(), "x")
    seen: dict[str, Any] = {}

    @sa.event.listens_for(database._engine, "do_connect")
    def note(dialect: Any, record: Any, args: Any, given: dict[str, Any]) -> None:
        seen.update(given)
        raise _Asked

    with pytest.raises(_Asked), database.reading("x"):
        pass
    return seen


@pytest.mark.parametrize(
    ("host", "connect", "mode"),
    [
        ("postgresql://db.example/x", {}, "verify-full"),
        ("postgresql://127.0.0.1/x", {}, None),
        ("postgresql:///x?host=/run/postgresql", {}, None),
        ("postgresql:///x?host=db.example", {}, "verify-full"),
        ("postgresql://127.0.0.1/x", {"hostaddr": "192.0.2.1"}, "verify-full"),
        ("postgresql://db.example/x?sslmode=require", {}, "require"),
        ("postgresql://db.example/x", {"sslmode": "verify-ca"}, "verify-ca"),
    ],
)
def test_postgresql_off_this_machine_is_verified_unless_another_mode_is_written(
    host: str, connect: dict[str, Any], mode: str | None
) -> None:
    seen = arguments(host, **connect)
    assert seen.get("sslmode") == mode
    assert (seen["tcp_user_timeout"], seen["keepalives_idle"], seen["keepalives_count"]) == (30_000, 30, 3)


def test_mysql_off_this_machine_is_verified_unless_otherwise_written() -> None:
    seen = arguments("mysql://db.example/x")
    assert isinstance(seen["ssl"], ssl.SSLContext)
    assert (seen["ssl"].verify_mode, seen["ssl"].check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (seen["read_timeout"], seen["connect_timeout"]) == (30, 30)
    assert "ssl" not in arguments("mariadb://127.0.0.1/x")
    assert "ssl" not in arguments("mysql://db.example/x", ssl_disabled=True)
    assert arguments("mysql://db.example/x", ssl_ca="ca.pem")["ssl_verify_identity"] is True
    named = arguments("mysql://db.example/x?ssl_ca=ca.pem")
    assert (named["ssl"], "ssl_verify_identity" in named) == ({"ca": "ca.pem"}, False)
    with pytest.raises(ConfigError, match="a client certificate needs ssl_ca"):
        arguments("mysql://db.example/x?ssl_cert=a.pem")


def test_no_login_is_sent_to_a_server_that_speaks_no_tls() -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            spoken, _ = server.accept()
            with spoken:
                heard.append(spoken.recv(100))
                spoken.sendall(b"N")
                heard.append(spoken.recv(100))

        thread = threading.Thread(target=answer)
        thread.start()
        # A name that only the resolver knows to be this machine.
        host = f"postgresql://127.1:{server.getsockname()[1]}/x"
        database = Database(Connection(host, "login", "secret"), Limits(), "x")
        with pytest.raises(AuthenticationError, match="does not prove itself by TLS"), database.reading("x"):
            pass
        thread.join(10)
    assert [len(each) for each in heard] == [8, 0]
