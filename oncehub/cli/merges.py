"""`oncehub person join`, `unjoin`, `split` and `joins`: a clerk's word on who is one person."""

from __future__ import annotations

import sys
from typing import Annotated
from uuid import UUID

import typer

from oncehub.cli.links import NEXT, Clerk, Reason
from oncehub.cli.output import Json, show
from oncehub.cli.person import PersonKey
from oncehub.errors import ConfigError
from oncehub.reconcile.linking.merges import join_people, joinings_of, split_person, take_apart
from oncehub.reconcile.linking.overrides import RecordKey, Word
from oncehub.settings import load_settings

Records = Annotated[list[str], typer.Option("--record", help="source.stream/key; may be repeated.")]

_JOININGS = ("joining_id", "decided_at", "decided_by", "verdict", "person_key", "into_person", "reason")


def join(
    key: PersonKey,
    into: Annotated[UUID, typer.Argument(metavar="INTO", help="Who survives.")],
    *,
    by: Clerk,
    reason: Reason,
) -> None:
    """Say that two people of the register are one: all that is KEY's becomes INTO's."""
    number = join_people(load_settings(), key, into, Word(by, reason))
    sys.stdout.write(f"decision {number}: {key} is {into}\n{NEXT}")


def unjoin(key: PersonKey, *, by: Clerk, reason: Reason) -> None:
    """Say that somebody who was joined to another is a person of their own after all."""
    number = take_apart(load_settings(), key, Word(by, reason))
    sys.stdout.write(f"decision {number}: {key} is a person of their own\n{NEXT}")


def split(
    key: PersonKey,
    record: Records,
    *,
    by: Clerk,
    reason: Reason,
    to: Annotated[UUID | None, typer.Option(help="Whom they speak of; else the hub looks by itself.")] = None,
) -> None:
    """Say that records drawn to a person do not speak of them: all of the records named, or none."""
    records = [_record(each) for each in record]
    rulings = split_person(load_settings(), key, records, Word(by, reason), to=to)
    told = f"speak of {to}" if to else f"do not speak of {key}"
    sys.stdout.write(f"rulings {', '.join(map(str, rulings))}: the records {told}\n{NEXT}")


def joins(key: PersonKey, as_json: Json = False) -> None:
    """Show what clerks have said of a person and others, the latest first."""
    rows = joinings_of(load_settings(), key)
    show(rows, title="joined and taken apart", columns=(*_JOININGS, "stands"), as_json=as_json)


def _record(written: str) -> RecordKey:
    place, _, key = written.partition("/")
    source, _, stream = place.partition(".")
    if not (source and stream and key):
        raise ConfigError("--record: write source.stream/key, such as tax.registrations/…")
    return RecordKey(source, stream, key)
