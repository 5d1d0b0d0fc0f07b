"""The three-way check of a feed: what is believed, what was published, and what its agency was given.

    in flight    believed, and not yet published: the next publishing will tell it
    stale        published, and not yet fetched by the client: it is behind
    missed       given to the client, which says that it keeps it, and holds something else
    unpublished  believed otherwise than published, and nothing will tell it: a fault of the hub

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
from oncehub.share.agreements.population import covered
from oncehub.share.delivery.offsets import Position
from oncehub.share.feeds.consumer_snapshot import find_missed, load_held
from oncehub.share.feeds.entries import believed_values, entitled, feed_terms
from oncehub.store.connection import Connection, Cursor


@dataclass(frozen=True)
class Found:
    """Persons of one kind of finding: how many, and the pseudonyms of the first of them."""

    persons: int
    keys: list[str]


@dataclass(frozen=True)
class FeedCheck:
    """A feed as one client of its agency stands to it.

    Attributes:
        client: None where the agreement has no client.
        published: sequence of the feed's last line.
        fetched: every line up to it was given out to the client.
        acknowledged: every line up to it the client keeps, as it said by asking on from there.
        oldest_stale: when the first line that the client has not fetched was published.
        missed: None where the client has not told what it holds.
        unpublished: None where only what is new was looked at.
    """

    feed: str
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
        """Tell whether time alone brings the client in line."""
        return not any(found and found.persons for found in (self.missed, self.unpublished))


# As publishing does it: a person makes a line when an attribute of the agreement changed, or what they
# consent to, or when they come or go.
_IN_FLIGHT = """
create temporary table in_flight on commit drop as
select t.person_key
from (
    select c.person_key, bool_or(c.attributes && %(columns)s) as agreed
    from share.change c left join share.feed f on f.feed = %(feed)s
    where (c.transaction, c.change_id) > (coalesce(f.transaction, '0'), coalesce(f.change_id, 0))
    group by c.person_key
) t
cross join lateral (select {entitled} as names) as entitled
left join truth.person
    on person.person_key = t.person_key and {covered} and cardinality(entitled.names) > 0
cross join lateral (select coalesce((
    select d.line ->> 'kind' <> 'removed' from share.delivery d
    where d.feed = %(feed)s and d.person_key = t.person_key
    order by d.sequence desc
    limit 1
), false) as known) as told
where case
    when person.person_key is null then told.known
    else t.agreed or not told.known and num_nonnulls({columns}) > 0
end
"""

_NAMED = "select person_key::text, count(*) over () from in_flight limit %s"

_STALE = """
select person_key::text, count(*) over () as persons, min(min(published_at)) over () as oldest
from share.delivery
where feed = %(feed)s and sequence > %(fetched)s
group by person_key
order by min(sequence)
limit %(shown)s
"""

# An attribute that the agreement has gained is told with a person's next change, so that only what a line
# holds is compared; who was never told of must have nothing of what the agreement covers.
_UNPUBLISHED = """
select person_key::text, count(*) over () as persons
from (
    select distinct on (person_key) person_key, line
    from share.delivery
    where feed = %(feed)s
    order by person_key, sequence desc
) told
full join (
    select person.*, entitled.names
    from truth.person cross join lateral (select {entitled} as names) as entitled
    where {covered} and cardinality(entitled.names) > 0
) person using (person_key)
cross join lateral (select person.names) as entitled
where not exists (select from in_flight i where i.person_key = coalesce(told.person_key, person.person_key))
    and case
        when person.person_key is null then told.line ->> 'kind' <> 'removed'
        when coalesce(told.line ->> 'kind', 'removed') = 'removed' then num_nonnulls({columns}) > 0
        else exists (
            select from jsonb_each({values}) b
            where told.line -> 'values' -> b.key <> b.value
        )
    end
limit %(shown)s
"""

_CLIENTS = """
select c.client_id,
    coalesce(max(r.sequence) filter (where r.kind = 'fetched'), 0),
    coalesce(max(r.sequence) filter (where r.kind = 'acknowledged'), 0)
from share.consumer c
left join share.receipt r on r.client_id = c.client_id and r.feed = %(feed)s
where c.agreement = %(agreement)s and c.revoked_at is null
    and (%(client)s::text is null or c.client_id = %(client)s)
group by c.client_id
order by c.client_id
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
        self, connection: Connection, client: str | None = None, held: Path | None = None
    ) -> list[FeedCheck]:
        """Check the feed for each of the agency's clients, or for one, as of one moment; nothing is changed.

        Args:
            connection: one with the hub's own rights.
            client: None takes all.
            held: what the client says that it holds (see `oncehub.share.feeds.consumer_snapshot`).

        Raises:
            ConfigError: when the file is wrong, or tells of lines that the client was not given.
        """
        try:
            with connection.cursor() as cursor:
                cursor.execute("set transaction isolation level repeatable read")
                return self._checked(cursor, client, held)
        finally:
            connection.rollback()

    def _checked(self, cursor: Cursor, client: str | None, held: Path | None) -> list[FeedCheck]:
        in_flight = self._in_flight(cursor)
        unpublished = self._unpublished(cursor) if self.every else None
        (published,) = self._rows(cursor, _PUBLISHED, (self._feed,)) or [(0,)]
        values = {"feed": self._feed, "agreement": self.agreement.name, "client": client}
        clients = self._rows(cursor, _CLIENTS, values) or [(None, 0, 0)]
        checks = []
        for name, fetched, acknowledged in clients:
            behind = self._rows(cursor, _STALE, {"feed": self._feed, "fetched": fetched, "shown": self.shown})
            checks.append(
                FeedCheck(
                    feed=self._feed,
                    client=name,
                    published=published[0],
                    fetched=fetched,
                    acknowledged=acknowledged,
                    in_flight=in_flight,
                    stale=self._named(behind),
                    oldest_stale=behind[0][2] if behind else None,
                    missed=self._missed(cursor, held, Position(fetched, acknowledged)) if held else None,
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
        cursor.execute(self._composed(_IN_FLIGHT, sql.Identifier("t", "person_key")), terms)
        return self._named(self._rows(cursor, _NAMED, (self.shown,)))

    def _unpublished(self, cursor: Cursor) -> Found:
        statement = self._composed(_UNPUBLISHED, sql.Identifier("person", "person_key"))
        return self._named(self._rows(cursor, statement, {**feed_terms(self.agreement), "shown": self.shown}))

    def _composed(self, statement: str, person_key: sql.Composable) -> sql.Composable:
        columns = [sql.Identifier("person", unqualified(name)) for name in self.agreement.attributes]
        return sql.SQL(statement).format(
            columns=sql.SQL(", ").join(columns),
            values=believed_values(self.agreement),
            entitled=entitled(self.agreement, person_key),
            covered=covered(self.agreement),
        )

    def _rows(self, cursor: Cursor, statement: str | sql.Composable, values: Any) -> list[tuple[Any, ...]]:
        cursor.execute(statement, values)
        return cursor.fetchall()

    def _missed(self, cursor: Cursor, held: Path, reached: Position) -> Found:
        upto = load_held(cursor, held, reached)
        return _found(find_missed(cursor, self.agreement, self.key, upto, self.shown))

    def _named(self, rows: list[tuple[Any, ...]]) -> Found:
        return _found([(feed_pseudonym(self.key, self._feed, row[0]), row[1]) for row in rows])


def _found(rows: list[tuple[str, int]]) -> Found:
    return Found(rows[0][1] if rows else 0, [row[0] for row in rows])
