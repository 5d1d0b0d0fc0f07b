"""The statements that a run weighs against each other, read for an explanation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg2 import sql
from psycopg2.extras import Json, RealDictCursor

from oncehub.config.entities import qualified
from oncehub.encryption.field_values import is_encrypted
from oncehub.reconcile.discrepancies.compare import agreement
from oncehub.reconcile.rules.ranking import doubts_of, precedence, score, statements
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.reconcile.rules.statements import columns
from oncehub.reconcile.survivorship.history import Version
from oncehub.store.connection import Connection

Record = tuple[str, str, str]
"""Source, stream and key."""

Likeness = Literal["same", "form", "different"]
"""Against the believed value: the same; the same but for its form; another."""

# The linked records that were received by a moment, ranked as a run ranks them.
_WEIGHED: Final = sql.SQL("""
with linked as materialized (
    select k.person_key, source, stream, source_key, k.method
    from truth.link k join record.person r using (source, stream, source_key)
    where k.person_key = any(%(people)s::uuid[]) and r.received_at <= %(at)s
),
believed as materialized (
    select given.person_key, value.*
    from unnest(%(people)s::uuid[], %(believed)s::jsonb[]) given (person_key, believed)
    cross join lateral (
        select {attributes} from jsonb_populate_record(null::truth.person, given.believed)
    ) value
),
statement as materialized ({statements}),
doubted as (
    select
        source, stream, source_key, k.method as linked_by,
        array_remove(array[{doubts}]::text[], null) as doubts
    from linked k join record.person r using (source, stream, source_key)
)
select *
from ({ranked}) ranked
order by place nulls last, source, stream, source_key
""")

_DOUBT: Final = sql.SQL("case when {condition} then {name} end")

# Of several records of the register about one person only the founder's speaks for it.
_HAS_SAY: Final = sql.SQL("(source = any({sources}) and linked_by <> 'joined')")

_RANKED: Final = sql.SQL("""
select
    s.person_key::text, {name} as attribute, source, stream, source_key, stated_at,
    {stated} as value, {score} as score,
    case when {stated} = to_jsonb(b.{attribute}) then 'same' when {agree} then 'form' else 'different' end
        as likeness,
    case when {has_say} then row_number() over (
        partition by s.person_key, {has_say} order by {precedence}
    ) end as place,
    linked_by, doubts
from statement s join believed b using (person_key) join doubted using (source, stream, source_key)
where s.{attribute} is not null
""")

# In the form in which versions are kept.
_STATED: Final = sql.SQL("jsonb_strip_nulls(to_jsonb({stated}))")

_WHEREABOUTS: Final = """
select
    source, stream, source_key, k.person_key::text,
    r.source is null or r.deleted_at is not null as deleted, r.received_at
from unnest(%(sources)s::text[], %(streams)s::text[], %(keys)s::text[]) g (source, stream, source_key)
left join record.person r using (source, stream, source_key)
left join truth.link k using (source, stream, source_key)
"""

_UNSETTLED: Final = """
select person_key::text from truth.pending where person_key = any(%(people)s::uuid[])
union
select k.person_key::text
from truth.link k join intake.dirty d using (source, stream, source_key)
where k.person_key = any(%(people)s::uuid[])
"""


@dataclass(frozen=True)
class Weighed:
    """One record's statement of an attribute.

    Attributes:
        linked_by: the method that links the record to the person.
        doubts: by name, as in `doubts_of`, what makes the record doubtful.
        likeness: of its value to the believed one.
        place: among those with a say, the believed one first; None without a say.
        score: as in `ranking.score`; None under an authority and without a say.
    """

    record: Record
    value: Any
    stated_at: datetime
    linked_by: str
    doubts: list[str]
    likeness: Likeness
    place: int | None
    score: float | None


@dataclass(frozen=True)
class Whereabouts:
    """Where a record is now: deleted, or linked to a person, or to nobody; and when its word was received."""

    deleted: bool
    person: UUID | None
    received_at: datetime | None


def weighed(
    connection: Connection,
    rules: Rulebook,
    believed: Mapping[UUID, Version],
    attributes: Sequence[str],
    at: datetime,
) -> dict[tuple[UUID, str], list[Weighed]]:
    """Return by person and attribute what linked records state, in the order in which they are believed.

    Args:
        connection: one that may read `record` and `truth`.
        rules: those to weigh by.
        believed: by person, what their statements are compared with.
        attributes: names of the person's attributes.
        at: only what was received by then.
    """
    found: dict[tuple[UUID, str], list[Weighed]] = {}
    values = {
        "people": [str(person) for person in believed],
        "believed": [Json(_plain(rules, version.believed)) for version in believed.values()],
        "at": at,
    }
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_query(rules, attributes), values)
        for row in cursor.fetchall():
            key = UUID(row.pop("person_key")), row.pop("attribute")
            record = tuple(row.pop(name) for name in ("source", "stream", "source_key"))
            told = _decrypted(rules, believed[key[0]], key[1], record, row["value"])
            found.setdefault(key, []).append(Weighed(record, **row | told))
    return found


def _plain(rules: Rulebook, believed: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out encrypted attributes, whose values are not sent to the database."""
    return {name: value for name, value in believed.items() if not rules.person.attributes[name].sensitive}


def _decrypted(rules: Rulebook, version: Version, name: str, record: Record, stored: Any) -> dict[str, Any]:
    """What the database cannot tell of an encrypted value: what it is, and whether it is the believed one."""
    if not is_encrypted(stored):
        return {}
    value = rules.decryptor.decrypted(qualified(name), record, stored)
    return {"value": value, "likeness": "same" if version.believed.get(name) == value else "different"}


def whereabouts(connection: Connection, records: Collection[Record]) -> dict[Record, Whereabouts]:
    """Return where records are now."""
    sources, streams, keys = zip(*records, strict=True) if records else ((), (), ())
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_WHEREABOUTS, {"sources": list(sources), "streams": list(streams), "keys": list(keys)})
        return {
            (row["source"], row["stream"], row["source_key"]): Whereabouts(
                row["deleted"], UUID(row["person_key"]) if row["person_key"] else None, row["received_at"]
            )
            for row in cursor.fetchall()
        }


def unsettled(connection: Connection, people: Iterable[UUID]) -> set[UUID]:
    """Return those about whom something changed that no run has weighed yet."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSETTLED, {"people": [str(person) for person in people]})
        return {UUID(person) for (person,) in cursor.fetchall()}


def _query(rules: Rulebook, attributes: Sequence[str]) -> sql.Composed:
    doubts = [
        _DOUBT.format(condition=condition, name=sql.Literal(name))
        for name, condition in doubts_of(rules).items()
    ]
    return _WEIGHED.format(
        attributes=columns(attributes),
        statements=statements(rules, attributes),
        doubts=sql.SQL(", ").join(doubts),
        ranked=sql.SQL(" union all ").join(_ranked(rules, name) for name in attributes),
    )


def _ranked(rules: Rulebook, name: str) -> sql.Composed:
    rule, compared = rules.survivorship.attributes[name], rules.comparison.attributes.get(name)
    stated, believed = sql.Identifier("s", name), sql.Identifier("b", name)
    return _RANKED.format(
        name=sql.Literal(name),
        attribute=sql.Identifier(name),
        stated=_STATED.format(stated=stated),
        score=score(rule) if rule.trust else sql.SQL("null::float8"),
        agree=agreement(compared, stated, believed) if compared else sql.SQL("false"),
        has_say=_HAS_SAY.format(sources=sql.Literal(list(rule.sources))),
        precedence=precedence(rule),
    )
