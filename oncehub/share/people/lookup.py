"""Looks up one person by identifiers, with the rights of an agreement's role."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from psycopg2 import sql

from oncehub.config.agreements import Agreement
from oncehub.config.entities import qualified, unqualified
from oncehub.encryption.field_values import decrypted_here, is_encrypted, record_of
from oncehub.share.consent.consents import lock_consents
from oncehub.share.roles import role_of, schema_of
from oncehub.store.connection import Connection

WithheldBecause = Literal["population", "consent"]
"""Why a person who was found is withheld."""


@dataclass(frozen=True)
class Believed:
    """The believed value of one attribute; all fields are None where the hub has none.

    Attributes:
        value: text, or an object for a composite, which is always given whole.
        source: that states it.
        as_of: when the source stated it, ISO 8601 UTC.
        rule: the survivorship rule that chose it.
        doubtful: the record that states it is in doubt; see docs/concepts/golden-record.md.
        disputed: another source states, and not as something outdated, a different value.
        consented: false where the person has not consented to the attribute, whose value is withheld then.
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
        """Whether the value prevails: it is undisputed, or an authority states it."""
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
    """A person who was found and whom the agreement does not cover; that the person exists is withheld too.

    Attributes:
        key: for the access log, and nothing else.
        why: they are outside the agreement's population, or have not consented to what was asked.
    """

    key: str
    why: WithheldBecause


_MOST_COMPOSED = 1024
_composed: dict[tuple[str, tuple[str, ...]], str] = {}

# One message to the server and back. The function gives one row, always; when it is there, the role is left.
_LOOK_UP = """
set local role {role};
select key::text, consented, (person).person_key is not null, (person).provenance,
    (person).disputed_attributes, set_config('role', 'none', true), {columns}
from {schema}.look_up(%s, %s)
"""


def _look_up(connection: Connection, agreement: str, columns: tuple[str, ...]) -> str:
    """Compose the statement; those composed last are kept."""
    known = _composed.get((agreement, columns))
    if known is not None:
        return known
    statement = sql.SQL(_LOOK_UP).format(
        role=sql.Identifier(role_of(agreement)),
        schema=sql.Identifier(schema_of(agreement)),
        columns=sql.SQL(", ").join(sql.SQL("(person).{}").format(sql.Identifier(name)) for name in columns),
    )
    if len(_composed) >= _MOST_COMPOSED:
        _composed.clear()
    _composed[agreement, columns] = text = statement.as_string(connection)
    return text


def find_person(
    connection: Connection,
    agreement: Agreement,
    search: Mapping[str, str],
    attributes: Collection[str],
    *,
    partly: bool = False,
) -> Person | Withheld | None:
    """Return the one person that every search term leads to, with `attributes`; None when there is not one.

    A former personal number finds its person too, unless another person has it now. Answers must not
    distinguish `Withheld` from None. Consent is read in the caller's transaction and cannot be withdrawn
    before its end. The database reads with the rights of the agreement's
    role (see `oncehub.share.access.database_access`); the caller's checks come first.

    Args:
        connection: one that may become the agreement's role, in a transaction; encrypted values
            are decrypted inside `decrypting` only.
        agreement: on whose behalf.
        search: qualified attribute -> value, of those in `agreements.SEARCHABLE`.
        attributes: qualified names of the person's attributes; at least one.
        partly: where a person has consented to some of the agreement's attributes, give them with those; the
            others have no value, and are marked.
    """
    terms = [_identifier(name, value) for name, value in search.items()]
    names = {name: unqualified(name) for name in attributes}
    if agreement.needs_consent:
        lock_consents(connection, agreement)
    with connection.cursor() as cursor:
        cursor.execute(
            _look_up(connection, agreement.name, tuple(names.values())),
            ([scheme for scheme, _ in terms], [value for _, value in terms]),
        )
        key, names_consented, is_covered, provenance, disputed, _, *values = cursor.fetchone() or ()
    if key is None:
        return None
    consented = set(names_consented)
    if agreement.needs_consent and not (consented if partly else consented.issuperset(attributes)):
        return Withheld(key, "consent")
    if not is_covered:
        return Withheld(key, "population") if agreement.population else None
    unconsented = set(agreement.attributes) - consented if agreement.needs_consent else set()
    return Person(
        key,
        {
            name: Believed(None, consented=False)
            if name in unconsented
            else believed(column, value, provenance, disputed)
            for (name, column), value in zip(names.items(), values, strict=True)
        },
    )


def _identifier(attribute: str, value: str) -> tuple[str, str]:
    """Return the scheme that `truth.identifier` holds a search term under, and its value.

    A tax code of 12 digits is the personal number (Thông tư 86/2024/TT-BTC).
    """
    scheme = unqualified(attribute)
    return ("personal_id" if scheme == "tax_code" and len(value) == 12 else scheme), value


def believed(column: str, value: Any, provenance: Mapping[str, Any], disputed: Collection[str]) -> Believed:
    """Return the believed value of one column of an agreement's view; see `access/sql/people.sql`."""
    if value is None:
        return Believed(None)
    origin = provenance.get(column) or provenance.get("*", {})
    if is_encrypted(value):
        value = decrypted_here(qualified(column), record_of(provenance, column), value)
    return Believed(
        value=value,
        source=origin.get("source"),
        as_of=origin.get("as_of"),
        rule=origin.get("rule"),
        doubtful=bool(origin.get("doubtful")),
        disputed=column in disputed,
    )
