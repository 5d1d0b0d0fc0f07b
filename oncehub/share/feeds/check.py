"""The three-way check of a feed: what is believed, what was published, and what its agency was given.

    in flight    believed and not yet published; the next publishing adds it
    stale        published, and not yet fetched by the client: it is behind
    missed       given to the client, which says that it keeps it, and holds something else
    unpublished  believed differently than published, with no change to publish: a fault of the hub

Findings name persons by the feed's own pseudonyms, under which the agency knows them, and no values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg2 import sql

from oncehub.audit.log.pseudonyms import feed_pseudonym
from oncehub.config.agreements import Agreement
from oncehub.config.entities import unqualified
from oncehub.share.agreements.population import population_condition
from oncehub.share.delivery.consumer_offsets import Position, position
from oncehub.share.feeds.consumer_snapshot import find_missed, load_snapshot
from oncehub.share.feeds.entries import believed_values, entitled, feed_terms
from oncehub.store.connection import Connection, Cursor
from oncehub.store.history import require_own
from oncehub.store.statements import statement


@dataclass(frozen=True)
class Found:
    """Persons of one kind of finding: how many, and the pseudonyms of the first of them."""

    persons: int
    keys: list[str]


@dataclass(frozen=True)
class FeedCheck:
    """The state of a feed for one client of its agency.

    Attributes:
        epoch: of the feed's numbers; a restore begins another one.
        client: None where the agreement has no client.
        published: sequence of the feed's last line.
        fetched: every line up to it was given out to the client.
        acknowledged: every line up to it the client keeps, as it said by asking on from there.
        oldest_stale: when the first line that the client has not fetched was published.
        missed: None without a consumer snapshot.
        unpublished: None where only new changes were checked.
    """

    feed: str
    epoch: str
    client: str | None
    published: int
    fetched: int
    acknowledged: int
    in_flight: Found
    stale: Found
    oldest_stale: datetime | None
    missed: Found | None
    unpublished: Found | None

    @property
    def sound(self) -> bool:
        """Whether the client will be in line once it has fetched everything."""
        return not any(found and found.persons for found in (self.missed, self.unpublished))


_NAMED = "select person_key::text, count(*) over () from in_flight limit %s"

_STALE = """
select person_key::text, count(*) over () as persons, min(min(published_at)) over () as oldest
from share.feed_entry
where feed = %(feed)s and sequence > %(fetched)s
group by person_key
order by min(sequence)
limit %(shown)s
"""

_CLIENTS = """
select client_id
from share.client
where agreement = %(agreement)s and revoked_at is null
    and (%(client)s::text is null or client_id = %(client)s)
order by client_id
"""

_PUBLISHED = "select last_sequence from share.feed where feed = %s"


@dataclass(frozen=True)
class FeedChecker:
    """Checks an agreement's feed.

    Attributes:
        agreement: one with a feed.
        key: the hub's key for pseudonyms.
        shown: how many persons of a kind are named; at least 1.
        every: compare every person's last line with what is believed, not only what is new.
    """

    agreement: Agreement
    key: bytes = field(repr=False)
    shown: int = 100
    every: bool = False

    def check(
        self, connection: Connection, client: str | None = None, snapshot: Path | None = None
    ) -> list[FeedCheck]:
        """Check the feed for each of the agency's clients, or for one, as of one moment; nothing is changed.

        Args:
            connection: one with the hub's own rights.
            client: None takes all.
            snapshot: what the client says that it holds (see `oncehub.share.feeds.consumer_snapshot`).

        Raises:
            ConfigError: when the snapshot is wrong, or holds lines that the client was not given.
        """
        try:
            with connection.cursor() as cursor:
                cursor.execute("set transaction isolation level repeatable read")
                return self._checked(cursor, client, snapshot)
        finally:
            connection.rollback()

    def _checked(self, cursor: Cursor, client: str | None, snapshot: Path | None) -> list[FeedCheck]:
        epoch = require_own(cursor.connection)
        in_flight = self._in_flight(cursor)
        unpublished = self._unpublished(cursor) if self.every else None
        (published,) = self._rows(cursor, _PUBLISHED, (self._feed,)) or [(0,)]
        clients = self._rows(cursor, _CLIENTS, {"agreement": self.agreement.name, "client": client})
        checks = []
        for (name,) in clients or [(None,)]:
            reached = position(cursor.connection, self._feed, name) if name else Position(0, 0)
            behind = self._rows(
                cursor, _STALE, {"feed": self._feed, "fetched": reached.fetched, "shown": self.shown}
            )
            checks.append(
                FeedCheck(
                    feed=self._feed,
                    epoch=epoch,
                    client=name,
                    published=published[0],
                    fetched=reached.fetched,
                    acknowledged=reached.acknowledged,
                    in_flight=in_flight,
                    stale=self._named(behind),
                    oldest_stale=behind[0][2] if behind else None,
                    missed=self._missed(cursor, snapshot, reached, epoch) if snapshot else None,
                    unpublished=unpublished,
                )
            )
        return checks

    @property
    def _feed(self) -> str:
        return self.agreement.feed or ""

    def _in_flight(self, cursor: Cursor) -> Found:
        columns = [unqualified(name) for name in self.agreement.attributes]
        if self.agreement.needs_consent:
            columns.append("consent")
        terms = {**feed_terms(self.agreement), "columns": columns}
        cursor.execute(self._composed("in_flight", sql.Identifier("t", "person_key")), terms)
        return self._named(self._rows(cursor, _NAMED, (self.shown,)))

    def _unpublished(self, cursor: Cursor) -> Found:
        composed = self._composed("unpublished", sql.Identifier("person", "person_key"))
        return self._named(self._rows(cursor, composed, {**feed_terms(self.agreement), "shown": self.shown}))

    def _composed(self, name: str, person_key: sql.Composable) -> sql.Composable:
        columns = [sql.Identifier("person", unqualified(name)) for name in self.agreement.attributes]
        return statement(__name__, name).format(
            columns=sql.SQL(", ").join(columns),
            values=believed_values(self.agreement),
            entitled=entitled(self.agreement, person_key),
            covered=population_condition(self.agreement),
        )

    def _rows(self, cursor: Cursor, asked: str | sql.Composable, values: Any) -> list[tuple[Any, ...]]:
        cursor.execute(asked, values)
        return cursor.fetchall()

    def _missed(self, cursor: Cursor, snapshot: Path, reached: Position, epoch: str) -> Found:
        upto = load_snapshot(cursor, snapshot, reached, epoch)
        return _found(find_missed(cursor, self.agreement, self.key, upto, self.shown))

    def _named(self, rows: list[tuple[Any, ...]]) -> Found:
        return _found([(feed_pseudonym(self.key, self._feed, row[0]), row[1]) for row in rows])


def _found(rows: list[tuple[str, int]]) -> Found:
    return Found(rows[0][1] if rows else 0, [row[0] for row in rows])
