"""`oncehub client`: the API clients of agencies and their keys."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from oncehub.cli.options import MOMENT, Json, moment
from oncehub.cli.output import show
from oncehub.errors import ConfigError
from oncehub.files import MOST_KEY_BYTES, read_bounded
from oncehub.settings import Settings, load_settings
from oncehub.share.agreements.catalogue import find_agreement, load_agreements
from oncehub.share.clients.clients import (
    add_client,
    agreement_of,
    list_clients,
    new_client_key,
    revoke_client,
)
from oncehub.share.clients.keys import (
    PublicJwk,
    add_key,
    give_up_key,
    list_keys,
    read_public_key,
    require_pinned,
    retire_key,
)
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

_CLIENT = ("client_id", "agreement", "keys", "until", "fault")
_KEY = ("client_id", "thumbprint", "state", "valid_from", "valid_until")

PublicKey = Annotated[Path, typer.Option(help="File with the public JWK.")]
Until = Annotated[
    datetime | None,
    typer.Option(
        "--until", formats=MOMENT, help="When the key expires; a year after its start unless given."
    ),
]
Thumbprint = Annotated[
    str, typer.Argument(help="Thumbprint of the key (RFC 7638), as shown by `oncehub client keys`.")
]


@app.command("new-key")
def new_key(path: Annotated[Path, typer.Argument(help="File for the private key (mode 0600).")]) -> None:
    """Generate a key pair for an agency, and print the public JWK to register."""
    sys.stdout.write(orjson.dumps(new_client_key(path)).decode() + "\n")


@app.command("thumbprint")
def thumbprint(public_key: Annotated[Path, typer.Argument(help="File with the public JWK.")]) -> None:
    """Print the thumbprint of a key (RFC 7638): the kid of assertions, and the entry in an agreement."""
    sys.stdout.write(read_public_key(_jwk(public_key)).thumbprint() + "\n")


@app.command("add")
def add(
    client_id: str,
    agreement: Annotated[str, typer.Option(help="Name of the agreement its tokens are bound to.")],
    public_key: PublicKey,
    until: Until = None,
) -> None:
    """Register a client; for a known client this ends all other keys, `add-key` keeps them."""
    jwk, settings = _jwk(public_key), load_settings()
    require_pinned(find_agreement(settings, agreement), read_public_key(jwk).thumbprint())
    with opened(settings) as connection:
        add_client(connection, client_id, agreement, jwk, end=moment(until))


@app.command("add-key")
def add_key_(
    client_id: str,
    public_key: PublicKey,
    start: Annotated[
        datetime | None,
        typer.Option("--from", formats=MOMENT, help="When it becomes valid; now unless given."),
    ] = None,
    until: Until = None,
) -> None:
    """Add a key to those of a client, and print its thumbprint."""
    jwk, settings = _jwk(public_key), load_settings()
    with opened(settings) as connection:
        agreement = find_agreement(settings, agreement_of(connection, client_id))
        require_pinned(agreement, read_public_key(jwk).thumbprint())
        added = add_key(connection, client_id, jwk, start=moment(start), end=moment(until))
    sys.stdout.write(f"{added}\n")


# One thumbprint in 64 starts with a dash, like an option.
@app.command("retire-key", context_settings={"ignore_unknown_options": True})
def retire_key_(
    client_id: str,
    thumbprint: Thumbprint,
    at: Annotated[
        datetime | None, typer.Option(formats=MOMENT, help="When the key ends; now unless given.")
    ] = None,
    leaked: Annotated[
        bool, typer.Option("--leaked", help="The key is compromised: refuse it now and permanently.")
    ] = False,
) -> None:
    """End a key, and the tokens that were issued for it."""
    if leaked and at:
        raise ConfigError("a leaked key ends now; leave --at out")
    settings = load_settings()
    with opened(settings) as connection:
        if leaked:
            give_up_key(connection, thumbprint)
        else:
            retire_key(connection, client_id, thumbprint, moment=moment(at))
        _warn_without_key(settings, connection, client_id)


@app.command("keys")
def keys(
    client_id: Annotated[str | None, typer.Argument(help="All clients unless given.")] = None,
    as_json: Json = False,
) -> None:
    """List the keys of clients, expired ones too."""
    with opened(load_settings()) as connection:
        rows = list_keys(connection, client_id)
    show(rows, title="keys", columns=_KEY, as_json=as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the clients, and those that have no valid key now or soon."""
    settings = load_settings()
    with opened(settings) as connection:
        rows = list_clients(connection, load_agreements(settings))
    show(rows, title="clients", columns=_CLIENT, as_json=as_json)


@app.command("revoke")
def revoke(client_id: str) -> None:
    """Revoke a client: its requests are refused from now on."""
    with opened(load_settings()) as connection:
        revoke_client(connection, client_id)


def _warn_without_key(settings: Settings, connection: Connection, client_id: str) -> None:
    for client in list_clients(connection, load_agreements(settings)):
        if client.client_id == client_id and client.until is None:
            sys.stdout.write(f"{client_id} can no longer request tokens: {client.fault}\n")


def _jwk(path: Path) -> PublicJwk:
    try:
        jwk: Any = orjson.loads(read_bounded(path, MOST_KEY_BYTES))
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path}: is not a public JWK: {error}") from None
    return dict(jwk) if isinstance(jwk, dict) else {}
