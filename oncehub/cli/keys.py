"""`oncehub keys`: the ring, and the data keys that encrypt stored values."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from oncehub.cli.options import Json
from oncehub.cli.output import show, write_json
from oncehub.encryption.rotation import keys_in_use, reencrypt, retire, rotate
from oncehub.settings import load_settings

app = typer.Typer(no_args_is_help=True)

_COLUMNS = ("key", "kind", "primary", "present", "wraps", "values")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the ring's keys with the data keys that they open, and how many values each data key encrypts."""
    rows = keys_in_use(load_settings())
    if as_json:
        write_json(rows)
        return
    content = [vars(row) | {"wraps": " ".join(row.wraps), "values": sum(row.values.values())} for row in rows]
    show(content, title="keys", columns=_COLUMNS)


@app.command("rotate")
def rotate_(
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Add no key; only wrap the data keys under the ring's primary key."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Add a new key to the ring, and wrap the data keys under it; no value is touched."""
    wrapped = rotate(load_settings(), resume=resume)
    if as_json:
        write_json({"data_keys": wrapped})
    else:
        sys.stdout.write(f"{wrapped} data key(s) wrapped under the ring's primary key\n")


@app.command("reencrypt")
def reencrypt_(as_json: Json = False) -> None:
    """Re-encrypt all stored values under a new data key: one was leaked, or an upgrade asks for it.

    Landing, reconciling and publishing wait for the end: stop the DAGs. A repeat continues what was
    interrupted.
    """
    done = reencrypt(load_settings(), listener=_report)
    if as_json:
        write_json(done)
    else:
        show(
            [{"table": name, "values": count} for name, count in done.items()],
            title="re-encrypted",
            columns=("table", "values"),
        )


@app.command("retire")
def retire_(
    key: Annotated[str, typer.Argument(help="Id of the key, as shown by `oncehub keys list`.")],
) -> None:
    """Remove a key of the ring that no data key needs, permanently."""
    retire(load_settings(), key)
    sys.stdout.write(f"the key {key} is removed\n")


def _report(table: str, values: int) -> None:
    sys.stderr.write(f"{table}: {values:,} re-encrypted\n")
