"""Feeds: the outbox cut to what one agreement may see, one line a person, in commit order."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2 import sql

from oncehub.audit import Told, feed_pseudonym
from oncehub.model.entities import load_entities
from oncehub.model.errors import ConfigError
from oncehub.model.settings import Settings
from oncehub.model.sharing import Agreement
from oncehub.share.agreements import load_agreements
from oncehub.share.permissions import today
from oncehub.share.publishing import PATIENCE_SECONDS, PublishReport, publish_in_order
from oncehub.store.connection import Connection
from oncehub.store.encryption import use_keys
from oncehub.store.sealed_values import opened_here, sensitive_of


@dataclass(frozen=True)
class FeedPage:
    """A piece of a feed.

    Attributes:
        changes: lines `{sequence, person, kind, changed, values, as_of}` in order of sequence: `person` is a
            pseudonym that only this feed uses; `kind` is created, changed or removed; `changed` names the
            attributes; `values` holds every attribute of the agreement as believed at `as_of`, null where
            nothing is held, and nothing for a removed person. A person who is removed because a clerk has
            found them to be one with another has `into`, the other's pseudonym.
        next: `after` of the next read.
        more: whether there are further lines now.
        told: whom each line is about, for the log.
    """

    changes: list[dict[str, Any]]
    next: int
    more: bool
    told: tuple[Told, ...]


# One statement, hence one snapshot. Changes of transactions that were still open when it began, and of later
# ones, are left for the next time: numbers are given out before commit, so that skipping past an open
# transaction would lose its changes. What a consumer knows of a person is what its feed last said.
_PUBLISH = """
with fresh as materialized (
    select change.person_key, change.transaction, change.change_id, change.attributes
    from share.change, share.feed
    where feed.feed = %(feed)s
        and (change.transaction, change.change_id) > (feed.transaction, feed.change_id)
        and change.transaction < pg_snapshot_xmin(pg_current_snapshot())
),
newest as (
    select distinct on (person_key) person_key, transaction, change_id
    from fresh
    order by person_key, transaction desc, change_id desc
),
agreed as (
    select person_key, array_agg(distinct 'person.' || attribute order by 'person.' || attribute) as changed
    from fresh cross join unnest(attributes) as attribute
    where 'person.' || attribute = any(%(attributes)s)
    group by person_key
),
state as (
    select newest.*, agreed.changed, person.person_key is not null as held,
        coalesce(told.kind <> 'removed', false) as known,
        case when person.person_key is not null then jsonb_build_object({values}) end as values,
        person.provenance,
        joined.survivor
    from newest
    left join agreed using (person_key)
    left join truth.person using (person_key)
    left join truth.joined using (person_key)
    left join lateral (
        select line ->> 'kind' as kind from share.delivery
        where feed = %(feed)s and delivery.person_key = newest.person_key
        order by sequence desc
        limit 1
    ) as told on true
),
line as (
    select person_key, row_number() over (order by transaction, change_id) as number,
        jsonb_build_object(
            'kind', case when not held then 'removed' when known then 'changed' else 'created' end,
            'changed', case when held then to_jsonb(changed) else '[]'::jsonb end,
            'values', coalesce(values, '{{}}'::jsonb),
            'as_of', to_jsonb(now())
        ) {sealed} || case
            when not held and survivor is not null then jsonb_build_object('into', survivor)
            else '{{}}'::jsonb
        end as line
    from state
    where case when held then changed is not null else known end
),
delivered as (
    insert into share.delivery (feed, sequence, person_key, line)
    select feed.feed, feed.last_sequence + line.number, line.person_key, line.line
    from line, share.feed
    where feed.feed = %(feed)s
),
reached as (
    select transaction, change_id from fresh order by transaction desc, change_id desc limit 1
)
update share.feed set
    transaction = reached.transaction,
    change_id = reached.change_id,
    last_sequence = last_sequence + (select count(*) from line),
    published_at = now()
from reached
where feed.feed = %(feed)s
"""

# By which record each sealed value is stated, for it opens with that only.
_SEALED = """ || case
            when held then jsonb_build_object('sealed', jsonb_build_object({origins})) else '{{}}'::jsonb
        end"""

_ORIGIN = """{name}, jsonb_build_array(
    truth.origin(provenance, {attribute}) -> 'source',
    truth.origin(provenance, {attribute}) -> 'stream',
    truth.origin(provenance, {attribute}) -> 'source_key'
)"""

# Committed, yet after a transaction that is still open, in whichever database: numbers are the server's.
_HELD_BACK = """
select count(*)
from share.change, share.feed
where feed.feed = %s and (change.transaction, change.change_id) > (feed.transaction, feed.change_id)
"""

_OWN = ("sealed", "purged")
"""What of a line no consumer is told: which records state its values, and that they were purged."""

_READ = """
select sequence, person_key::text, line from share.delivery
where feed = %s and sequence > %s
order by sequence
limit %s
"""


def publish(
    settings: Settings,
    feed: str,
    database: Connection | None = None,
    *,
    patience: float = PATIENCE_SECONDS,
) -> PublishReport:
    """Bring a feed up to what is believed now; a kill loses nothing, a repeat adds none.

    A feed whose agreement is not in force stays as it is, and goes on from there when it is again.

    Args:
        settings: names the agreements.
        feed: one of theirs.
        database: used instead of a connection of its own.
        patience: seconds to wait for older transactions that hold changes back.

    Raises:
        ConfigError: when no agreement has such a feed.
        RunBusy: when another process publishes it.
        StoreUnavailable: when the database does not answer, or changes are still held back; a retry cures it.
        StoreError: when the database cannot be used.
    """
    agreement = _agreement_of(settings, feed)
    person = load_entities(settings.schemas)["person"]
    sensitive = [name for name in sensitive_of(person) if f"person.{name}" in agreement.attributes]
    return publish_in_order(
        settings,
        feed,
        lambda connection: extend_feed(connection, agreement, feed, sensitive, settings.home),
        lambda connection: _held_back(connection, agreement, feed),
        database=database,
        patience=patience,
    )


def read_changes(
    connection: Connection, agreement: Agreement, after: int, limit: int, key: bytes
) -> FeedPage:
    """Read up to `limit` lines of the agreement's feed with a sequence above `after`.

    Attributes that have left the agreement since a line was published are cut out of it; what is sealed is
    opened inside `unsealing` only.

    Args:
        connection: one that may read `share.delivery`.
        agreement: one with a feed.
        after: sequence of the last line the consumer has; 0 reads from the start.
        limit: at least 1.
        key: the hub's key for pseudonyms.
    """
    feed = agreement.feed or ""
    with connection.cursor() as cursor:
        cursor.execute(_READ, (feed, after, limit + 1))
        rows = cursor.fetchall()
    changes = [
        {"sequence": sequence, "person": feed_pseudonym(key, feed, person_key)}
        | within(opened_line(line), agreement)
        | _led(line, feed, key)
        for sequence, person_key, line in rows[:limit]
    ]
    told = tuple(Told(sequence, person_key) for sequence, person_key, _ in rows[:limit])
    return FeedPage(changes, changes[-1]["sequence"] if changes else after, len(rows) > limit, told)


def extend_feed(
    connection: Connection, agreement: Agreement, feed: str, sensitive: Sequence[str], home: Path
) -> tuple[int, int]:
    """Do what `publish` does over a given agreement; return lines added and last sequence.

    Args:
        connection: one with the hub's own rights.
        agreement: one with a feed.
        feed: its name.
        sensitive: which attributes of a person in the agreement are sealed.
        home: has the keys that they are sealed with.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("insert into share.feed (feed) values (%s) on conflict do nothing", (feed,))
        before = _last_sequence(connection, feed)
    # Apart from the row above: a transaction that writes first would hold back its own horizon.
    if agreement.in_force(today()):
        with connection, connection.cursor() as cursor:
            if sensitive:
                use_keys(cursor, home)
            cursor.execute(
                sql.SQL(_PUBLISH).format(values=believed_values(agreement), sealed=_origins(sensitive)),
                {"feed": feed, "attributes": list(agreement.attributes)},
            )
    with connection:
        last = _last_sequence(connection, feed)
    return last - before, last


def believed_values(agreement: Agreement) -> sql.Composable:
    """Build the arguments of `jsonb_build_object`: the name and column of each attribute of the agreement."""
    pairs = [
        sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier("person", name.removeprefix("person.")))
        for name in agreement.attributes
    ]
    return sql.SQL(", ").join(pairs)


def opened_line(line: dict[str, Any]) -> dict[str, Any]:
    """Open the sealed values of a line, inside `unsealing`, and leave out what is the hub's own.

    Of a line that was purged, values and changes are empty: one that follows has replaced it.
    """
    records = line.get("sealed", {})
    values = line["values"] | {
        name: opened_here(name, tuple(record), line["values"][name]) for name, record in records.items()
    }
    return {name: part for name, part in line.items() if name not in _OWN} | {"values": values}


def _origins(sensitive: Sequence[str]) -> sql.Composable:
    if not sensitive:
        return sql.SQL("")
    origins = [
        sql.SQL(_ORIGIN).format(name=sql.Literal(f"person.{name}"), attribute=sql.Literal(name))
        for name in sensitive
    ]
    return sql.SQL(_SEALED).format(origins=sql.SQL(", ").join(origins))


def within(line: dict[str, Any], agreement: Agreement) -> dict[str, Any]:
    """Cut out of a line what the agreement no longer covers."""
    allowed = set(agreement.attributes)
    return line | {
        "changed": [name for name in line["changed"] if name in allowed],
        "values": {name: value for name, value in line["values"].items() if name in allowed},
    }


def _led(line: dict[str, Any], feed: str, key: bytes) -> dict[str, str]:
    """Give the pseudonym that a joined person's line leads to."""
    return {"into": feed_pseudonym(key, feed, line["into"])} if "into" in line else {}


def _held_back(connection: Connection, agreement: Agreement, feed: str) -> int:
    """Count the changes left behind though the agreement entitles to them."""
    if not agreement.in_force(today()):
        return 0
    with connection, connection.cursor() as cursor:
        cursor.execute(_HELD_BACK, (feed,))
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _last_sequence(connection: Connection, feed: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select last_sequence from share.feed where feed = %s", (feed,))
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _agreement_of(settings: Settings, feed: str) -> Agreement:
    by_feed = {
        agreement.feed: agreement for agreement in load_agreements(settings).values() if agreement.feed
    }
    if feed not in by_feed:
        close = difflib.get_close_matches(feed, by_feed, n=1)
        advice = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(by_feed) or 'none'}"
        raise ConfigError(f"no agreement has a feed {feed!r}; {advice}")
    return by_feed[feed]
