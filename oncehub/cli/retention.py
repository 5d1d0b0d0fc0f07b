"""`oncehub retention`: retention periods, purges and their proofs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from oncehub.audit.signing.keys import keys_to_trust
from oncehub.audit.signing.purge_proofs import find_tampered_proof, unsigned_proofs
from oncehub.cli.options import Json
from oncehub.cli.output import show, show_one
from oncehub.settings import load_settings
from oncehub.share.retention.purge import purge, retention_status
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

_COLUMNS = ("kind", "keep_days", "due", "horizon", "because")
_TAMPERED = 1


@app.command("status")
def status(as_json: Json = False) -> None:
    """Show how long each kind of data is kept, and how much is due to be purged."""
    show(retention_status(load_settings()), title="retention", columns=_COLUMNS, as_json=as_json)


@app.command("purge")
def purge_(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show how much is due.")] = False,
    as_json: Json = False,
) -> None:
    """Purge what is due, in batches with a proof each; an interrupted purge resumes next time.

    The next checkpoint of the access log signs the proofs.
    """
    if dry_run:
        status(as_json)
        return
    show_one(purge(load_settings()), title="purged", as_json=as_json)


@app.command("verify")
def verify(
    trust: Annotated[
        Path | None, typer.Option(help="JWK set of trusted keys, as printed by `oncehub audit keys`.")
    ] = None,
) -> None:
    """Verify that no proof was changed, removed or added; status 1 and the first one if any was."""
    settings = load_settings()
    trusted = keys_to_trust(settings.home, trust)
    with opened(settings) as connection, connection:
        tampered = find_tampered_proof(connection, trusted)
        unsigned = unsigned_proofs(connection)
    waiting = f"; {unsigned} are not signed yet" if unsigned else ""
    sys.stdout.write(f"{tampered}\n" if tampered else f"all proofs are valid{waiting}\n")
    if tampered:
        raise typer.Exit(_TAMPERED)
