"""Submitted records: they wait encrypted, and leave the queue in the transaction that lands them."""

from __future__ import annotations

import base64
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from oncehub.connect.formats.unreadable import Unreadable
from oncehub.connect.page import Page
from oncehub.connect.resume_token import ResumeToken
from oncehub.connect.stream.window import Window
from oncehub.encryption.cipher import Ciphers, use_keys
from oncehub.encryption.payloads import submitted_place
from oncehub.errors import DecryptionFailed
from oncehub.settings import Settings
from oncehub.store.connection import Connection, Cursor
from oncehub.store.migrate import opened

NOT_SUBMITTED: Final = "was not encrypted by the hub for this place in the queue"
"""Why a row of the queue is rejected that only somebody with a database login can have written."""

NO_JSON: Final = "is no JSON that the hub reads"
"""Why one is rejected that only somebody with the hub's keys can have written."""

_PAGE: Final = 500
_MOST_BYTES: Final = 1 << 20

_NEXT_PAGE = """
select
    number, token::text, left(key_id, 100), case when length(payload) <= %(most)s then payload end,
    encode(sha256(payload), 'hex')
from intake.submission
where source = %(source)s and stream = %(stream)s and number > %(after)s
order by number
limit %(limit)s
"""

_REMOVE = "delete from intake.submission where number = any (%s)"


class Outbox:
    """Encrypts the submitted records of one stream for the queue."""

    def __init__(self, settings: Settings, source: str, stream: str) -> None:
        self._home = settings.home
        self._names = (source, stream)

    def rows(self, cursor: Cursor, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows of `intake.submission` by which records wait to be landed.

        Args:
            cursor: of the transaction that inserts them.
            records: as they were submitted.
        """
        ciphers = use_keys(cursor, self._home)
        rows: list[dict[str, Any]] = []
        for record in records:
            token = str(uuid.uuid4())
            payload = ciphers.primary.encrypt(orjson.dumps(record), submitted_place(*self._names, token))
            source, stream = self._names
            row = {"source": source, "stream": stream, "token": token}
            rows.append(row | {"key_id": ciphers.primary_id, "payload": payload})
        return rows


class SubmittedRecords:
    """The submitted records of one stream that wait to be landed, in pages like those of a source.

    It reads ahead on a connection of its own. A record that commits meanwhile with a lower number waits for
    the next run, since only the records of the pages are removed.
    """

    def __init__(self, settings: Settings, source: str, stream: str) -> None:
        self._settings = settings
        self._names = (source, stream)
        self._yielded: deque[int] = deque()

    def pages(
        self, _stream: str, _window: Window, _resume: Mapping[str, Any] | None = None
    ) -> Iterator[Page]:
        """Yield the records that wait, in the order in which they came; an interrupted run starts again.

        A row that the hub has not written so, or that was altered or moved, is an `Unreadable`.

        Raises:
            KeyMissing: when a key that the hub has used is not there.
        """
        after, number = 0, 1
        with opened(self._settings) as connection:
            while True:
                waiting = self._after(connection, after)
                records = list(waiting.values())
                self._yielded.extend(waiting)
                after = max(waiting, default=after)
                last = len(records) < _PAGE
                yield Page(records, None if last else ResumeToken(), number, total=None)
                if last:
                    return
                number += 1

    def remove(self, connection: Connection, count: int) -> None:
        """Remove the first `count` records of the pages, within the transaction that has landed them."""
        numbers = [self._yielded.popleft() for _ in range(count)]
        with connection.cursor() as cursor:
            cursor.execute(_REMOVE, (numbers,))

    def _after(self, connection: Connection, number: int) -> dict[int, Any]:
        source, stream = self._names
        values = {"source": source, "stream": stream, "after": number, "limit": _PAGE, "most": _MOST_BYTES}
        with connection, connection.cursor() as cursor:
            ciphers = use_keys(cursor, self._settings.home)
            cursor.execute(_NEXT_PAGE, values)
            return {
                number: _opened(ciphers, key_id, payload, digest, (source, stream, token))
                for number, token, key_id, payload, digest in cursor.fetchall()
            }


def _opened(
    ciphers: Ciphers, key_id: str, payload: memoryview | None, digest: str, place: tuple[str, str, str]
) -> Any:
    """Return the submitted record; what the hub did not encrypt is kept as it is, the too long by digest."""
    reason = NOT_SUBMITTED
    if payload is not None and key_id in ciphers.by_id:
        try:
            return orjson.loads(ciphers.under(key_id).decrypt(bytes(payload), submitted_place(*place)))
        except DecryptionFailed:
            pass
        except orjson.JSONDecodeError:
            reason = NO_JSON
    stored = None if payload is None else base64.b64encode(payload).decode()
    kept = {"key_id": key_id, "sha256": digest, "payload": stored}
    return Unreadable(reason, orjson.dumps(kept).decode())
