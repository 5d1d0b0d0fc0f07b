"""Keeps each agreement's row of `share.entitlement`, by which the database decides what the API is told."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson
from psycopg2 import sql
from psycopg2.extras import Json

from oncehub.config.agreements import Agreement, LegalBasis
from oncehub.config.entities import unqualified
from oncehub.share.agreements.population import population_codes
from oncehub.share.people.relatives import LIFE_STATUS
from oncehub.store.connection import Cursor
from oncehub.store.schema_change import hold_back_readers

_FOREVER: Final = "9999-12-31"


def cited(basis: LegalBasis) -> str:
    """Return a legal text with its article, as the access log holds it."""
    return f"{basis.text}, {basis.article}" if basis.article else basis.text


def entitlement(agreement: Agreement, encrypted: Collection[str]) -> dict[str, Any]:
    """Return what an agreement entitles to, by column of `share.entitlement`.

    Args:
        agreement: as `load_agreements` gives it.
        encrypted: attributes that are encrypted, without `person.`.
    """
    # A form is filled for living people only.
    forms = {LIFE_STATUS} if agreement.procedures else set()
    columns = sorted(unqualified(name) for name in {*agreement.attributes, *forms})
    schemes = {unqualified(name) for name in agreement.search_by}
    # A tax code of 12 digits is the personal number (Thông tư 86/2024/TT-BTC).
    followed = {"personal_id"} if "tax_code" in schemes else set()
    valid, basis, view = agreement.valid, agreement.legal_basis, agreement.citizen_view
    row = {
        "agreement": agreement.name,
        "agency": agreement.agency.id,
        "purpose": agreement.purpose,
        "legal_basis": cited(basis),
        "since": max(valid.since, basis.since).isoformat(),
        "until": min(valid.until.isoformat(), basis.until.isoformat() if basis.until else _FOREVER),
        "attributes": list(agreement.attributes),
        "columns": columns,
        "encrypted": [name for name in columns if name in encrypted],
        "schemes": sorted(schemes | followed),
        "population": population_codes(agreement) or None,
        "by_consent": agreement.needs_consent,
        "forms": bool(agreement.procedures),
        "papers": agreement.papers,
        "relations": list(agreement.relatives),
        "submissions": agreement.submissions is not None,
        "feed": agreement.feed,
        "source": agreement.corrections.source if agreement.corrections else None,
        "noticed": list(agreement.noticed()) if agreement.corrections else [],
        "kinds": list(agreement.cases.kinds) if agreement.cases else [],
        "sources": _listed(agreement.cases.sources) if agreement.cases else None,
        "recorded": list(agreement.records_consent_for),
        "view": view is not None,
        "usage": view is not None and view.usage,
        "correctable": list(view.corrections) if view else [],
    }
    return row | {"digest": hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).hexdigest()}


def match_entitlements(
    cursor: Cursor, agreements: Mapping[str, Agreement], encrypted: Collection[str]
) -> list[str]:
    """Make `share.entitlement` what the agreements say; return the names of those that differed."""
    due = {name: entitlement(agreement, encrypted) for name, agreement in agreements.items()}
    cursor.execute("select agreement, digest from share.entitlement")
    standing = dict(cursor.fetchall())
    differing = sorted(
        name
        for name in standing.keys() | due.keys()
        if name not in due or standing.get(name) != due[name]["digest"]
    )
    if differing:
        hold_back_readers(cursor)
        cursor.execute("delete from share.entitlement where agreement = any(%s)", (differing,))
    for row in (due[name] for name in differing if name in due):
        values = row | {"population": row["population"] and Json(row["population"])}
        cursor.execute(
            sql.SQL("insert into share.entitlement ({}) values ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(map(sql.Placeholder, values)),
            ),
            values,
        )
    return differing


def _listed(names: Collection[str] | None) -> list[str] | None:
    return None if names is None else list(names)
