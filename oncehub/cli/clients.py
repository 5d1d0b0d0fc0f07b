"""`oncehub client`: the agencies' clients and their keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from oncehub.model.errors import ConfigError
from oncehub.model.settings import load_settings
from oncehub.share.consumers import add_consumer, new_client_key, revoke_consumer
from oncehub.store.connection import opened

app = typer.Typer(no_args_is_help=True, help="The agencies' clients and their keys.")


@app.command("new-key")
def new_key(path: Annotated[Path, typer.Argument(help="Where the private key goes (mode 0600).")]) -> None:
    """Make an agency's key pair; print the public JWK to register."""
    sys.stdout.write(orjson.dumps(new_client_key(path)).decode() + "\n")


@app.command("add")
def add(
    client_id: str,
    agreement: Annotated[str, typer.Option(help="Name of the agreement its tokens are bound to.")],
    public_key: Annotated[Path, typer.Option(help="File with the public JWK.")],
) -> None:
    """Register a client, or give it another key."""
    try:
        jwk = orjson.loads(public_key.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"{public_key}: is no public JWK: {error}") from None
    with opened(load_settings()) as connection:
        add_consumer(connection, client_id, agreement, jwk)


@app.command("revoke")
def revoke(client_id: str) -> None:
    """Refuse a client from now on."""
    with opened(load_settings()) as connection:
        revoke_consumer(connection, client_id)
