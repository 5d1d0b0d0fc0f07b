"""Turns the database's errors into the hub's own, without the values that the server's messages quote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from oncehub.errors import OncehubError, ResourcesExhausted, StoreError, StoreUnavailable
from oncehub.exhaustion import remedy

# The server's limits: a retry meets them again, though psycopg2 classes them as passing failures.
_PROGRAM_LIMIT = "54"

_FULL = {
    "53100": "the disk of the database's server is full; free space there, and run this again",
    "53200": "the database's server is out of memory; give it more or end other sessions, and run this again",
    "53300": "the database's server has no free connection; end other sessions or raise max_connections, and "
    "run this again",
}

# The server ended a session that paused in a transaction, or whose transaction lasted for too long.
_PAUSED_TOO_LONG = ("25P03", "25P04")

_REASONS = {
    "Too many open files": "this process may not open more files; raise `ulimit -n`",
    "Connection refused": "connection refused",
    "No such file or directory": "no server at its socket",
    "translate host name": "its host name is not found",
    "timeout expired": "no answer in time",
}


@contextmanager
def without_values(doing: str) -> Iterator[None]:
    """Raise errors of the hub in place of psycopg2's; `doing` starts the message: `landing tax.citizens`.

    So does what is raised where memory, disk, open files or threads have ended.

    Raises:
        ResourcesExhausted: when they have.
        StoreUnavailable: when a retry may succeed: connection lost, disk full, deadlock, shutdown.
        StoreError: when the database refused a statement or its values.
    """
    try:
        yield
    except psycopg2.Error as error:
        if full := _FULL.get(error.pgcode or ""):
            raise StoreUnavailable(f"{doing}: {full}") from None
        if error.pgcode is None and (advice := remedy(error)):
            raise ResourcesExhausted(f"{doing}: {advice}") from None
        if not may_pass(error):
            raise StoreError(f"{doing}: the hub's database refused it ({_named(error)})") from None
        reason = (
            type(error).__name__ if error.__class__.__module__ == "psycopg2.errors" else "connection lost"
        )
        raise StoreUnavailable(f"{doing}: the hub's database failed ({reason}); try again") from None
    except OncehubError:
        raise
    except Exception as error:
        if (advice := remedy(error)) is None:
            raise
        raise ResourcesExhausted(f"{doing}: {advice}") from None


def refuses_values(error: psycopg2.Error) -> bool:
    """Tell whether the server refused the values of a statement, such as a text too long for an index."""
    return isinstance(error, psycopg2.DataError | psycopg2.IntegrityError) or _beyond_limits(error)


def may_pass(error: psycopg2.Error) -> bool:
    """Tell whether the same statement may succeed later: after a lost connection, a full disk and the like.

    At times psycopg2 raises a plain DatabaseError without a code when a killed server closes the connection;
    what a server refuses has a code.
    """
    if (type(error) is psycopg2.DatabaseError and error.pgcode is None) or error.pgcode in _PAUSED_TOO_LONG:
        return True
    passing = isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
    return passing and not _beyond_limits(error)


def _beyond_limits(error: psycopg2.Error) -> bool:
    return (error.pgcode or "").startswith(_PROGRAM_LIMIT)


_PASSING = ("08", "40", "53", "55", "57", "58")
_OTHER_SHAPE = ("0A", "0P", "26", "3D", "3F", "42", "XX")
_READ_ONLY = "25006"
_NO_ROLE = "22023"


def is_out_of_step(error: psycopg2.Error) -> bool:
    """Return whether the database is not as the statement takes it to be, or not yet.

    An object or a right is missing, was replaced since the session planned the statement, or the server is a
    standby. The values of a request have no part in it. A session in which it happens should be closed: plans
    and types that it keeps may be those of objects that have gone.
    """
    return is_shape(error.pgcode or "")


def is_shape(code: str) -> bool:
    """Return the same as `is_out_of_step` of a code of the server."""
    # PostgreSQL has no other code for a role that does not exist than that of a wrong setting.
    return code[:2] in _OTHER_SHAPE or code in (_READ_ONLY, _NO_ROLE)


def passes(code: str) -> bool:
    """Return whether a statement that the server refused with a code may succeed later."""
    return code[:2] in _PASSING or code in _PAUSED_TOO_LONG


def _named(error: psycopg2.Error) -> str:
    place = ".".join(filter(None, (error.diag.table_name, error.diag.column_name)))
    return f"{type(error).__name__} in {place}" if place else type(error).__name__


def describe(error: psycopg2.Error) -> str:
    """Return the error's name, code and place, not its message, which may quote rows with personal data."""
    places = (
        error.diag.schema_name,
        error.diag.table_name,
        error.diag.column_name,
        error.diag.constraint_name,
    )
    place = ".".join(name for name in places if name)
    if full := _FULL.get(error.pgcode or ""):
        return full
    code = error.pgcode or "connection lost"
    return f"the database refused: {type(error).__name__} ({code})" + (f" at {place}" if place else "")


def why_not_connected(error: psycopg2.OperationalError) -> str:
    """Return why there is no connection, quoting the server's messages only.

    Messages of libpq quote the URL, and may take a part of the password for the host or port.
    """
    message = str(error)
    if said := re.search(r"FATAL:\s+(.+)", message):
        busy = re.search("too many (clients|connections)|connection slots", said[1])
        return f"{said[1]}; end other sessions or raise max_connections" if busy else said[1]
    return next((reason for sign, reason in _REASONS.items() if sign in message), "no connection")
