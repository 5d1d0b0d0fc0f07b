"""What leaves the hub starts here: each change of what is believed, written with the change itself."""

from __future__ import annotations

from oncehub.store.connection import Cursor
from oncehub.store.statements import statement


def announce(cursor: Cursor) -> int:
    """Append the changes of this run to `share.change` and return their number.

    A person whose values stand and only rest on another or a younger statement is not told of.
    """
    cursor.execute(statement(__name__, "outbox"))
    return cursor.rowcount
