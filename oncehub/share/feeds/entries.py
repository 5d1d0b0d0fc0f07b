"""Feeds: the outbox cut to what one agreement may see, one line a person, in commit order."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from psycopg2 import sql

from oncehub.audit.log.pseudonyms import feed_pseudonym
from oncehub.config.agreements import Agreement
from oncehub.config.entities import load_entities, qualified, unqualified
from oncehub.encryption.cipher import use_keys
from oncehub.encryption.field_values import decrypted_here, sensitive_of
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.population import population_condition
from oncehub.share.consent.consents import consent_terms
from oncehub.share.delivery import gap_free_sequence as delivery
from oncehub.share.delivery.consumer_offsets import Published
from oncehub.share.delivery.gap_free_sequence import (
    PATIENCE_SECONDS,
    PublishReport,
    SequencePage,
    Start,
    read_page,
)
from oncehub.store.connection import Connection
from oncehub.store.statements import statement

# Which record states each encrypted value: the value can be decrypted with that record's key only.
_WITH_ORIGINS = """
case when present then jsonb_build_object('origins', jsonb_build_object({origins})) else '{{}}'::jsonb end
"""

_ORIGIN = """{name}, jsonb_build_array(
    truth.origin(provenance, {attribute}) -> 'source',
    truth.origin(provenance, {attribute}) -> 'stream',
    truth.origin(provenance, {attribute}) -> 'source_key'
)"""

# Changes that have committed, but after a transaction that is still open in any database of the server.
_WAITING = """
select count(*)
from share.change, share.feed
where feed.feed = %(feed)s and (change.transaction, change.change_id) > (feed.transaction, feed.change_id)
"""

_LAST = "select last_sequence from share.feed where feed = %(feed)s"

# No transaction is published in part.
_BELOW = "select (transaction::text::numeric + 1)::text::xid8 from share.feed where feed = %(feed)s"

# After a person's last entry is a removal, or the person has withdrawn consent, earlier entries contain no
# values: a consumer that reads them again no longer has a right to the values.
_READ = sql.SQL("""
select sequence, person_key::text, line, names
from {share}.feed_lines(%(after)s, %(limit)s)
""")

_OWN = ("origins", "purged")
"""Parts of an entry that consumers do not receive: the records that state its values; the mark of a purge."""

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
    """Bring a feed up to what is believed now; for other errors see `Sequence.publish`.

    A feed whose agreement is not in force stays as it is, and goes on from there when it is again.

    Raises:
        ConfigError: when no agreement has such a feed.
    """
    agreement = _agreement_of(settings, feed)
    person = load_entities(settings.schemas)["person"]
    sensitive = [name for name in sensitive_of(person) if qualified(name) in agreement.attributes]
    return feed_sequence(agreement, sensitive, settings.home).publish(settings, database, patience=patience)


def feed_sequence(agreement: Agreement, sensitive: Sequence[str], home: Path) -> delivery.Sequence:
    """Return the sequence of an agreement's feed.

    Args:
        agreement: one with a feed.
        sensitive: attributes of a person in the agreement that are encrypted, without `person.`.
        home: has the keys that they are encrypted with.
    """
    append = statement(__name__, "publish").format(
        values=believed_values(agreement),
        origins=_origins(sensitive),
        covered=population_condition(agreement),
        entitled=entitled(agreement, sql.Identifier("newest", "person_key")),
        by_consent=sql.Literal(agreement.needs_consent),
    )
    return delivery.Sequence(
        name=agreement.feed or "",
        prepare="insert into share.feed (feed) values (%(feed)s) on conflict do nothing",
        steps=(append,) if agreement.in_force(today()) else (),
        last=_LAST,
        below=_BELOW,
        waiting=_WAITING,
        values=feed_terms(agreement),
        before_step=(lambda cursor: use_keys(cursor, home).require_one_key()) if sensitive else None,
    )


def read_changes(connection: Connection, agreement: Agreement, start: Start, key: bytes) -> SequencePage:
    """Read lines of the agreement's feed from `start` on.

    A line is `{sequence, person, kind, changed, values, as_of}`: `person` is a pseudonym that only this feed
    uses; `kind` is created, changed or removed; `changed` names the attributes; `values` holds every
    attribute of the agreement as of `as_of`, null where the hub has no value, and is empty for a removed
    person. A person whom a clerk has merged into another is removed with `merged_into`, the other's
    pseudonym.

    Attributes that have left the agreement since a line was published are removed from it. Lines of people
    who have left its population, or have withdrawn consent, become removals. Encrypted values are decrypted
    inside `decrypting` only.

    Args:
        connection: in a transaction in which a request for the page is open.
        agreement: one with a feed.
        start: where the consumer reads on.
        key: the hub's key for pseudonyms.

    Raises:
        OutOfSequence: when the consumer cannot have the lines up to `start`.
    """
    feed = agreement.feed or ""

    def line(row: Mapping[str, Any]) -> dict[str, Any]:
        cut = decrypted_line(within(row["line"], set(row["names"]) & set(agreement.attributes)))
        named = {"person": feed_pseudonym(key, feed, row["person_key"])}
        if "merged_into" in cut:
            named["merged_into"] = feed_pseudonym(key, feed, cut["merged_into"])
        return {"sequence": row["sequence"], **cut, **named}

    published = Published(feed, _LAST, {"feed": feed})
    return read_page(connection, agreement, published, _READ, line, start=start)


def feed_terms(agreement: Agreement) -> dict[str, Any]:
    """Return what the statements over an agreement's feed have placeholders for."""
    return {
        **consent_terms(agreement),
        "feed": agreement.feed or "",
        "attributes": list(agreement.attributes),
    }


def entitled(agreement: Agreement, person_key: sql.Composable) -> sql.Composable:
    """Build the names of the agreement's attributes that may be disclosed; where needed, with consent."""
    if agreement.needs_consent:
        return sql.SQL(_CONSENTED).format(person_key=person_key)
    return sql.SQL("%(attributes)s::text[]")


def believed_values(agreement: Agreement) -> sql.Composable:
    """Build an object of the golden values of `person`; where consent is needed, of `entitled.names`."""
    pairs = [
        sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier("person", unqualified(name)))
        for name in agreement.attributes
    ]
    every = sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))
    if not agreement.needs_consent:
        return every
    return sql.SQL(_CUT).format(every=every)


def decrypted_line(line: dict[str, Any]) -> dict[str, Any]:
    """Decrypt the encrypted values of an entry, inside `decrypting`, and leave out its internal parts.

    Values and changes of a purged entry are empty: a later one has replaced it.
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
        return sql.SQL("'{}'::jsonb")
    origins = [
        sql.SQL(_ORIGIN).format(name=sql.Literal(qualified(name)), attribute=sql.Literal(name))
        for name in sensitive
    ]
    return sql.SQL(_WITH_ORIGINS).format(origins=sql.SQL(", ").join(origins))


def within(line: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Remove attributes other than `names` from an entry; without any left, it becomes a removal."""
    allowed = set(names)
    if not allowed:
        return line | {"kind": "removed", "changed": [], "values": {}}
    return line | {
        "changed": [name for name in line["changed"] if name in allowed],
        "values": {name: value for name, value in line["values"].items() if name in allowed},
    }


def _agreement_of(settings: Settings, feed: str) -> Agreement:
    by_feed = {
        agreement.feed: agreement for agreement in load_agreements(settings).values() if agreement.feed
    }
    if feed not in by_feed:
        close = difflib.get_close_matches(feed, by_feed, n=1)
        advice = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(by_feed) or 'none'}"
        raise ConfigError(f"no agreement has a feed {feed!r}; {advice}")
    return by_feed[feed]
