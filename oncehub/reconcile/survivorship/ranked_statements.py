"""Reads what records state of people, ranked as a run ranks it; `explain` says what the ranking means."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg2 import sql
from psycopg2.extras import Json, RealDictCursor

from oncehub.config.entities import qualified
from oncehub.encryption.field_values import FieldDecryptor, is_encrypted
from oncehub.reconcile.rules.agreement import agreement
from oncehub.reconcile.rules.columns import columns
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.reconcile.survivorship.ranking import doubts_of, precedence, score, statements
from oncehub.reconcile.survivorship.versions import Version
from oncehub.store.connection import Connection
from oncehub.store.statements import statement

Record = tuple[str, str, str]
"""Source, stream and key."""

Likeness = Literal["same", "form", "different"]
"""Compared with the golden value: equal; equal but for its form; different."""

Departure = Literal["deleted", "elsewhere", "replaced", "silent"]
"""Why a record no longer states a value of a person: it is deleted; it is linked to somebody else; it was
stated anew after the moment asked about; it states no value any more."""

_DOUBT: Final = sql.SQL("case when {condition} then {name} end")

# Of several records of the register about one person, only the founding record is trusted.
_TRUSTED: Final = sql.SQL("(source = any({sources}) and linked_by <> 'merged')")

# The value is in the form in which versions are kept.
_RANKED: Final = sql.SQL("""
    select
        s.person_key::text, {name} as attribute, source, stream, source_key, stated_at,
        {stated} as value, {score} as score,
        case when {stated} = to_jsonb(b.{attribute}) then 'same' when {agree} then 'form' else 'different' end
            as likeness,
        case when {trusted} then row_number() over (
            partition by s.person_key, {trusted} order by {precedence}
        ) end as place,
        linked_by, doubts
    from statement s join golden b using (person_key) join doubted using (source, stream, source_key)
    where s.{attribute} is not null
""")
_STATED: Final = sql.SQL("jsonb_strip_nulls(to_jsonb({stated}))")

_DEPARTURES: Final = """
select
    g.person_key::text, source, stream, source_key,
    case
        when r.source is null or r.deleted_at is not null then 'deleted'
        when k.person_key is distinct from g.person_key then 'elsewhere'
        when r.received_at > %(at)s then 'replaced'
        else 'silent'
    end as departure
from unnest(%(people)s::uuid[], %(sources)s::text[], %(streams)s::text[], %(keys)s::text[])
    g (person_key, source, stream, source_key)
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
class RankedStatement:
    """One record's statement of an attribute.

    Attributes:
        linked_by: the method that links the record to the person.
        doubts: what makes the record doubtful, by the names of `doubts_of`.
        likeness: of its value to the golden value.
        place: from 1 for the winner; None where the rule does not trust the source.
        score: as in `ranking.score`; None under an authority.
    """

    record: Record
    value: Any
    stated_at: datetime
    linked_by: str
    doubts: list[str]
    likeness: Likeness
    place: int | None
    score: float | None


def ranked_statements(
    connection: Connection,
    rules: Rulebook,
    golden: Mapping[UUID, Version],
    attributes: Sequence[str],
    at: datetime,
) -> dict[tuple[UUID, str], list[RankedStatement]]:
    """Return by person and attribute what linked records state, the winner first.

    Args:
        connection: one that may read `record` and `truth`.
        rules: the rules to rank by.
        golden: by person, the golden record that statements are compared with.
        attributes: names of the person's attributes.
        at: only statements received by this moment.
    """
    found: dict[tuple[UUID, str], list[RankedStatement]] = {}
    # Encrypted attributes are left out: the database never gets their values.
    plain = [
        {name: value for name, value in each.believed.items() if not rules.person.attributes[name].sensitive}
        for each in golden.values()
    ]
    values = {
        "people": [str(person) for person in golden],
        "golden": [Json(each) for each in plain],
        "at": at,
    }
    decryptor = FieldDecryptor(rules.home, connection)
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(ranking(rules, attributes), values)
        for row in cursor.fetchall():
            person, name = UUID(row.pop("person_key")), row.pop("attribute")
            record = tuple(row.pop(part) for part in ("source", "stream", "source_key"))
            if is_encrypted(row["value"]):
                row["value"] = decryptor.decrypted(qualified(name), record, row["value"])
                same = golden[person].believed.get(name) == row["value"]
                row["likeness"] = "same" if same else "different"
            found.setdefault((person, name), []).append(RankedStatement(record, **row))
    return found


def departures(
    connection: Connection, records: Collection[tuple[UUID, Record]], at: datetime
) -> dict[tuple[UUID, Record], Departure]:
    """Return for people, each with a record that no longer states a value of theirs, why it does not."""
    values = {
        "people": [str(person) for person, _ in records],
        "sources": [source for _, (source, _, _) in records],
        "streams": [stream for _, (_, stream, _) in records],
        "keys": [key for _, (_, _, key) in records],
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DEPARTURES, values)
        return {
            (UUID(person), (source, stream, key)): why
            for person, source, stream, key, why in cursor.fetchall()
        }


def unsettled(connection: Connection, people: Iterable[UUID]) -> set[UUID]:
    """Return those people about whom something changed that no run has processed yet."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSETTLED, {"people": [str(person) for person in people]})
        return {UUID(person) for (person,) in cursor.fetchall()}


def ranking(rules: Rulebook, attributes: Sequence[str]) -> sql.Composed:
    """Return the query of `ranked_statements`."""
    doubts = [
        _DOUBT.format(condition=condition, name=sql.Literal(name))
        for name, condition in doubts_of(rules).items()
    ]
    return statement(__name__, "ranked").format(
        attributes=columns(attributes),
        statements=statements(rules, attributes),
        doubts=sql.SQL(", ").join(doubts),
        ranked=sql.SQL("    union all").join(_ranked(rules, name) for name in attributes),
    )


def _ranked(rules: Rulebook, name: str) -> sql.Composed:
    rule, compared = rules.survivorship.attributes[name], rules.comparison.attributes.get(name)
    stated, golden = sql.Identifier("s", name), sql.Identifier("b", name)
    return _RANKED.format(
        name=sql.Literal(name),
        attribute=sql.Identifier(name),
        stated=_STATED.format(stated=stated),
        score=score(rule) if rule.trust else sql.SQL("null::float8"),
        agree=agreement(compared, stated, golden) if compared else sql.SQL("false"),
        trusted=_TRUSTED.format(sources=sql.Literal(list(rule.sources))),
        precedence=precedence(rule),
    )
