"""Finding one person by identifiers, and the believed values of the attributes asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from oncehub.model.sharing import Agreement
from oncehub.store.connection import Connection
from oncehub.store.sealed_values import is_sealed, opened_here, record_of


@dataclass(frozen=True)
class Believed:
    """One attribute's believed value; all fields are None where nothing is held.

    Attributes:
        value: text, or an object for a composite, which is always given whole.
        source: whose word it is.
        as_of: when that source stated it, ISO 8601 UTC.
        rule: the survivorship rule that chose it.
        doubtful: the record that states it is in doubt; see docs/truth.md.
        disputed: another source states, and not as something outdated, a different value.
    """

    value: Any
    source: str | None = None
    as_of: str | None = None
    rule: str | None = None
    doubtful: bool = False
    disputed: bool = False

    @property
    def stands(self) -> bool:
        """Tell whether the value holds against others: the word of an authority does."""
        return not self.disputed or self.rule == "authority"


@dataclass(frozen=True)
class Person:
    """A person with the attributes asked for, by qualified name (`person.full_name`).

    Attributes:
        key: `truth.person.person_key`; never leaves the hub.
    """

    key: str
    attributes: dict[str, Believed]


# A term's value leads to whoever holds it now, else to whoever held it formerly; a contested value to nobody.
_FIND = """
with term as (
    select number, scheme, text.identifying(scheme, value) as value
    from unnest(%(schemes)s::text[], %(values)s::text[]) with ordinality as given (scheme, value, number)
),
claim as (
    select number, person_key, current,
        bool_or(current) over same_term as held_now,
        bool_or(contested) over same_term as contested
    from term join truth.identifier using (scheme, value)
    window same_term as (partition by number)
),
found as (
    select person_key
    from claim
    where not contested and (current or not held_now)
    group by person_key
    having count(*) = (select count(*) from term)
)
select person_key::text, provenance, {columns}, array(
    select distinct attribute from truth.discrepancy
    where discrepancy.person_key = person.person_key and kind = 'conflict' and closed_at is null
) as disputed_attributes
from truth.person join found using (person_key)
limit 2
"""


def find_person(
    connection: Connection,
    agreement: Agreement,  # noqa: ARG001 - names the role that reads, once agreements have roles
    search: Mapping[str, str],
    attributes: Collection[str],
) -> Person | None:
    """Return the one person that every search term leads to, with `attributes`; None when there is not one.

    A former personal number leads to its person too, unless somebody else holds it now.

    Args:
        connection: one that may read `truth`; what is sealed is opened inside `unsealing` only.
        agreement: on whose behalf; that it covers what is asked is for the caller to check.
        search: qualified attribute -> value, of those in `agreements.SEARCHABLE`.
        attributes: qualified names of the person's attributes; at least one.
    """
    terms = [_identifier(name, value) for name, value in search.items()]
    names = {name: name.removeprefix("person.") for name in attributes}
    statement = sql.SQL(_FIND).format(columns=sql.SQL(", ").join(map(sql.Identifier, names.values())))
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            statement, {"schemes": [scheme for scheme, _ in terms], "values": [value for _, value in terms]}
        )
        rows = cursor.fetchall()
    if len(rows) != 1:
        return None
    row = rows[0]
    return Person(row["person_key"], {name: _believed(row, column) for name, column in names.items()})


def _identifier(attribute: str, value: str) -> tuple[str, str]:
    """Return the scheme that `truth.identifier` holds a search term under, and its value.

    A tax code of 12 digits is the personal number (Thông tư 86/2024/TT-BTC).
    """
    scheme = attribute.removeprefix("person.")
    return ("personal_id" if scheme == "tax_code" and len(value) == 12 else scheme), value


def _believed(row: Mapping[str, Any], column: str) -> Believed:
    if row[column] is None:
        return Believed(None)
    origin = row["provenance"].get(column) or row["provenance"].get("*", {})
    value = row[column]
    if is_sealed(value):
        value = opened_here(f"person.{column}", record_of(row["provenance"], column), value)
    return Believed(
        value=value,
        source=origin.get("source"),
        as_of=origin.get("as_of"),
        rule=origin.get("rule"),
        doubtful=bool(origin.get("doubtful")),
        disputed=column in row["disputed_attributes"],
    )
