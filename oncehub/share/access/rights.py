"""Compares the rights in the hub's database with those that it should have, and takes others away.

`rights.txt` lists what the logins of the API and of signing may do, each as `grant` words it. Whatever else
roles other than the owner have is a finding: a grant to them or to everybody, a membership, an attribute of a
login, an object of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import psycopg2.errors

from oncehub.errors import StoreOutdated
from oncehub.store.connection import Connection, Cursor
from oncehub.store.statements import statement

_ATTRIBUTES: Final = ("superuser", "createrole", "createdb", "replication", "bypassrls", "inherit")

# A right that a deployment may have: `deploy/bootstrap.sql` grants them where everybody has lost them.
_OPTIONAL: Final = frozenset(
    f"{right} to {login}"
    for login in ("oncehub_api", "oncehub_signing")
    for right in (
        "execute on function pg_catalog.pg_control_system()",
        "execute on function pg_catalog.pg_current_wal_lsn()",
        "execute on function pg_catalog.pg_walfile_name(pg_lsn)",
    )
)
_CONNECT: Final = "connect on database "


@dataclass(frozen=True)
class RightsDiffer:
    """How the rights differ from what they should be, each as `grant` words it, sorted.

    Attributes:
        beyond: rights that are not due.
        lacking: rights that are missing.
    """

    beyond: tuple[str, ...]
    lacking: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether they differ."""
        return bool(self.beyond or self.lacking)

    def __str__(self) -> str:
        """Each difference, for an administrator."""
        return "; ".join(
            [f"not due: {right}" for right in self.beyond] + [f"missing: {right}" for right in self.lacking]
        )


@cache
def due_rights() -> frozenset[str]:
    """Return the rights that the database should have, as `rights.txt` lists them."""
    text = (resources.files(__package__) / "rights.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def compare_rights(cursor: Cursor) -> RightsDiffer:
    """Compare the database's rights with those that are due."""
    cursor.execute("set local search_path = ''")
    cursor.execute(statement(__name__, "rights"))
    found = {right for (right,) in cursor.fetchall()}
    cursor.execute("set local search_path to default")
    beyond = {right for right in found - due_rights() - _OPTIONAL if not right.startswith(_CONNECT)}
    return RightsDiffer(tuple(sorted(beyond)), tuple(sorted(due_rights() - found)))


def restore_rights(cursor: Cursor) -> list[str]:
    """Take away rights that are not due and grant those that are missing; return what was changed.

    What the session may not change stays as it is; `require_rights` names it.
    """
    differ = compare_rights(cursor)
    taken = [right for right in differ.beyond if _done(cursor, _revoking(right))]
    lacking = compare_rights(cursor).lacking if taken else differ.lacking
    return taken + [right for right in lacking if _done(cursor, _granting(right))]


def require_rights(connection: Connection) -> None:
    """Check that the rights are those that are due.

    Raises:
        StoreOutdated: naming each that is not due, and each that is missing.
    """
    with connection, connection.cursor() as cursor:
        differ = compare_rights(cursor)
    if differ:
        raise StoreOutdated(
            f"rights in the hub's database are not what they should be ({differ}); run: oncehub agreements "
            "apply; what it cannot change, a superuser of the server changes"
        )


def _granting(right: str) -> str | None:
    attribute = right.rpartition(" ")[2]
    return None if attribute in _ATTRIBUTES else f"grant {right}"


def _revoking(right: str) -> str | None:
    """Return the statement that takes a right away; None where there is none for all of its kind."""
    login, _, attribute = right.rpartition(" ")
    if attribute in _ATTRIBUTES:
        return f"alter role {login} no{attribute}"
    if right.startswith(("ownership ", "default ")):
        return None
    granted, _, grantee = right.rpartition(" to ")
    return f"revoke {granted} from {grantee}"


def _done(cursor: Cursor, change: str | None) -> bool:
    """Run a statement that the session may lack the right for; return whether it has run."""
    if change is None:
        return False
    cursor.execute("savepoint rights")
    try:
        cursor.execute(change)
    except psycopg2.errors.InsufficientPrivilege:
        cursor.execute("rollback to savepoint rights")
        return False
    cursor.execute("release savepoint rights")
    return True
