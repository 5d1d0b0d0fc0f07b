"""Verifies the kept evidence of consents by the rules and keys of its day, without the portal.

A key that is configured is judged by the days that the configuration gives it now, so that one that leaked
can be ended. One that is not configured any more is the one that was kept with the evidence, and counted.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from psycopg2.extras import RealDictCursor
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from oncehub.encryption.cipher import Ciphers, load_ciphers
from oncehub.encryption.payloads import consent_evidence_place
from oncehub.errors import DecryptionFailed, EvidenceRefused
from oncehub.settings import Settings
from oncehub.share.consent.evidence import Judged
from oncehub.share.identity.evidence import Expected, Proven, verify_evidence
from oncehub.share.identity.nonce import Asked
from oncehub.share.identity.providers import Provider, Providers, load_providers
from oncehub.store.connection import Connection
from oncehub.store.statements import statement

_ALL: Final = statement(__name__, "kept_evidence")
_BATCH: Final = 500

_SAME_PERSON: Final = """
select exists (
    select from truth.identifier i
    where i.scheme = 'personal_id' and i.value = %(number)s
        and truth.survivor(i.person_key) = truth.survivor(%(person)s::uuid)
)
"""

_MOMENT: Final = TypeAdapter(AwareDatetime)


@dataclass(frozen=True)
class Finding:
    """A consent, or its withdrawal, whose evidence does not prove it.

    Attributes:
        act: `given` or `withdrawn`.
        check: the one that failed.
    """

    consent_id: str
    act: str
    check: str
    detail: str


@dataclass
class Verification:
    """The outcome.

    Attributes:
        verified: consents and withdrawals that their evidence proves.
        by_kept_keys: how many of them by a key that is not configured any more, by its thumbprint.
        without_evidence: those that were recorded without, by who vouched for the citizen.
    """

    verified: int = 0
    by_kept_keys: Counter[str] = field(default_factory=Counter)
    without_evidence: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def verify_consents(
    settings: Settings, connection: Connection, consent_id: uuid.UUID | None = None
) -> Verification:
    """Verify the evidence of all consents and withdrawals, or of one consent.

    Args:
        settings: with the key ring and the identity providers.
        connection: one with the hub's own rights.
        consent_id: of the one consent.

    Raises:
        ConfigError: when a provider is wrong.
        KeyMissing: when the ring does not hold the key of kept evidence.
    """
    with connection:
        ciphers = load_ciphers(settings.home, connection)
    checking = _Checking(connection, ciphers, load_providers(settings))
    outcome = Verification()
    for row in _rows(connection, consent_id):
        if row["content"] is None and row["vouched_by"] != "provider":
            outcome.without_evidence[row["vouched_by"] or "unknown"] += 1
            continue
        try:
            kept_key = checking.check(row)
        except EvidenceRefused as refused:
            finding = Finding(row["consent_id"], row["act"], refused.check, str(refused))
            outcome.findings.append(finding)
        else:
            outcome.verified += 1
            outcome.by_kept_keys.update([kept_key] if kept_key else [])
    return outcome


def _rows(connection: Connection, consent_id: uuid.UUID | None) -> Iterator[dict[str, Any]]:
    with (
        connection,
        connection.cursor("kept_evidence", cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.itersize = _BATCH
        cursor.execute(_ALL, {"consent_id": consent_id and str(consent_id)})
        yield from map(dict, cursor)


@dataclass(frozen=True)
class _Checking:
    connection: Connection
    ciphers: Ciphers
    providers: Providers

    def check(self, row: Mapping[str, Any]) -> str | None:
        """Check one row; return the key's thumbprint where it is not configured any more.

        Raises:
            EvidenceRefused: naming the check that failed.
        """
        token, asked, judged = self._kept(row)
        configured = self.providers.get(judged.terms.issuer)
        key = configured and configured.key(judged.key.thumbprint)
        providers = {judged.terms.issuer: Provider(judged.terms, (key or judged.key,))}
        expected = Expected("citizens", judged.agency, asked.nonce(), row["recorded_at"].timestamp())
        proven = verify_evidence(providers, token, expected)
        if proven.digest != bytes(row["digest"]):
            raise EvidenceRefused("digest", "the digest is of other evidence")
        if wrong := sorted(_differences(row, asked, proven)):
            raise EvidenceRefused("contents", f"it proves another {', '.join(wrong)} than is recorded")
        with self.connection.cursor() as cursor:
            cursor.execute(_SAME_PERSON, {"number": proven.subject, "person": row["person_key"]})
            (same,) = cursor.fetchone() or (False,)
        if not same:
            raise EvidenceRefused("person", "the number that it proves does not lead to the person recorded")
        return None if key else judged.key.thumbprint

    def _kept(self, row: Mapping[str, Any]) -> tuple[str, Asked, Judged]:
        if row["content"] is None:
            raise EvidenceRefused("missing", "an identity provider is said to vouch, and no evidence is kept")
        place = consent_evidence_place(row["consent_id"], row["act"])
        try:
            content = self.ciphers.under(row["key_id"]).decrypt(bytes(row["content"]), place)
        except DecryptionFailed as error:
            raise EvidenceRefused("encryption", str(error)) from None
        kept = orjson.loads(content)
        return kept["evidence"], Asked(**kept["asked"]), Judged.read(kept["judged_by"])


def _differences(row: Mapping[str, Any], asked: Asked, proven: Proven) -> Iterator[str]:
    """Yield what of a row is not as the citizen was asked."""
    given, body = row["act"] == "given", asked.body
    path = "/v1/consents" if given else f"/v1/consents/{row['consent_id']}/withdrawal"
    proof = body.get("proof", {})
    pairs = {
        "request": (asked.request, f"POST {path}"),
        "client": (asked.client, row["recorded_by"]),
        "channel": (proof.get("channel"), row["channel"]),
        "reference": (proof.get("reference"), row["reference"]),
        "time": (_moment(body.get("given_at" if given else "withdrawn_at")), row["moment"]),
    }
    if given:
        text = body.get("text", {})
        pairs |= {
            "citizen": (body.get("search"), {"person.personal_id": proven.subject}),
            "agreement": (body.get("agreement"), row["agreement"]),
            "purpose": (body.get("purpose"), row["purpose"]),
            "attributes": (sorted(set(body.get("attributes", ()))), sorted(row["attributes"])),
            "text": ((text.get("version"), text.get("sha256")), (row["text_version"], row["text_digest"])),
        }
    yield from (name for name, (proven_so, recorded) in pairs.items() if proven_so != recorded)


def _moment(text: Any) -> datetime | None:
    try:
        return _MOMENT.validate_python(text)
    except ValidationError:
        return None
