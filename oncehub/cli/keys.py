"""`oncehub keys`: the keys that encrypt stored values."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from oncehub.cli.options import Json
from oncehub.cli.output import show, write_json
from oncehub.encryption.rotation import keys_in_use, retire, rotate
from oncehub.settings import load_settings

app = typer.Typer(no_args_is_help=True)

_COLUMNS = ("key", "primary", "in_ring", "values")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the keys, and how many values each has encrypted."""
    rows = keys_in_use(load_settings())
    if as_json:
        write_json(rows)
        return
    content = [
        {"key": row.key, "primary": row.primary, "in_ring": row.in_ring, "values": sum(row.values.values())}
        for row in rows
    ]
    show(content, title="keys", columns=_COLUMNS)


@app.command("rotate")
def rotate_(
    resume: Annotated[
        bool, typer.Option("--resume", help="Add no key; only finish an interrupted rotation.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add a new key, and re-encrypt all stored values with it while the hub runs."""
    done = rotate(load_settings(), resume=resume, listener=_report)
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
    """Remove a key that no stored value needs, permanently."""
    retire(load_settings(), key)
    sys.stdout.write(f"the key {key} is removed\n")


def _report(table: str, values: int) -> None:
    sys.stderr.write(f"{table}: {values:,} re-encrypted\n")
