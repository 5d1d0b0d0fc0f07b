"""Proves requests to the database: each carries a code by a key that no SQL can read.

The functions that read people, feeds, consents and cases answer to a proven request only, and write it to the
access log before they do; see `store/routines/share/asking.sql`. What is signed is the request itself, as the
text that is passed, so that no setting of a session changes it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import orjson
import psycopg2.errors
from psycopg2 import sql

from oncehub.audit.log.entries import Entry, columns_of
from oncehub.encryption.secrets import given_key
from oncehub.errors import StoreError
from oncehub.store.connection import Connection, Cursor

_BLOCK: Final = 64

# A key that another replaces is accepted for an hour: servers of the API are restarted one by one.
_PUT: Final = """
with added as (
    insert into share.request_key (blocks) values (%(blocks)s)
    on conflict (blocks) do update set valid_until = null where request_key.valid_until is not null
    returning blocks
)
update share.request_key set valid_until = now() + interval '1 hour'
where valid_until is null and blocks <> %(blocks)s and exists (select from added)
"""

UNPROVEN: Final = (
    "the database does not take the API's requests as proven: their key (ONCEHUB_KEY_REQUEST) is another one "
    "than `oncehub init` has put there, or the clocks of this machine and the database differ by a minute"
)

# Not taken, the statement fails and with it the transaction.
_WRITE: Final = "select 1 / (share.log(%(message)s, %(code)s) = 'written')::integer"

_PROVEN: Final = "select share.write(%(message)s, %(code)s)"

_INSERT: Final = """
insert into {table} ({columns})
select {columns} from jsonb_populate_recordset(null::{table}, %(rows)s::jsonb)
on conflict do nothing
"""

Kind = Literal["request", "lines", "rows"]

Table = Literal[
    "intake.submission",
    "share.assertion",
    "share.consent",
    "share.consent_evidence",
    "share.consent_withdrawal",
    "share.consumer_offset",
    "share.notice_response",
    "share.prefill",
    "share.request",
    "share.submission",
    "share.token_key",
    "share.used_evidence",
    "truth.correction_request",
    "truth.decision",
]
"""What `share.write` takes rows of."""


@dataclass(frozen=True)
class Signed:
    """A message of the API to the database, its code and its moment, in microseconds since 1970."""

    message: str
    code: bytes
    at: int


@dataclass(frozen=True)
class ProofKeys:
    """The keys of the API's process.

    Attributes:
        request: proves requests.
        pseudonym: names people in the access log; it is passed with each request and kept nowhere.
    """

    request: bytes = field(repr=False)
    pseudonym: bytes = field(repr=False)

    @cached_property
    def pseudonym_blocks(self) -> bytes:
        """The pseudonym key as the database computes with it."""
        return padded_blocks(self.pseudonym)

    @cached_property
    def pseudonym_digest(self) -> str:
        """By which a request is bound to the pseudonym key."""
        return hashlib.sha256(self.pseudonym_blocks).hexdigest()

    def sign(self, kind: Kind, request_id: UUID, content: Mapping[str, Any]) -> Signed:
        """Sign a message about a request; it is good once, for a minute."""
        at = time.time_ns() // 1000
        stated = {**content, "request_id": str(request_id), "at": at}
        message = orjson.dumps(stated)
        domain = f"oncehub {kind}\n".encode()
        return Signed(message.decode(), hmac.digest(self.request, domain + message, "sha256"), at)


_proving: ContextVar[tuple[ProofKeys, UUID] | None] = ContextVar("proving", default=None)


@contextmanager
def proving(keys: ProofKeys, request_id: UUID) -> Iterator[None]:
    """Prove what is written meanwhile as a part of a request; the API's login can write nothing else."""
    token = _proving.set((keys, request_id))
    try:
        yield
    finally:
        _proving.reset(token)


def insert(connection: Connection, table: Table, *rows: Mapping[str, Any]) -> dict[str, Any]:
    """Insert rows within the caller's transaction; one that is there already stays as it is.

    While the API answers a request they are proven, and the request must be open in the transaction; see
    `proving`. Otherwise they are inserted with the connection's own rights.

    Args:
        connection: in a transaction.
        table: of the rows.
        rows: each with the same columns.

    Returns:
        How many were `written`, and what else `share.write` says of them.

    Raises:
        StoreError: the database does not take them as proven, or as those of an open request.
    """
    stated = [{name: _stated(value) for name, value in row.items()} for row in rows]
    proof = _proving.get()
    with connection.cursor() as cursor:
        if proof is None:
            names = {
                "table": sql.Identifier(*table.split(".")),
                "columns": sql.SQL(", ").join(map(sql.Identifier, rows[0])),
            }
            cursor.execute(sql.SQL(_INSERT).format(**names), {"rows": orjson.dumps(stated).decode()})
            return {"written": cursor.rowcount}
        keys, request_id = proof
        signed = keys.sign("rows", request_id, {"into": table, "rows": stated})
        cursor.execute(_PROVEN, {"message": signed.message, "code": signed.code})
        ((result,),) = cursor.fetchall()
    if result is None:
        raise StoreError(UNPROVEN)
    written: dict[str, Any] = result
    return written


def _stated(value: Any) -> Any:
    """Return a value as JSON that PostgreSQL reads as the column's type."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value


def padded_blocks(key: bytes) -> bytes:
    """Return the two padded blocks of an HMAC key (RFC 2104), the inner one first."""
    whole = key.ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in whole) + bytes(byte ^ 0x5C for byte in whole)


def put_request_key(cursor: Cursor, home: Path) -> None:
    """Let the database verify requests by the key that the hub has, where this process is given it.

    Another key than so far replaces it: that is accepted for an hour more.
    """
    key = given_key("request", home)
    if key is not None:
        cursor.execute(_PUT, {"blocks": padded_blocks(key)})


def write_proven(connection: Connection, keys: ProofKeys, *entries: Entry, commit: bool = False) -> None:
    """Append entries of one request to the access log, by the API's login, in the caller's transaction.

    Args:
        connection: in a transaction.
        keys: that the lines are proven by.
        entries: one at least, all of one request; the database takes lines of a request once.
        commit: end the transaction in the same message.

    Raises:
        StoreError: the database does not take them as proven; nothing was committed.
    """
    lines = [columns_of(entry) for entry in entries]
    _write(connection, keys.sign("lines", entries[0].request_id, {"lines": lines}), commit=commit)


def require_proof_keys(connection: Connection, keys: ProofKeys) -> None:
    """Check that the database takes what the keys prove; writes nothing.

    Raises:
        StoreError: when it does not.
    """
    with connection:
        _write(connection, keys.sign("lines", uuid4(), {"lines": []}))


def _write(connection: Connection, signed: Signed, *, commit: bool = False) -> None:
    end = "; commit" if commit else ""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE + end, {"message": signed.message, "code": signed.code})
    except psycopg2.errors.DivisionByZero:
        raise StoreError(UNPROVEN) from None
