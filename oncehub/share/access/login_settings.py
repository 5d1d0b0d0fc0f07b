"""Settings of the API's login that keep what it asks out of other sessions' sight and of the server's log.

A value that the API sends is part of a statement. Other sessions of the same login would read it in
`pg_stat_activity`, and the server would write it to its log with a statement that fails. A login cannot
change these settings for itself; an administrator sets them (`deploy/bootstrap.sql`), and so does the hub
where its own login may.
"""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.errors import StoreOutdated
from oncehub.share.roles import API_ROLE
from oncehub.store.connection import Connection, Cursor

HIDDEN: Final = {
    "track_activities": "off",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}
"""Setting -> value, as `current_setting` returns it."""

# Only a superuser, or a role that was granted it, may set them for another role.
_MAY_SET: Final = """
select
    coalesce(r.rolconfig, '{}') @> %(wanted)s,
    (select bool_and(has_parameter_privilege(name, 'set')) from unnest(%(names)s) as name)
from pg_roles as r
where r.rolname = %(role)s
"""

_SHOWN: Final = """
select name, current_setting(name), value
from unnest(%(names)s, %(values)s) as hidden (name, value)
where current_setting(name) <> value
order by name
"""


def hide_statements(cursor: Cursor) -> None:
    """Give the API's login these settings, where the session may; they hold for sessions that begin later."""
    wanted = [f"{name}={value}" for name, value in HIDDEN.items()]
    cursor.execute(_MAY_SET, {"wanted": wanted, "names": list(HIDDEN), "role": API_ROLE})
    has_them, may_set = cursor.fetchone() or (False, False)
    if has_them or not may_set:
        return
    for name, value in HIDDEN.items():
        cursor.execute(
            sql.SQL("alter role {} set {} = {}").format(
                sql.Identifier(API_ROLE), sql.Identifier(name), sql.Literal(value)
            )
        )


def require_hidden_statements(connection: Connection) -> None:
    """Check that a session of the API's login shows its statements nowhere.

    Raises:
        StoreOutdated: naming the settings that it lacks.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(_SHOWN, {"names": list(HIDDEN), "values": list(HIDDEN.values())})
        shown = cursor.fetchall()
    if shown:
        settings = ", ".join(f"{name} is {found} and must be {value}" for name, found, value in shown)
        raise StoreOutdated(
            f"what {API_ROLE} asks would show in the server's log or to other sessions: {settings}; as a "
            "superuser of the server run: psql -d postgres -f deploy/bootstrap.sql"
        )
