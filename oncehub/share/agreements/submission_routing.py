"""Where an agreement's submissions go: a submitted stream of the agency's source."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import orjson

from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_connector
from oncehub.config.entities import qualified, unqualified
from oncehub.errors import Fault, SubmissionInvalid
from oncehub.intake.submissions import Outbox
from oncehub.normalize.batch import Batch
from oncehub.normalize.normalizer import Normalizer, load_normalizer
from oncehub.settings import Settings
from oncehub.share.request_proofs import insert
from oncehub.store.connection import Connection

Record = dict[str, Any]


class Desk:
    """Makes records of what was stated, and leaves those to be landed of which the mapping makes something.

    Contract and mapping are read when first needed; `oncehub check` tells what is wrong with them.
    """

    def __init__(self, settings: Settings, source: str, stream: str) -> None:
        self._settings = settings
        self._names = (source, stream)
        self._outbox = Outbox(settings, source, stream)
        # A contract's gate remembers what it has let through.
        self._lock = threading.Lock()

    def records(
        self, search: Mapping[str, str], stated: Mapping[str, Any], *, submission: str, procedure: str
    ) -> dict[str, Record]:
        """Make a record of every attribute that is stated and that the stream keeps, as of now.

        Args:
            search: whom the agency named: qualified attribute -> value.
            stated: qualified attribute -> value.
            submission: the request whose form is answered.
            procedure: whose form it is.

        Returns:
            Records by qualified attribute.

        Raises:
            SubmissionInvalid: when one would not land; its place is the attribute.
            ConfigError: when contract or mapping of the stream are wrong.
        """
        named = {unqualified(name): value for name, value in search.items()}
        about = ";".join(f"{name}={value}" for name, value in sorted(named.items()))
        now = datetime.now(UTC).isoformat()
        made = {
            attribute: {
                "about": about,
                "named": named,
                "attribute": unqualified(attribute),
                "submission": submission,
                "procedure": procedure,
                "submitted_at": now,
                "value": {unqualified(attribute): value},
            }
            for attribute, value in stated.items()
        }
        with self._lock:
            batch = self._normalizer.normalize(list(made.values()))
        if batch.rejected:
            raise SubmissionInvalid([_fault(each.payload, each.reason) for each in batch.rejected])
        return {name: record for name, record in made.items() if _kept(batch, record)}

    @cached_property
    def _normalizer(self) -> Normalizer:
        source, stream = self._names
        return load_normalizer(self._settings, load_connector(self._settings, source), stream)

    def submit(self, connection: Connection, records: Sequence[Record]) -> None:
        """Leave records to be landed, within the caller's transaction."""
        with connection.cursor() as cursor:
            rows = self._outbox.rows(cursor, records)
        if rows:
            insert(connection, "intake.submission", *rows)


def load_desks(settings: Settings, agreements: Mapping[str, Agreement]) -> dict[str, Desk]:
    """Return the desk of every agreement that entitles to submit, by the agreement's name."""
    desks: dict[str, Desk] = {}
    naming = {name: each.submissions for name, each in agreements.items() if each.submissions}
    for stream in naming.values():
        if stream not in desks:
            desks[stream] = Desk(settings, *stream.split("."))
    return {name: desks[stream] for name, stream in naming.items()}


def _kept(batch: Batch, record: Record) -> bool:
    """Whether the mapping makes anything of the attribute that the record states."""
    frame, attribute = batch.frames["person"], record["attribute"]
    if attribute not in frame.columns:
        return False
    own = frame.filter(frame["source_key"].str.ends_with(f"\x1f{attribute}"))
    return own.height > 0 and own[attribute].null_count() < own.height


def _fault(payload: bytes, reason: str) -> Fault:
    return Fault((qualified(orjson.loads(payload)["attribute"]),), f"cannot be kept: {reason}")
