"""`oncehub link`: whom a record is linked to, and a clerk's word on it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from oncehub.cli.naming import linked_to
from oncehub.cli.output import Json, show, write_json
from oncehub.encryption.blind_index import find_records
from oncehub.reconcile.linking.overrides import RecordKey, Word, break_link, set_link, standing_of
from oncehub.settings import load_settings
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True, help="Whom a record is linked to, and a clerk's word on it.")

Source = Annotated[str, typer.Argument(help="Source of the record.")]
Stream = Annotated[str, typer.Argument(help="Its stream.")]
Key = Annotated[str, typer.Argument(help="Its key in that stream.")]
Person = Annotated[UUID, typer.Argument(help="Key of a person, as `oncehub link show` tells it.")]
Clerk = Annotated[str, typer.Option("--by", help="Name of the clerk who decides; kept for good.")]
Reason = Annotated[str, typer.Option(help="Why; kept for good.")]

_RULINGS = ("ruling_id", "ruled_at", "ruled_by", "verdict", "person_key", "reason", "stands")


@app.command("show")
def show_(source: Source, stream: Stream, key: Key, as_json: Json = False) -> None:
    """Show whom a record is linked to, by what, and what clerks have said of it."""
    standing = standing_of(load_settings(), RecordKey(source, stream, key))
    if as_json:
        write_json(asdict(standing))
        return
    sys.stdout.write(f"{source}.{stream}: {linked_to(standing.link)}\n")
    rows = [asdict(each) for each in standing.rulings]
    show(rows, title="rulings, the latest first", columns=_RULINGS, as_json=False)


@app.command("find")
def find_(
    attribute: Annotated[str, typer.Argument(help="One with a blind index, as bank_account.account_number.")],
    as_json: Json = False,
) -> None:
    """Find the records that state an encrypted value, read from stdin so that no shell remembers it."""
    settings = load_settings()
    value = sys.stdin.readline().strip()
    with opened(settings) as connection, connection:
        found = find_records(settings, connection, attribute, value)
    rows = [{"stream": f"{source}.{stream}", "key": key} for source, stream, key in found]
    show(rows, title="records", columns=("stream", "key"), as_json=as_json)


@app.command("break")
def break_(source: Source, stream: Stream, key: Key, *, by: Clerk, reason: Reason) -> None:
    """Break a wrong link at once, for good: no run and no model links the two again."""
    number, person = break_link(load_settings(), RecordKey(source, stream, key), Word(by, reason))
    sys.stdout.write(f"ruling {number}: the record does not speak of {person}\n{NEXT}")


@app.command("set")
def set_(source: Source, stream: Stream, key: Key, person: Person, *, by: Clerk, reason: Reason) -> None:
    """Say whom a record speaks of, whatever it states."""
    number = set_link(load_settings(), RecordKey(source, stream, key), person, Word(by, reason))
    sys.stdout.write(f"ruling {number}: the record speaks of {person}\n{NEXT}")


NEXT = "what is believed follows with the next `oncehub reconcile`\n"
