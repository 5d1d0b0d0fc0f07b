"""Finding one person by identifiers, and the believed values of the attributes asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from oncehub.model.sharing import Agreement
from oncehub.share.consents import consent_terms, hold_consents
from oncehub.share.population import covered
from oncehub.store.connection import Connection
from oncehub.store.sealed_values import is_sealed, opened_here, record_of

WithheldBecause = Literal["population", "consent"]
"""Why somebody who was found is not told of."""


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
        consented: false where the person has not consented to it, so that nothing is told of it.
    """

    value: Any
    source: str | None = None
    as_of: str | None = None
    rule: str | None = None
    doubtful: bool = False
    disputed: bool = False
    consented: bool = True

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


@dataclass(frozen=True)
class Withheld:
    """Somebody who was found, and of whom the agreement lets nothing be told, not even that they exist.

    Attributes:
        key: for the access log, and nothing else.
        why: they are outside the agreement's population, or have not consented to what was asked.
    """

    key: str
    why: WithheldBecause


# Whom terms lead to is told in `share.sought`; without consent the row is not looked at.
_FIND = """
select person_key::text, provenance, {columns}, array(
    select distinct attribute from truth.discrepancy
    where discrepancy.person_key = person.person_key and kind = 'conflict' and closed_at is null
) as disputed_attributes
from truth.person
where person_key = %(key)s::uuid and {covered}
"""

# Of nobody the same is asked as of somebody, so that it takes as long.
_SOUGHT = """
select key::text, {consented} as consented
from share.sought(%(schemes)s, %(values)s) as key
"""

_CONSENTED = "share.consented(%(agreement)s, %(agency)s, %(purpose)s, coalesce(key, %(nobody)s::uuid))"

_NOBODY = "00000000-0000-0000-0000-000000000000"
"""A key that no person has: to look for it takes as long as for somebody."""


def find_person(
    connection: Connection,
    agreement: Agreement,
    search: Mapping[str, str],
    attributes: Collection[str],
    *,
    partly: bool = False,
) -> Person | Withheld | None:
    """Return the one person that every search term leads to, with `attributes`; None when there is not one.

    A former personal number leads to its person too, unless somebody else holds it now. Whoever asks must not
    be able to tell `Withheld` from None. Where the agreement needs consent, that is looked at in the caller's
    transaction, and cannot be withdrawn before its end.

    Args:
        connection: one that may read `truth`; what is sealed is opened inside `unsealing` only.
        agreement: on whose behalf; that it covers what is asked is for the caller to check.
        search: qualified attribute -> value, of those in `agreements.SEARCHABLE`.
        attributes: qualified names of the person's attributes; at least one.
        partly: where a person has consented to some of the agreement's attributes, give them with those; the
            others have no value, and are marked.
    """
    key, consented = _sought(connection, agreement, search)
    if key is None and not agreement.population:
        return None
    if agreement.needs_consent and not (consented if partly else consented.issuperset(attributes)):
        return Withheld(key, "consent") if key else None
    names = {name: name.removeprefix("person.") for name in attributes}
    statement = sql.SQL(_FIND).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, names.values())), covered=covered(agreement)
    )
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement, {"key": key or _NOBODY})
        row = cursor.fetchone()
    if key is None or row is None:
        return Withheld(key, "population") if key and agreement.population else None
    unconsented = set(agreement.attributes) - consented if agreement.needs_consent else set()
    return Person(
        key,
        {
            name: Believed(None, consented=False) if name in unconsented else _believed(row, column)
            for name, column in names.items()
        },
    )


def _sought(
    connection: Connection, agreement: Agreement, search: Mapping[str, str]
) -> tuple[str | None, set[str]]:
    """Return the key of whom the terms lead to, and what they consent to where that is needed."""
    terms = [_identifier(name, value) for name, value in search.items()]
    values: dict[str, Any] = {"schemes": [scheme for scheme, _ in terms], "nobody": _NOBODY}
    values |= {"values": [value for _, value in terms], **consent_terms(agreement)}
    if agreement.needs_consent:
        hold_consents(connection, agreement)
    statement = sql.SQL(_SOUGHT).format(
        consented=sql.SQL(_CONSENTED if agreement.needs_consent else "'{}'::text[]")
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        key, consented = cursor.fetchone() or (None, [])
    return key, set(consented)


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
