"""Knows which database is the hub's own: one that was restored, copied or failed over must be adopted first.

Numbers of transactions and of feed entries go on from what the database holds. On another server, or in a
state of an earlier moment, they would go on wrongly and nobody would notice. So the database holds what it
belongs to (`hub.history`), and everybody who opens it compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg2.errors

from oncehub.errors import StoreError, StoreNotAdopted
from oncehub.store.connection import Connection, Cursor

REMEDY: Final = (
    "if it is to be the hub's database from now on, and no other copy serves any more, run: oncehub restore "
    "adopt (docs/operations/backup-and-restore.md)"
)

_HERE: Final = """
select s.system_identifier,
    case when not pg_is_in_recovery()
        then ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
    end as timeline,
    d.oid as database, 'hub.history'::regclass::oid as relation
from pg_control_system() as s join pg_database as d on d.datname = current_database()
"""

COMPARE: Final = f"""
select h.number, h.epoch::text, here.timeline is null, here.system_identifier <> h.system_identifier,
    here.database <> h.database, here.relation <> h.relation, here.timeline <> h.timeline
from hub.history as h cross join ({_HERE}) as here
order by h.number desc
limit 1
"""

_BEGIN: Final = f"""
insert into hub.history (number, system_identifier, timeline, database, relation, actor, reason)
select (select count(*) from hub.history) + 1, here.*, %(actor)s, %(reason)s
from ({_HERE}) as here
returning epoch::text
"""

_STORED: Final = """
select string_agg(format('(select max(%I) from %I.%I)', a.attname, n.nspname, c.relname), ', ')
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
join pg_namespace as n on n.oid = c.relnamespace
where a.atttypid = 'xid8'::regtype and not a.attisdropped and c.relkind = 'r'
    and n.nspname <> 'information_schema' and not starts_with(n.nspname, 'pg_')
"""

_MISSING_OFFSET: Final = """
select greatest({stored}, '0')::text::bigint + 1 - pg_current_xact_id()::text::bigint
"""

_SIGNS: Final = (
    "it is on another server than the one that it was made on: a dump or a copy",
    "it is another database of its server: a dump or a copy",
    "its tables were restored from a dump",
    "its server was failed over, or recovered to an earlier moment (another timeline)",
)


@dataclass(frozen=True)
class History:
    """How the database's place compares with the last one that it was adopted at.

    Attributes:
        number: of the last row of `hub.history`: how often it was made or adopted.
        epoch: its random id.
        moved: how one sees that the database was restored, copied or failed over since; None when it was not.
    """

    number: int
    epoch: str
    moved: str | None


def read_history(connection: Connection) -> History:
    """Compare the database's place with its history, in the caller's transaction.

    Raises:
        StoreError: when the server is a standby, or does not say which it is.
        StoreNotAdopted: when the database has no history.
    """
    with connection.cursor() as cursor:
        try:
            cursor.execute(COMPARE)
        except psycopg2.errors.InsufficientPrivilege:
            raise StoreError(
                "the hub's login may not ask the server which it is; as a superuser: grant execute on "
                "function pg_control_system(), pg_walfile_name(pg_lsn), pg_current_wal_lsn() to the login"
            ) from None
        return _history(cursor.fetchone())


def _history(row: tuple[Any, ...] | None) -> History:
    if row is None:
        raise StoreNotAdopted("the database does not say what it belongs to; run: oncehub init")
    number, epoch, standby, *differences = row
    if standby:
        raise StoreError("the hub's database is on a standby server; connect to its primary")
    moved = next((sign for sign, differs in zip(_SIGNS, differences, strict=True) if differs), None)
    return History(number, epoch, moved)


def require_own(connection: Connection) -> str:
    """Check that the database is where it was made or last adopted, and return its epoch.

    Raises:
        StoreNotAdopted: when it was restored, copied or failed over since; the message says what to do.
        StoreError: see `read_history`.
    """
    return _own(read_history(connection))


def require_place(row: tuple[Any, ...] | None) -> None:
    """Check as `require_own`, by the row that `COMPARE` gives.

    Raises:
        StoreError: as `require_own`.
    """
    _own(_history(row))


def _own(history: History) -> str:
    if history.moved:
        raise StoreNotAdopted(f"this is not the hub's own database as it was: {history.moved}; {REMEDY}")
    return history.epoch


def begin_history(cursor: Cursor) -> None:
    """Note, in the transaction that makes the database, what it belongs to; do nothing when that is known."""
    cursor.execute("select from hub.history limit 1")
    if cursor.fetchone() is None:
        cursor.execute(_BEGIN, {"actor": None, "reason": None})


def continue_history(cursor: Cursor, actor: str, reason: str) -> str:
    """Note within the caller's transaction that the database goes on where it is now; return the new epoch.

    Transactions are numbered from above the largest number that the database holds.
    """
    # Everybody who opens the database meanwhile waits for the outcome.
    cursor.execute("lock table hub.history in access exclusive mode")
    cursor.execute(_STORED)
    (stored,) = cursor.fetchone() or ("",)
    cursor.execute(_MISSING_OFFSET.format(stored=stored))
    (offset,) = cursor.fetchone() or (0,)
    cursor.execute("select last_value < %s from hub.transaction_offset", (offset,))
    if cursor.fetchone() == (True,):
        # Unlike setval, this belongs to the transaction.
        cursor.execute("alter sequence hub.transaction_offset restart with %s", (offset,))
        cursor.execute("select nextval('hub.transaction_offset')")
    cursor.execute(_BEGIN, {"actor": actor, "reason": reason})
    (epoch,) = cursor.fetchone() or ("",)
    return str(epoch)
