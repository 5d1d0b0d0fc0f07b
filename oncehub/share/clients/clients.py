"""The agencies' clients: the agreement each is bound to, and whether it can call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import OKPKey

from oncehub.clock import VIETNAM
from oncehub.config.agreements import Agreement
from oncehub.errors import ConfigError
from oncehub.files import create_whole
from oncehub.share.clients.keys import ClientKey, PublicJwk, list_keys, valid_until, write_key
from oncehub.store.connection import Connection

WARN_BEFORE = timedelta(days=30)
"""How long before a client's last key ends it is warned of."""

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_ADD = """
insert into share.client (client_id, agreement) values (%s, %s)
on conflict (client_id) do update set agreement = excluded.agreement, revoked_at = null
"""

_END_ALL = """
update share.client_key set valid_until = now() where client_id = %s and valid_until > now()
"""

_CLIENTS = "select client_id, agreement, revoked_at is not null from share.client order by client_id"


@dataclass(frozen=True)
class Client:
    """A client and whether it can call.

    Attributes:
        keys: how many are valid now.
        until: when the last of its keys ends; None where none is valid.
        fault: why it cannot call, or soon will not; None where all is well.
    """

    client_id: str
    agreement: str
    keys: int
    until: datetime | None
    fault: str | None


def add_client(
    database: Connection,
    client_id: str,
    agreement: str,
    public_jwk: PublicJwk,
    *,
    end: datetime | None = None,
) -> None:
    """Register a client of an agreement, or reset it: the key is its only one from now on.

    A revoked client is admitted again. `add_key` gives a further key instead.

    Raises:
        ConfigError: when the identifier or the key is unfit, or the key is private; see `add_key`.
    """
    if not _CLIENT_ID.fullmatch(client_id):
        raise ConfigError("a client id is up to 64 letters, digits, dots, dashes and underscores")
    with database, database.cursor() as cursor:
        cursor.execute(_ADD, (client_id, agreement))
        cursor.execute(_END_ALL, (client_id,))
        write_key(cursor, client_id, public_jwk, end=end)


def revoke_client(database: Connection, client_id: str) -> None:
    """Refuse a client from now on, tokens it already holds included.

    Raises:
        ConfigError: when no such client is admitted.
    """
    with database, database.cursor() as cursor:
        cursor.execute(
            "update share.client set revoked_at = now() where client_id = %s and revoked_at is null",
            (client_id,),
        )
        if cursor.rowcount == 0:
            raise ConfigError(f"no client {client_id!r} is admitted")


def agreement_of(database: Connection, client_id: str) -> str:
    """Return the name of the agreement that an admitted client is bound to.

    Raises:
        ConfigError: when no such client is admitted.
    """
    with database, database.cursor() as cursor:
        cursor.execute(
            "select agreement from share.client where client_id = %s and revoked_at is null", (client_id,)
        )
        row = cursor.fetchone()
    if row is None:
        raise ConfigError(f"no client {client_id!r} is admitted; `oncehub client add` admits one")
    return str(row[0])


def list_clients(database: Connection, agreements: Mapping[str, Agreement]) -> list[Client]:
    """Return every client, revoked ones too, by name, and what keeps it from calling."""
    with database, database.cursor() as cursor:
        cursor.execute(_CLIENTS)
        rows = cursor.fetchall()
    keys = {client: list(own) for client, own in groupby(list_keys(database), key=lambda key: key.client_id)}
    return [
        _client(client_id, name, keys.get(client_id, []), agreements.get(name), revoked=revoked)
        for client_id, name, revoked in rows
    ]


def new_client_key(path: Path) -> PublicJwk:
    """Make an Ed25519 key pair; write the private key to `path` (PKCS #8 PEM, 0600), return the public JWK.

    Raises:
        ConfigError: when the file exists or cannot be written; a key is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    try:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        create_whole(path, pem, mode=0o600)
    except FileExistsError:
        raise ConfigError(f"{path}: holds a key already; choose another path") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    return dict(OKPKey.import_key(key.public_key()).as_dict(private=False))


def _client(
    client_id: str, name: str, keys: list[ClientKey], agreement: Agreement | None, *, revoked: bool
) -> Client:
    usable = [key for key in keys if agreement is None or agreement.admits(key.thumbprint)]
    until = valid_until(usable)
    valid = sum(key.state == "valid" for key in usable)
    return Client(client_id, name, valid, until, _fault(agreement, keys, until, revoked=revoked))


def _fault(
    agreement: Agreement | None, keys: list[ClientKey], until: datetime | None, *, revoked: bool
) -> str | None:
    now = datetime.now(VIETNAM)
    if revoked:
        return "revoked"
    if agreement is None:
        return "its agreement is not kept"
    if not agreement.in_force(now.date()):
        return "its agreement is not in force"
    if until is None:
        valid = any(key.state == "valid" for key in keys)
        return "no key that its agreement names" if valid else "no valid key"
    if until - now <= WARN_BEFORE:
        return f"its last key ends in {(until - now).days} days; add another"
    return None
