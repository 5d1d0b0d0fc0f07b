"""Consent of citizens to what an agreement lets be asked of them: recorded with its proof, and withdrawn.

Luật 91/2025/QH15; Nghị định 356/2025/NĐ-CP Điều 6: it is never a default, names what it is given for, and
can be proven: who, when, to what.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from oncehub.audit.log.entries import VouchedBy
from oncehub.config.agreements import Agreement
from oncehub.config.privacy import DeadlineRules
from oncehub.errors import AccessDenied, ConsentNotFound, ConsentRefused
from oncehub.share.consent.evidence import Evidence
from oncehub.share.data_subjects.requests import Due, due, open_request
from oncehub.share.request_proofs import insert
from oncehub.share.roles import rows_as
from oncehub.store.connection import Connection

Channel = Literal["vneid", "portal", "counter"]
"""VNeID, the public service portal, or paper before an officer."""

_CLOCKS_APART = timedelta(minutes=5)

_PROVEN = """
select consent_id::text,
    (person_key::text, purpose, attributes, text_digest)
        = (%(person_key)s, %(purpose)s, %(attributes)s::text[], %(text_digest)s) as same
from {share}.consent_proven_by(%(agreement)s, %(channel)s, %(reference)s)
"""

_FIND = """
select person_key::text, agreement, given_at, withdrawn_at
from {share}.consent_of(%(consent_id)s, %(agreements)s)
"""

_OF_PERSON = "select * from {share}.consents_of(%(person)s, %(agreements)s)"


@dataclass(frozen=True)
class Proof:
    """How it is proven that a citizen consented, or withdrew.

    Attributes:
        reference: of the transaction, or of the paper.
        officer: who recorded it; required at a counter.
        recorded_by: the client that recorded it.
        vouched_by: who vouches for the citizen: see `oncehub.audit.log.entries.Entry`; `operator` where the
            hub's operator recorded it.
        evidence: by which an identity provider proved the citizen; it is kept.
    """

    channel: Channel
    reference: str
    officer: str | None
    recorded_by: str
    vouched_by: VouchedBy | Literal["operator"]
    evidence: Evidence | None = None


@dataclass(frozen=True)
class ShownText:
    """The text that a citizen consented to: its version, and SHA-256 of its bytes in hexadecimal."""

    version: str
    digest: str


@dataclass(frozen=True)
class Consent:
    """A consent as the citizen sees it; it holds while it is not withdrawn."""

    consent_id: str
    agreement: str
    purpose: str
    attributes: tuple[str, ...]
    text_version: str
    given_at: datetime
    withdrawn_at: datetime | None


@dataclass(frozen=True)
class Withdrawn:
    """A withdrawal, and the day by which the agency must have followed it."""

    person_key: str
    agreement: str
    withdrawn_at: datetime
    due: Due


def consent_terms(agreement: Agreement) -> dict[str, str]:
    """Return what a consent must have been given to, as `share.consented` takes it."""
    return {"agreement": agreement.name, "agency": agreement.agency.id, "purpose": agreement.purpose}


def record_consent(
    connection: Connection,
    agreement: Agreement,
    person_key: str,
    attributes: Collection[str],
    *,
    text: ShownText,
    given_at: datetime,
    proof: Proof,
    under: Agreement | None = None,
) -> str:
    """Record within the caller's transaction that a person has consented; return the consent's id.

    The same once more changes nothing and gives the same id.

    Args:
        connection: in a transaction.
        agreement: what is consented to.
        person_key: who consents.
        attributes: those that the person consents to; some of the agreement's.
        text: what the citizen was shown.
        given_at: when they consented, with time zone.
        proof: of it.
        under: the agreement under which it is recorded, in whose open request it is; None records
            it with the hub's own rights.

    Raises:
        AccessDenied: naming the attributes that the agreement does not cover.
        ConsentRefused: when the agreement needs no consent, nothing is named, the moment lies in the future,
            or the proof is of another consent.
    """
    _require_fit(agreement, attributes, given_at)
    values: dict[str, Any] = {
        **consent_terms(agreement),
        "consent_id": str(uuid.uuid4()),
        "person_key": person_key,
        "attributes": sorted(set(attributes)),
        "text_version": text.version,
        "text_digest": text.digest,
        "given_at": given_at,
    }
    values |= _proof_columns(proof)
    if insert(connection, "share.consent", values)["written"]:
        if proof.evidence:
            proof.evidence.keep(connection, str(values["consent_id"]), "given")
        return str(values["consent_id"])
    known = rows_as(connection, under, _PROVEN, values)
    if not known or not known[0]["same"]:
        raise ConsentRefused("this proof is of another consent; a consent has a transaction of its own")
    return str(known[0]["consent_id"])


def withdraw_consent(
    connection: Connection,
    rules: DeadlineRules,
    consent_id: uuid.UUID,
    agreements: Sequence[str],
    *,
    withdrawn_at: datetime,
    proof: Proof,
    person_key: str | None = None,
    under: Agreement | None = None,
) -> Withdrawn:
    """Withdraw a consent within the caller's transaction; from its end on no answer relies on it.

    It becomes a request too, by which the agency stops what it does with what it has. A second time changes
    nothing.

    Args:
        connection: in a transaction.
        rules: `mappings/rules/deadlines.yaml`.
        consent_id: which.
        agreements: names of those whose consents the caller may withdraw.
        withdrawn_at: when the citizen withdrew it, with time zone.
        proof: of it.
        person_key: who withdraws it, where a citizen does so by themselves: their own alone.
        under: as of `record_consent`.

    Raises:
        ConsentNotFound: when there is none of that id under those agreements, or it is another person's.
        ConsentRefused: when the moment lies in the future, or before it was given.
    """
    values = {"consent_id": str(consent_id), "agreements": list(agreements)}
    found = rows_as(connection, under, _FIND, values)
    if not found or person_key not in (None, found[0]["person_key"]):
        raise ConsentNotFound(f"there is no consent {consent_id}")
    person_key, agreement, given_at, before = found[0].values()
    if before is None and not given_at <= withdrawn_at <= datetime.now(UTC) + _CLOCKS_APART:
        raise ConsentRefused("a consent is withdrawn after it was given, and not in the future")
    row = {"consent_id": str(consent_id), "withdrawn_at": withdrawn_at, **_proof_columns(proof)}
    if not insert(connection, "share.consent_withdrawal", row)["written"]:
        (current,) = rows_as(connection, under, _FIND, values)
        withdrawn_at = current["withdrawn_at"]
        return Withdrawn(person_key, agreement, withdrawn_at, due(rules, "withdrawal", withdrawn_at))
    if proof.evidence:
        proof.evidence.keep(connection, str(consent_id), "withdrawn")
    opened = open_request(
        connection,
        rules,
        "withdrawal",
        person_key,
        withdrawn_at,
        agreement=agreement,
        consent_id=str(consent_id),
        vouched_by=proof.vouched_by,
    )
    return Withdrawn(person_key, agreement, withdrawn_at, opened.due)


def consents_of(
    connection: Connection, under: Agreement, person_key: str, agreements: Sequence[str]
) -> list[Consent]:
    """Give a person's consents to some agreements, withdrawn ones too, the first first.

    Args:
        connection: in a transaction in which a request about the person is open under it.
        under: the agreement under which that is asked.
        person_key: whose.
        agreements: names of those that `under` lets its clients record consents for.
    """
    rows = rows_as(connection, under, _OF_PERSON, {"person": person_key, "agreements": list(agreements)})
    return [
        Consent(**row | {"consent_id": str(row["consent_id"]), "attributes": tuple(row["attributes"])})
        for row in rows
    ]


def _proof_columns(proof: Proof) -> dict[str, Any]:
    return {name: value for name, value in vars(proof).items() if name != "evidence"}


def _require_fit(agreement: Agreement, attributes: Collection[str], given_at: datetime) -> None:
    if not agreement.needs_consent:
        raise ConsentRefused(f"the agreement {agreement.name} needs no consent; none is recorded for it")
    if not attributes:
        raise ConsentRefused("name each attribute that the citizen consents to")
    if refused := sorted(set(attributes) - set(agreement.attributes)):
        raise AccessDenied(f"the agreement {agreement.name} does not cover these attributes", tuple(refused))
    if given_at > datetime.now(UTC) + _CLOCKS_APART:
        raise ConsentRefused("a consent that is given in the future is none yet")
