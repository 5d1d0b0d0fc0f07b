"""Settings of the API's login: its statements stay out of sight, and it cannot take all connections.

A value that the API sends is part of a statement. Other sessions of the same login would read it in
`pg_stat_activity`, and the server would write it to its log with a statement that fails. A login cannot
change these settings for itself, but `transaction_timeout`, which `oncehub.store.overlong` enforces; an
administrator sets them (`deploy/bootstrap.sql`), and so does the hub where its own login may.
"""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.errors import StoreOutdated
from oncehub.share.roles import API_ROLE
from oncehub.store.connection import Connection, Cursor

SETTINGS: Final = {
    "track_activities": "off",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "transaction_timeout": "30s",
}
"""Setting -> value, as `current_setting` returns it."""

_WANTED: Final = [f"{name}={value}" for name, value in SETTINGS.items()]

# Only a superuser, or a role that was granted it, may set them for another role. Two in five connections of
# the server are left to others, unless an administrator has set another limit.
_MAY_SET: Final = """
select
    coalesce(r.rolconfig, '{}') @> %(wanted)s and r.rolconnlimit <> -1,
    (select bool_and(has_parameter_privilege(name, 'set')) from unnest(%(names)s) as name),
    case r.rolconnlimit
        when -1 then current_setting('max_connections')::integer * 3 / 5 else r.rolconnlimit
    end
from pg_roles as r
where r.rolname = %(role)s
"""

# A login may give itself settings that others of its sessions begin with.
_OTHERS: Final = """
select setting
from pg_db_role_setting as of_role cross join unnest(of_role.setconfig) as setting
where of_role.setrole = %(role)s::regrole
    and of_role.setdatabase in (0, (select oid from pg_database where datname = current_database()))
    and setting <> all(%(wanted)s)
"""

_WRONG: Final = f"""
select name, current_setting(name), value
from unnest(%(names)s, %(values)s) as hidden (name, value)
where current_setting(name) <> value
union all
-- What is prepared keeps its locks when its session has ended.
select 'max_prepared_transactions', current_setting('max_prepared_transactions'), '0'
where current_setting('max_prepared_transactions') <> '0'
union all
select 'connection limit', 'none', 'set' from pg_roles where rolname = current_user and rolconnlimit = -1
union all
select other.setting, 'set for the login', 'left as it is' from ({_OTHERS}) as other
order by name
"""


def settle_login(cursor: Cursor) -> None:
    """Give the API's login these settings, where the session may; they hold for sessions that begin later."""
    cursor.execute(_OTHERS, {"wanted": _WANTED, "role": API_ROLE})
    if cursor.fetchall():
        cursor.execute("select current_database()")
        ((database,),) = cursor.fetchall()
        role = sql.Identifier(API_ROLE)
        cursor.execute(sql.SQL("alter role {} reset all").format(role))
        cursor.execute(
            sql.SQL("alter role {} in database {} reset all").format(role, sql.Identifier(database))
        )
    cursor.execute(_MAY_SET, {"wanted": _WANTED, "names": list(SETTINGS), "role": API_ROLE})
    has_them, may_set, connections = cursor.fetchone() or (False, False, -1)
    if has_them or not may_set:
        return
    cursor.execute(
        sql.SQL("alter role {} connection limit {}").format(
            sql.Identifier(API_ROLE), sql.Literal(connections)
        )
    )
    for name, value in SETTINGS.items():
        cursor.execute(
            sql.SQL("alter role {} set {} = {}").format(
                sql.Identifier(API_ROLE), sql.Identifier(name), sql.Literal(value)
            )
        )


def require_login_settings(connection: Connection) -> None:
    """Check that a session of the API's login shows its statements nowhere, and is bounded.

    Raises:
        StoreOutdated: naming the settings that it lacks.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            _WRONG,
            {
                "names": list(SETTINGS),
                "values": list(SETTINGS.values()),
                "role": API_ROLE,
                "wanted": _WANTED,
            },
        )
        wrong = cursor.fetchall()
    if wrong:
        settings = ", ".join(f"{name} is {found} and must be {value}" for name, found, value in wrong)
        raise StoreOutdated(
            f"what {API_ROLE} asks would show in the server's log or to other sessions, or it could hold up "
            f"others: {settings}; as a superuser of the server run: psql -d postgres -f deploy/bootstrap.sql "
            "(max_prepared_transactions is set in postgresql.conf)"
        )
