"""`oncehub link`: the link from a record to a person, and its overrides by clerks."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from oncehub.cli.naming import linked_to
from oncehub.cli.options import Clerk, Json, PersonKey, Reason, RecordKeyText, RecordSource, RecordStream
from oncehub.cli.output import show, write_json
from oncehub.encryption.blind_index import find_records
from oncehub.reconcile.linking.overrides import (
    DecidedBy,
    RecordKey,
    link_state_of,
    override_link,
    remove_link,
)
from oncehub.settings import load_settings
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

NEXT = "the next `oncehub reconcile` updates the golden record\n"

_OVERRIDES = ("override_id", "decided_at", "decided_by", "verdict", "person_key", "reason", "active")


@app.command("show")
def show_(source: RecordSource, stream: RecordStream, key: RecordKeyText, as_json: Json = False) -> None:
    """Show the person that a record is linked to, the method, and the overrides by clerks."""
    state = link_state_of(load_settings(), RecordKey(source, stream, key))
    if as_json:
        write_json(asdict(state))
        return
    sys.stdout.write(f"{source}.{stream}: {linked_to(state.link)}\n")
    rows = [asdict(each) for each in state.overrides]
    show(rows, title="overrides, the latest first", columns=_OVERRIDES)


@app.command("find")
def find_(
    attribute: Annotated[
        str, typer.Argument(help="An attribute with a blind index, such as bank_account.account_number.")
    ],
    as_json: Json = False,
) -> None:
    """Find the records with an encrypted value.

    The value is read from stdin, so that it does not appear in the history of the shell.
    """
    settings = load_settings()
    value = sys.stdin.readline().strip()
    with opened(settings) as connection, connection:
        found = find_records(settings, connection, attribute, value)
    rows = [{"stream": f"{source}.{stream}", "key": key} for source, stream, key in found]
    show(rows, title="records", columns=("stream", "key"), as_json=as_json)


@app.command("remove")
def remove(
    source: RecordSource, stream: RecordStream, key: RecordKeyText, *, by: Clerk, reason: Reason
) -> None:
    """Remove a wrong link at once and permanently: no run and no model links the two again."""
    number, person = remove_link(load_settings(), RecordKey(source, stream, key), DecidedBy(by, reason))
    sys.stdout.write(f"override {number}: the record is not about {person}\n{NEXT}")


@app.command("override")
def override(
    source: RecordSource,
    stream: RecordStream,
    key: RecordKeyText,
    person: PersonKey,
    *,
    by: Clerk,
    reason: Reason,
) -> None:
    """Link a record to a person, whatever identifiers the record has."""
    number = override_link(load_settings(), RecordKey(source, stream, key), person, DecidedBy(by, reason))
    sys.stdout.write(f"override {number}: the record is about {person}\n{NEXT}")
