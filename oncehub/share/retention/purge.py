"""Purging what its retention has ended for: in batches, each in one transaction with the proof of it."""

from __future__ import annotations

import hmac
import logging
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from oncehub.audit.log.pseudonyms import retired_pseudonym_keys
from oncehub.audit.signing.purge_proofs import Purged, write_proof
from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_rules
from oncehub.config.entities import load_entities
from oncehub.config.operation import Kind, RetentionRules
from oncehub.encryption.known_keys import known_key
from oncehub.errors import RunBusy, StoreError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.corrections.publish_notices import feed_name
from oncehub.share.retention.kinds import Purge, purges
from oncehub.store.connection import Connection, Cursor, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened
from oncehub.traces import step

_log = logging.getLogger(__name__)

_BATCH: Final = 5000
_CLOCKS_APART: Final = timedelta(minutes=5)

_CLOCKS: Final = """
select clock_timestamp(), max(purged_at),
    coalesce(sum(removed) filter (where purged_at > clock_timestamp()), 0)
from audit.purge
"""

# Of clients that may still ask; where one has said nothing yet, nothing counts as kept.
_KEPT: Final = """
select sequence_of.feed, min(coalesce(r.sequence, 0))
from unnest(%s::text[], %s::text[]) sequence_of (agreement, feed)
join share.client c using (agreement)
left join lateral (
    select max(sequence) as sequence from share.consumer_offset
    where client_id = c.client_id and kind = 'acknowledged' and feed = sequence_of.feed
) r on true
where c.revoked_at is null
group by sequence_of.feed
"""


@dataclass(frozen=True)
class KindStatus:
    """A kind of data as its rule finds it.

    Attributes:
        keep_days: how long the kind is kept.
        horizon: what has come to its end before it is due.
        due: how much that is.
    """

    kind: Kind
    keep_days: float
    because: str
    horizon: datetime
    due: int


@dataclass(frozen=True)
class PurgeReport:
    """What one purge did.

    Attributes:
        run: its id, as the proofs hold it.
        removed: by kind; kinds of which nothing was due are left out.
        batches: how many there were, and so proofs.
    """

    run: str
    removed: dict[Kind, int]
    batches: int


def retention_status(
    settings: Settings, database: Connection | None = None, now: datetime | None = None
) -> list[KindStatus]:
    """Count what is due, by kind; nothing is changed.

    Raises:
        ConfigError: when `retention.yaml` is wrong.
        StoreError: when the database cannot be used.
    """
    rules = load_rules(settings, "retention", RetentionRules)
    moment = now or datetime.now(UTC)
    with without_values("counting what is due"), opened(settings, database) as connection, connection:
        due = dict.fromkeys(rules.kinds, 0)
        for each in _purges(settings, connection):
            with connection.cursor() as cursor:
                horizon = moment - rules.kinds[each.kind].keep
                cursor.execute(each.count(), {**each.values, "horizon": horizon})
                (count,) = cursor.fetchone() or (0,)
            due[each.kind] += count
    return [
        KindStatus(kind, rule.keep.total_seconds() / 86_400, rule.because, moment - rule.keep, due[kind])
        for kind, rule in rules.kinds.items()
    ]


def purge(
    settings: Settings,
    database: Connection | None = None,
    *,
    now: datetime | None = None,
    size: int = _BATCH,
) -> PurgeReport:
    """Purge what is due, as `retention_status` counts it; a repeat purges what has come to be due since.

    Killed at any instant, it has purged whole batches, each with its proof in `audit.purge`.

    Args:
        settings: name the rules, and the key that digests are made with.
        database: used instead of a connection of its own.
        now: the moment that horizons are counted from; by default the machine's time, if the database's is
            the same.
        size: rows in one transaction.

    Raises:
        RunBusy: when another process purges.
        ConfigError: when `retention.yaml` or the key is wrong.
        StoreError: when the database cannot be used, or its clock and the machine's differ.
    """
    rules = load_rules(settings, "retention", RetentionRules)
    with (
        without_values("purging"),
        step("purge"),
        opened(settings, database) as connection,
        locked(connection, "purge") as alone,
    ):
        if not alone:
            raise RunBusy("another process purges; what is due goes with it")
        with connection:
            due = _purges(settings, connection)
            with connection.cursor() as cursor:
                moment = now or _agreed_time(cursor)
                digesting = known_key(cursor, "pseudonym", settings.home, former=retired_pseudonym_keys())
        purger = _Purger(rules, moment, digesting, size)
        return purger.run(connection, due)


def _agreed_time(cursor: Cursor) -> datetime:
    """Return the machine's time, if the database's clock agrees; warn if a purge was dated later.

    Raises:
        StoreError: when it does not: what one of them lets go, the other keeps.
    """
    cursor.execute(_CLOCKS)
    database, last, early = cursor.fetchone() or (None, None, 0)
    moment = datetime.now(UTC)
    if abs(moment - database) > _CLOCKS_APART:
        own, other = (f"{each.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" for each in (moment, database))
        raise StoreError(
            f"this machine's clock says {own} and the database's {other}, and what is due depends on it: set "
            "both right, and purge again; nothing was purged"
        )
    if early:
        _log.warning(
            "the last purge is dated %s, ahead of the clock: %d rows may have gone too early, or the clock "
            "is behind now",
            f"{last.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
            early,
        )
    return moment


class _Purger:
    def __init__(self, rules: RetentionRules, now: datetime, digesting: bytes, size: int) -> None:
        self._rules = rules
        self._now = now
        self._digesting = digesting
        self._size = size
        self._run = str(uuid.uuid4())

    def run(self, connection: Connection, due: Iterable[Purge]) -> PurgeReport:
        removed: dict[Kind, int] = {}
        batches = 0
        for each in due:
            while count := self._batch(connection, each):
                removed[each.kind] = removed.get(each.kind, 0) + count
                batches += 1
        return PurgeReport(self._run, removed, batches)

    def _batch(self, connection: Connection, due: Purge) -> int:
        rule = self._rules.kinds[due.kind]
        horizon = self._now - rule.keep
        with connection, connection.cursor() as cursor:
            cursor.execute(due.purge(), {**due.values, "horizon": horizon, "size": self._size})
            keys = [key for (key,) in cursor.fetchall()]
            if keys:
                purged = Purged(
                    kind=due.kind,
                    table=due.name,
                    keep_days=rule.keep.total_seconds() / 86_400,
                    because=rule.because,
                    horizon=horizon.isoformat(),
                    removed=len(keys),
                    digest=_digest(self._digesting, keys),
                    run=self._run,
                    purged_at=datetime.now(UTC).isoformat(),
                )
                write_proof(connection, purged)
        return len(keys)


def _digest(key: bytes, keys: Iterable[str]) -> str:
    """Keyed, for keys of records are numbers of persons that could be guessed."""
    return hmac.digest(key, "\x1e".join(keys).encode(), "sha256").hex()


def _purges(settings: Settings, connection: Connection) -> list[Purge]:
    return purges(load_entities(settings.schemas), _kept(settings, connection))


def _kept(settings: Settings, connection: Connection) -> dict[str, int]:
    """By feed or `corrections.<source>`, up to which line each client of its agency says it keeps it."""
    pairs = [pair for agreement in load_agreements(settings).values() for pair in _sequences(agreement)]
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, ([name for name, _ in pairs], [feed for _, feed in pairs]))
        return dict(cursor.fetchall())


def _sequences(agreement: Agreement) -> Iterator[tuple[str, str]]:
    """Give the sequences that the agreement's agency reads, each with the agreement's name."""
    if agreement.feed:
        yield agreement.name, agreement.feed
    if agreement.corrections:
        yield agreement.name, feed_name(agreement.corrections.source)
