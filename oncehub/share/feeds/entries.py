"""Feeds: the outbox cut to what one agreement may see, one line a person, in commit order."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2 import sql

from oncehub.audit.log.pages import Told
from oncehub.audit.log.pseudonyms import feed_pseudonym
from oncehub.config.agreements import Agreement
from oncehub.config.entities import load_entities, qualified, unqualified
from oncehub.encryption.cipher import use_keys
from oncehub.encryption.field_values import decrypted_here, sensitive_of
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.population import covered
from oncehub.share.agreements.roles import as_agreement, schema_of
from oncehub.share.consent.consents import consent_terms, hold_consents
from oncehub.share.delivery.sequence import PATIENCE_SECONDS, PublishReport, publish_in_order
from oncehub.store.connection import Connection


@dataclass(frozen=True)
class FeedPage:
    """A piece of a feed.

    Attributes:
        changes: lines `{sequence, person, kind, changed, values, as_of}` in order of sequence: `person` is a
            pseudonym that only this feed uses; `kind` is created, changed or removed; `changed` names the
            attributes; `values` holds every attribute of the agreement as believed at `as_of`, null where
            nothing is held, and nothing for a removed person. A person who is removed because a clerk has
            found them to be one with another has `merged_into`, the other's pseudonym.
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
# transaction would lose its changes. What a consumer knows of a person is what its feed last said. Whoever is
# outside the agreement's population, or consents to none of its attributes, is as if they were not there.
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
stated as (
    select person_key, array_agg(distinct 'person.' || attribute) as changed
    from fresh cross join unnest(attributes) as attribute
    group by person_key
),
state as (
    select newest.*, person.person_key is not null as held, told.values is not null as known,
        believed.values, person.provenance, merged_person.survivor,
        array(
            select name
            from unnest(entitled.names) as name
            where name = any(stated.changed)
                or told.values is null and jsonb_typeof(believed.values -> name) <> 'null'
                or {by_consent} and not told.values ? name
            order by name
        ) as changed,
        {by_consent} and not entitled.names @> array(select jsonb_object_keys(told.values)) as fewer
    from newest
    left join stated using (person_key)
    cross join lateral (select {entitled} as names) as entitled
    left join truth.person
        on person.person_key = newest.person_key and {covered} and cardinality(entitled.names) > 0
    left join truth.merged_person on merged_person.person_key = newest.person_key
    cross join lateral (
        select case when person.person_key is not null then {values} end as values
    ) as believed
    left join lateral (
        select case when line ->> 'kind' <> 'removed' then line -> 'values' end as values
        from share.delivery
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
        ) {origins} || case
            when not held and survivor is not null then jsonb_build_object('merged_into', survivor)
            else '{{}}'::jsonb
        end as line
    from state
    where case when held then cardinality(changed) > 0 or fewer else known end
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

# Which record states each encrypted value: the value can be decrypted with that record's key only.
_WITH_ORIGINS = """ || case
            when held then jsonb_build_object('origins', jsonb_build_object({origins})) else '{{}}'::jsonb
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

_OWN = ("origins", "purged")
"""What of a line no consumer is told: which records state its values, and that they were purged."""

# Of whom the last line says that they are gone, and of whoever does not consent now, earlier lines give out
# no values either: who reads them anew has no right to them any more.
_READ = """
select sequence, person_key::text, line, names
from {schema}.feed_lines(%(after)s, %(limit)s)
"""

_STANDING_NAMES = """
case
    when (
        select l.line ->> 'kind' from share.delivery l
        where l.feed = d.feed and l.person_key = d.person_key
        order by l.sequence desc
        limit 1
    ) <> 'removed' then {entitled}
    else '{{}}'
end
"""

_CUT = """(
    select jsonb_object_agg(e.key, e.value) from jsonb_each({every}) as e where e.key = any(entitled.names)
)"""

_CONSENTED = """array(
    select unnest(share.consented(%(agreement)s, %(agency)s, %(purpose)s, {person_key}))
    intersect select unnest(%(attributes)s::text[])
)"""


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
    sensitive = [name for name in sensitive_of(person) if qualified(name) in agreement.attributes]
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

    What has left the agreement since a line was published is cut out of it; whoever has left its population,
    or consents no more, is only told to be gone; encrypted values are decrypted inside `decrypting` only.

    Args:
        connection: one that may become the agreement's role.
        agreement: one with a feed.
        after: sequence of the last line the consumer has; 0 reads from the start.
        limit: at least 1.
        key: the hub's key for pseudonyms.
    """
    feed = agreement.feed or ""
    if agreement.needs_consent:
        hold_consents(connection, agreement)
    statement = sql.SQL(_READ).format(schema=sql.Identifier(schema_of(agreement.name)))
    with as_agreement(connection, agreement) as cursor:
        cursor.execute(statement, {"after": after, "limit": limit + 1})
        rows = [tuple(row.values()) for row in cursor.fetchall()]
    changes = [
        {"sequence": sequence, "person": feed_pseudonym(key, feed, person_key)}
        | decrypted_line(within(line, set(names) & set(agreement.attributes)))
        | _led(line, feed, key)
        for sequence, person_key, line, names in rows[:limit]
    ]
    told = tuple(Told(sequence, person_key) for sequence, person_key, *_ in rows[:limit])
    return FeedPage(changes, changes[-1]["sequence"] if changes else after, len(rows) > limit, told)


def extend_feed(
    connection: Connection, agreement: Agreement, feed: str, sensitive: Sequence[str], home: Path
) -> tuple[int, int]:
    """Do what `publish` does over a given agreement; return lines added and last sequence.

    Args:
        connection: one with the hub's own rights.
        agreement: one with a feed.
        feed: its name.
        sensitive: which attributes of a person in the agreement are encrypted.
        home: has the key ring.
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
                sql.SQL(_PUBLISH).format(
                    values=believed_values(agreement),
                    origins=_origins(sensitive),
                    covered=covered(agreement),
                    entitled=entitled(agreement, sql.Identifier("newest", "person_key")),
                    by_consent=sql.Literal(agreement.needs_consent),
                ),
                {**feed_terms(agreement), "feed": feed},
            )
    with connection:
        last = _last_sequence(connection, feed)
    return last - before, last


def feed_terms(agreement: Agreement) -> dict[str, Any]:
    """Return what the statements over an agreement's feed have placeholders for."""
    return {
        **consent_terms(agreement),
        "feed": agreement.feed or "",
        "attributes": list(agreement.attributes),
    }


def entitled(agreement: Agreement, person_key: sql.Composable) -> sql.Composable:
    """Build the names of what may be told of a person: of the agreement's attributes those consented to."""
    if agreement.needs_consent:
        return sql.SQL(_CONSENTED).format(person_key=person_key)
    return sql.SQL("%(attributes)s::text[]")


def standing_names(agreement: Agreement, person_key: sql.Composable) -> sql.Composable:
    """Build the names of what a line of `d`, a `share.delivery`, may still tell."""
    names = entitled(agreement, person_key)
    if agreement.needs_consent or agreement.population:
        return sql.SQL(_STANDING_NAMES).format(entitled=names)
    return names


def believed_values(agreement: Agreement) -> sql.Composable:
    """Build an object of what is believed of `person`, by name; where consent is needed, `entitled.names`."""
    pairs = [
        sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier("person", unqualified(name)))
        for name in agreement.attributes
    ]
    every = sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))
    if not agreement.needs_consent:
        return every
    return sql.SQL(_CUT).format(every=every)


def decrypted_line(line: dict[str, Any]) -> dict[str, Any]:
    """Decrypt the encrypted values of a line, inside `decrypting`, and leave out what is the hub's own.

    Of a line that was purged, values and changes are empty: one that follows has replaced it.
    """
    records = line.get("origins", {})
    values = line["values"] | {
        name: decrypted_here(name, tuple(record), line["values"][name])
        for name, record in records.items()
        if name in line["values"]
    }
    return {name: part for name, part in line.items() if name not in _OWN} | {"values": values}


def _origins(sensitive: Sequence[str]) -> sql.Composable:
    if not sensitive:
        return sql.SQL("")
    origins = [
        sql.SQL(_ORIGIN).format(name=sql.Literal(qualified(name)), attribute=sql.Literal(name))
        for name in sensitive
    ]
    return sql.SQL(_WITH_ORIGINS).format(origins=sql.SQL(", ").join(origins))


def within(line: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Cut out of a line what may no longer be told; where that is all, the person is gone."""
    allowed = set(names)
    if not allowed:
        return line | {"kind": "removed", "changed": [], "values": {}}
    return line | {
        "changed": [name for name in line["changed"] if name in allowed],
        "values": {name: value for name, value in line["values"].items() if name in allowed},
    }


def _led(line: dict[str, Any], feed: str, key: bytes) -> dict[str, str]:
    """Give the pseudonym that a joined person's line leads to."""
    return {"merged_into": feed_pseudonym(key, feed, line["merged_into"])} if "merged_into" in line else {}


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
