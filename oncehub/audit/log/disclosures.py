"""Records that a command is about to show personal data in clear, before it does.

Answers of the API are in `oncehub.audit.log.entries`.
"""

from __future__ import annotations

import getpass
import socket

from oncehub.store.connection import Connection

_WRITE = """
insert into audit.disclosure (login, command, source, stream, records)
values (%(login)s, %(command)s, %(source)s, %(stream)s, %(records)s)
"""


def disclose(connection: Connection, *, command: str, source: str, stream: str, records: int) -> None:
    """Record that `records` of a stream are about to be shown, and commit before they are."""
    values = {"command": command, "source": source, "stream": stream, "records": records}
    with connection, connection.cursor() as cursor:
        cursor.execute(_WRITE, values | {"login": login()})


def login() -> str:
    """Return account and host of the operating system, of the person at the command line."""
    return f"{_account()}@{socket.gethostname()}"


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # An account without a name, as containers have them.
        return "unnamed"
