"""Adopts a database that was restored from a backup, copied to another server, or failed over."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from oncehub.audit.log.entries import Entry, write
from oncehub.audit.signing.anchors import AnchorPlace, Anchors, anchor_place, read_anchors, write_anchors
from oncehub.audit.signing.checkpoints import SIGNING, anchor_after
from oncehub.audit.signing.stored import last_checkpoint
from oncehub.errors import RunBusy
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect, database_url, locked
from oncehub.store.failures import without_values
from oncehub.store.history import History, continue_history, read_history
from oncehub.store.migrate import require_current

_BY_THE_OPERATOR: Final = "oncehub"


@dataclass(frozen=True)
class Standing:
    """What there is to adopt.

    Attributes:
        history: how the database's place compares with where it was.
        checkpoint: number of its last checkpoint.
        anchored: number of the last one that is anchored outside the database.
        noted: whether the anchors know the database's epoch, or it is the first.
    """

    history: History
    checkpoint: int
    anchored: int
    noted: bool

    @property
    def lost(self) -> str | None:
        """How one sees that the database is another, or in an earlier state; None when it is neither."""
        if self.history.moved:
            return self.history.moved
        if self.anchored > self.checkpoint:
            return (
                f"{self.anchored} checkpoints of the access log are anchored, and it has {self.checkpoint}: "
                "it is in an earlier state"
            )
        return None

    @property
    def interrupted(self) -> bool:
        """Whether it was adopted, and a kill came before the anchors said so."""
        return self.history.moved is None and self.anchored > self.checkpoint and not self.noted


@dataclass(frozen=True)
class AdoptionReport:
    """What an adoption did.

    Attributes:
        adopted: False when there was nothing to do.
        because: how the database differed.
        epoch: of the feeds now.
        checkpoint: number of the last checkpoint that the database holds.
        checkpoints_lost: how many later ones are anchored, which the database does not hold.
    """

    adopted: bool
    because: str | None
    epoch: str
    checkpoint: int
    checkpoints_lost: int


def adopt(settings: Settings, actor: str, reason: str) -> AdoptionReport:
    """Let the hub go on with the database as it is; a repeat finds nothing to do.

    One transaction numbers all later transactions from above what the database holds, begins an epoch of the
    feeds, and writes an entry of the access log. The anchors then say where the log goes on: killed before
    that, signing stops, and a repeat completes it.

    Args:
        settings: name the database and the file of anchors.
        actor: who adopts it.
        reason: why, for those who read the access log.

    Raises:
        RunBusy: when another process signs or adopts.
        ConfigError: when the anchors cannot be read or written.
        StoreError: when the database cannot be used.
    """
    place = anchor_place(settings)
    connection = connect(database_url(settings))
    try:
        with without_values("adopting the database"):
            require_current(connection)
            with locked(connection, SIGNING) as alone:
                if not alone:
                    raise RunBusy("another process signs or adopts; try again in a minute")
                return _adopt(connection, place, actor, reason)
    finally:
        connection.close()


def standing(settings: Settings) -> Standing:
    """Return what there is to adopt, and change nothing; for errors see `adopt`."""
    connection = connect(database_url(settings))
    try:
        with without_values("examining the database"):
            require_current(connection)
            return _standing(connection, read_anchors(anchor_place(settings)))
    finally:
        connection.close()


def _standing(connection: Connection, anchors: Anchors) -> Standing:
    with connection:
        history, checkpoint = read_history(connection), last_checkpoint(connection).number
    noted = history.number == 1 or history.epoch in anchors.epochs
    return Standing(history, checkpoint, max(anchors.heads, default=0), noted)


def _adopt(connection: Connection, place: AnchorPlace, actor: str, reason: str) -> AdoptionReport:
    anchors = read_anchors(place)
    found = _standing(connection, anchors)
    epoch = found.history.epoch
    if found.lost is None:
        return AdoptionReport(False, None, epoch, found.checkpoint, 0)
    if not found.interrupted:
        with connection, connection.cursor() as cursor:
            epoch = continue_history(cursor, actor, reason)
            write(connection, _entry(found.history.epoch, epoch, actor, reason))
    write_anchors(place, adopted={epoch: found.checkpoint})
    anchor_after(connection, place, max(read_anchors(place).heads, default=0))
    lost = max(found.anchored - found.checkpoint, 0)
    return AdoptionReport(True, found.lost, epoch, found.checkpoint, lost)


def _entry(before: str, epoch: str, actor: str, reason: str) -> Entry:
    return Entry(
        client_id=_BY_THE_OPERATOR,
        agency=_BY_THE_OPERATOR,
        agreement=_BY_THE_OPERATOR,
        purpose=reason,
        legal_basis=f"epoch {before} is followed by {epoch}",
        action="adoption",
        procedure=None,
        person=None,
        attributes=(),
        refused=(),
        outcome="answered",
        request_id=uuid.UUID(epoch),
        officer=actor,
    )
