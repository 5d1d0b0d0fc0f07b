"""Builds the statements that create an agreement's schema and grant rights to its role."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from psycopg2 import sql

from oncehub.config.agreements import Agreement
from oncehub.config.entities import qualified, unqualified
from oncehub.config.procedures import HOUSEHOLD_MEMBERS
from oncehub.share.agreements.population import population_condition
from oncehub.share.consent.consents import consent_terms
from oncehub.share.feeds.entries import feed_terms, standing_names
from oncehub.share.people.household import MOST_MEMBERS
from oncehub.share.people.relatives import LIFE_STATUS, living_condition
from oncehub.share.roles import role_of, schema_of
from oncehub.store.connection import Cursor
from oncehub.store.statements import statement, text_array


def _visible(agreement: Agreement) -> list[str]:
    """Return the columns of `truth.person` that the agreement's role may see."""
    # A form is filled for living people only.
    forms = {LIFE_STATUS} if agreement.procedures else set()
    return sorted(unqualified(name) for name in {*agreement.attributes, *forms})


def _schemes(agreement: Agreement) -> list[str]:
    schemes = {unqualified(name) for name in agreement.search_by}
    # A tax code of 12 digits is the personal number (Thông tư 86/2024/TT-BTC); relatives are found by theirs.
    followed = {"personal_id"} if "tax_code" in schemes or agreement.relatives else set()
    return sorted(schemes | followed)


def access_statements(agreement: Agreement, encrypted: Collection[str], cursor: Cursor) -> sql.Composed:
    """Return the statements that create an agreement's database access, from the files in `sql/`.

    Args:
        agreement: as `load_agreements` gives it.
        encrypted: attributes that are encrypted, without `person.`.
        cursor: its connection quotes the literals.
    """
    columns = _visible(agreement)
    sources = agreement.cases.sources if agreement.cases else None
    parts = {
        "schema": sql.Identifier(schema_of(agreement.name)),
        "role": sql.Identifier(role_of(agreement.name)),
        "columns": sql.SQL(", ").join(_column(agreement, column) for column in columns),
        "names": text_array(columns),
        "readable": _readable(agreement, columns),
        "consented": _consented(agreement, sql.SQL("asked")),
        "encrypted": text_array([column for column in columns if column in encrypted]),
        "schemes": text_array(_schemes(agreement)),
        "covered": population_condition(agreement),
        "attributes": text_array(agreement.attributes),
        "feed": sql.Literal(agreement.feed),
        "names_of_line": _bound(
            standing_names(agreement, sql.Identifier("d", "person_key")), feed_terms(agreement), cursor
        ),
        "source": sql.Literal(agreement.corrections and agreement.corrections.source),
        "noticed": text_array(agreement.noticed()),
        "kinds": text_array(agreement.cases.kinds if agreement.cases else ()),
        "sources": sql.SQL("null::text[]") if sources is None else text_array(sources),
        "living": living_condition("member"),
        "most": sql.Literal(MOST_MEMBERS),
        "agreement": sql.Literal(agreement.name),
        "recorded": text_array(agreement.records_consent_for),
        "correctable": text_array(agreement.citizen_view.corrections if agreement.citizen_view else ()),
    }
    return sql.SQL("").join(template.format(**parts) for template in _templates(agreement))


def _consented(agreement: Agreement, person: sql.Composable) -> sql.Composable:
    """Build the qualified names of the attributes that a person has consented to, where consent is needed."""
    if not agreement.needs_consent:
        return sql.SQL("'{}'::text[]")
    terms = consent_terms(agreement)
    return sql.SQL("share.consented({}, {}, {}, {})").format(
        *(sql.Literal(terms[name]) for name in ("agreement", "agency", "purpose")), person
    )


def _readable(agreement: Agreement, columns: Collection[str]) -> sql.Composable:
    """Build the names of the columns that may be read of a row of `truth.person`."""
    if not agreement.needs_consent:
        return text_array(columns)
    names = sql.SQL("array(select substr(name, 8) from unnest({}) as name)")
    return names.format(_consented(agreement, sql.Identifier("person", "person_key")))


def _column(agreement: Agreement, column: str) -> sql.Composable:
    # The life status decides whether a form is filled, and leaves the hub by a refusal only.
    if not agreement.needs_consent or qualified(column) not in agreement.attributes:
        return sql.Identifier("person", column)
    return sql.SQL("case when {} = any(consent.readable) then {} end as {}").format(
        sql.Literal(column), sql.Identifier("person", column), sql.Identifier(column)
    )


def _bound(statement: sql.Composable, values: Mapping[str, Any], cursor: Cursor) -> sql.Composable:
    """Replace a statement's placeholders by literals."""
    return sql.SQL(cursor.mogrify(statement, values).decode())


def _templates(agreement: Agreement) -> Iterator[sql.SQL]:
    parts = {
        "people": True,
        "household": HOUSEHOLD_MEMBERS in agreement.relatives,
        "feed": agreement.feed,
        "notices": agreement.corrections,
        "cases": agreement.cases,
        "forms": agreement.procedures,
        "papers": agreement.procedures and agreement.papers,
        "submissions": agreement.submissions,
        "consents": agreement.records_consent_for,
        "correction_requests": agreement.citizen_view,
        "usage": agreement.citizen_view and agreement.citizen_view.usage,
    }
    for part, entitled in parts.items():
        if entitled:
            yield statement(__name__, part)
