"""`oncehub keys`: the ring of keys that stored data is encrypted with."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from oncehub.cli.output import Json, show, write_json
from oncehub.encryption.rotation import keys_in_use, retire, rotate
from oncehub.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="The keys that stored data is encrypted with.")

_COLUMNS = ("key", "primary", "held", "values")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the keys by id, and how many values are sealed with each."""
    rows = keys_in_use(load_settings())
    if as_json:
        write_json(rows)
        return
    content = [
        {"key": row.key, "primary": row.primary, "held": row.held, "values": sum(row.values.values())}
        for row in rows
    ]
    show(content, title="keys", columns=_COLUMNS, as_json=False)


@app.command("rotate")
def rotate_(
    resume: Annotated[
        bool, typer.Option("--resume", help="Add no key: only go on with what an earlier one left.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let a new key seal from now on, and seal everything anew with it, while the hub runs."""
    done = rotate(load_settings(), resume=resume, listener=_tell)
    if as_json:
        write_json(done)
    else:
        show(
            [{"table": name, "values": count} for name, count in done.items()],
            title="sealed anew",
            columns=("table", "values"),
            as_json=False,
        )


@app.command("retire")
def retire_(key: Annotated[str, typer.Argument(help="As `oncehub keys list` tells it.")]) -> None:
    """Take a key that nothing is sealed with any more out of the ring, for good."""
    retire(load_settings(), key)
    sys.stdout.write(f"the key {key} is gone\n")


def _tell(table: str, values: int) -> None:
    sys.stderr.write(f"{table}: {values:,} sealed anew\n")
