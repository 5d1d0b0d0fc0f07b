"""`oncehub person merge`, `unmerge`, `split` and `merges`: a clerk's decisions on who is one person."""

from __future__ import annotations

import sys
from typing import Annotated
from uuid import UUID

import typer

from oncehub.cli.links import NEXT
from oncehub.cli.options import Clerk, Json, PersonKey, Reason
from oncehub.cli.output import show
from oncehub.errors import ConfigError
from oncehub.reconcile.linking.merges import merge_decisions_of, merge_people, split_person, unmerge_person
from oncehub.reconcile.linking.overrides import DecidedBy, RecordKey
from oncehub.settings import load_settings

Records = Annotated[
    list[str], typer.Option("--record", help="A record as source.stream/key; may be repeated.")
]

_DECISIONS = (
    "merge_decision_id",
    "decided_at",
    "decided_by",
    "verdict",
    "person_key",
    "merged_into",
    "reason",
)


def merge(
    key: PersonKey,
    into: Annotated[UUID, typer.Argument(metavar="INTO", help="Key of the person that remains.")],
    *,
    by: Clerk,
    reason: Reason,
) -> None:
    """Merge two people into one: all records of PERSON become records of INTO."""
    number = merge_people(load_settings(), key, into, DecidedBy(by, reason))
    sys.stdout.write(f"decision {number}: {key} is merged into {into}\n{NEXT}")


def unmerge(key: PersonKey, *, by: Clerk, reason: Reason) -> None:
    """Undo the merge of a person into another."""
    number = unmerge_person(load_settings(), key, DecidedBy(by, reason))
    sys.stdout.write(f"decision {number}: {key} is a separate person again\n{NEXT}")


def split(
    key: PersonKey,
    record: Records,
    *,
    by: Clerk,
    reason: Reason,
    to: Annotated[
        UUID | None, typer.Option(help="Person to link the records to; else the hub finds one.")
    ] = None,
) -> None:
    """Unlink records that are not about a person: all of the records, or none of them."""
    records = [_record(each) for each in record]
    overrides = split_person(load_settings(), key, records, DecidedBy(by, reason), to=to)
    outcome = f"are about {to}" if to else f"are not about {key}"
    sys.stdout.write(f"overrides {', '.join(map(str, overrides))}: the records {outcome}\n{NEXT}")


def merges(key: PersonKey, as_json: Json = False) -> None:
    """Show the merge decisions about a person, the latest first."""
    rows = merge_decisions_of(load_settings(), key)
    show(rows, title="merge decisions", columns=(*_DECISIONS, "active"), as_json=as_json)


def _record(written: str) -> RecordKey:
    place, _, key = written.partition("/")
    source, _, stream = place.partition(".")
    if not (source and stream and key):
        raise ConfigError("--record must be source.stream/key, such as tax.registrations/TK0001")
    return RecordKey(source, stream, key)
