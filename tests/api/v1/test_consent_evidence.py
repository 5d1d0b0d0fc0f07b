"""A consent keeps the evidence of who gave it, which the hub's operator verifies without the portal."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc.jwk import import_key

from oncehub.encryption.rotation import reencrypt
from oncehub.settings import Settings
from oncehub.share.consent.verification import Verification, verify_consents
from oncehub.store.connection import Connection
from stubs.servers.identity import IdentityProvider

AN, BINH = "001084000999", "001090000002"


@pytest.fixture
def consents(portal: Any, believe: Callable[..., str]) -> list[str]:
    """Two consents of An, the second withdrawn, one of Bình's, and one that an officer took down."""
    believe(personal_id=AN, full_name="Nguyễn Thị An")
    believe(personal_id=BINH, full_name="Trần Văn Bình")
    now = datetime.now(UTC).isoformat()

    def proof(channel: str = "vneid") -> dict[str, Any]:
        return {"channel": channel, "reference": f"REF-{uuid.uuid4()}"}

    def body(number: str, channel: str = "vneid") -> dict[str, Any]:
        return {
            "search": {"person.personal_id": number},
            "agreement": "bank-accounts",
            "purpose": "dpv:IdentityVerification",
            "attributes": ["person.phone", "person.full_name"],
            "text": {"version": "2026-01", "sha256": "a" * 64},
            "given_at": now,
            "proof": proof(channel),
        }

    given = [
        portal.http.post(
            "/v1/consents",
            json=portal.proving(number, "/v1/consents", body(number)),
            headers=portal.headers(),
        ).json()["consent"]
        for number in (AN, AN, BINH)
    ]
    path = f"/v1/consents/{given[1]}/withdrawal"
    withdrawn = portal.proving(AN, path, {"withdrawn_at": datetime.now(UTC).isoformat(), "proof": proof()})
    assert portal.http.post(path, json=withdrawn, headers=portal.headers()).status_code == 200
    officer = portal.as_officer("can-bo-7", proven=True)
    counter = portal.http.post("/v1/consents", json=body(AN, "counter"), headers=officer)
    return [*given, counter.json()["consent"]]


def bend(database: Connection, statement: str, *values: Any) -> None:
    """Change what the database refuses to change, as its administrator could."""
    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement, values)


def failed(outcome: Verification) -> list[tuple[str, str, str]]:
    return [(each.consent_id, each.act, each.check) for each in outcome.findings]


def test_kept_evidence_is_verified_without_the_portal_and_after_reencryption(
    consents: list[str], editable: Settings, database: Connection
) -> None:
    outcome = verify_consents(editable, database)
    assert (outcome.verified, outcome.without_evidence, outcome.findings) == (4, Counter(officer=1), [])
    with database, database.cursor() as cursor:
        cursor.execute("select string_agg(content::text || digest::text, '') from share.consent_evidence")
        assert AN.encode().hex() not in cursor.fetchone()[0]
    assert reencrypt(editable, database)["share.consent_evidence"] == 4
    assert verify_consents(editable, database).verified == 4


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("update share.consent set attributes = attributes || '{person.id_card}'", "contents"),
        ("update share.consent set agreement = 'tax-registration'", "contents"),
        ("update share.consent set given_at = given_at + interval '1 microsecond'", "contents"),
        ("update share.consent set text_digest = repeat('b', 64)", "contents"),
        ("update share.consent set reference = 'REF-another'", "contents"),
        ("update share.consent set recorded_by = 'another'", "contents"),
        (
            "update share.consent set person_key = (select person_key from truth.identifier "
            f"where value = '{BINH}')",
            "person",
        ),
        ("delete from share.consent_evidence", "missing"),
        ("update share.consent_evidence set digest = sha256('x')", "digest"),
        ("update share.consent_evidence set recorded_at = now() + interval '1 day'", "exp"),
        ("update share.consent_evidence set content = overlay(content placing 'xx' from 30)", "encryption"),
    ],
)
def test_each_consent_that_was_bent_is_named(
    consents: list[str], editable: Settings, database: Connection, statement: str, check: str
) -> None:
    where = (
        "consent_evidence.consent_id = %s and act = 'given'"
        if "_evidence" in statement
        else "consent_id = %s"
    )
    bend(database, f"{statement} where {where}", consents[0])
    outcome = verify_consents(editable, database)
    assert failed(outcome) == [(consents[0], "given", check)]
    assert AN not in str(outcome.findings)


def test_evidence_of_one_consent_proves_no_other(
    consents: list[str], editable: Settings, database: Connection
) -> None:
    bend(database, "delete from share.consent_evidence where consent_id = %s and act = 'given'", consents[1])
    bend(
        database,
        "update share.consent_evidence set consent_id = %s where consent_id = %s",
        consents[1],
        consents[0],
    )
    assert sorted(failed(verify_consents(editable, database))) == sorted(
        [(consents[0], "given", "missing"), (consents[1], "given", "encryption")]
    )


def test_a_key_is_judged_by_its_days_and_once_it_is_gone_by_those_that_were_kept(
    consents: list[str], editable: Settings, database: Connection, providers: dict[str, IdentityProvider]
) -> None:
    folder = editable.mappings / "identity_providers"
    document = folder / "citizens.yaml"
    year = datetime.now(UTC).year
    former = document.read_text("utf-8").replace("2999-12-31", f"{year + 1}-12-31")
    document.write_text(former, "utf-8")
    assert verify_consents(editable, database).findings == []
    document.write_text(former.replace(f"{year + 1}-12-31", f"{year - 1}-12-31"), "utf-8")
    assert {check for _, _, check in failed(verify_consents(editable, database))} == {"key"}
    stranger = IdentityProvider(providers["citizens"].issuer, other_kid=providers["citizens"].kid)
    stranger.describe(folder, "citizens", "G01")
    # Its successor changes nothing; the verification says by which key it went.
    outcome = verify_consents(editable, database)
    assert (outcome.verified, outcome.findings) == (4, [])
    thumbprint = import_key(providers["citizens"].key_set()["keys"][0]).thumbprint()
    assert outcome.by_kept_keys == Counter({thumbprint: 4})


def test_evidence_is_verified_years_later_under_other_rules_and_agreements(
    consents: list[str], editable: Settings, database: Connection
) -> None:
    document = editable.mappings / "identity_providers" / "citizens.yaml"
    text = document.read_text("utf-8").replace('acr: ["2"]', 'acr: ["3"]\naccepted_for: 1s\nsubject: number')
    document.write_text(text.replace("dichvucong", "another"), "utf-8")
    (editable.mappings / "agreements" / "portal-residence.yaml").unlink()
    assert verify_consents(editable, database).verified == 4
    document.unlink()
    outcome = verify_consents(editable, database)
    assert (outcome.verified, outcome.by_kept_keys.total(), outcome.findings) == (4, 4, [])


def test_the_same_consent_once_more_keeps_the_first_evidence(
    consents: list[str], portal: Any, editable: Settings, database: Connection
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("select reference from share.consent where consent_id = %s", (consents[0],))
        (reference,) = cursor.fetchone()
    body = {
        "search": {"person.personal_id": AN},
        "agreement": "bank-accounts",
        "purpose": "dpv:IdentityVerification",
        "attributes": ["person.full_name", "person.phone"],
        "text": {"version": "2026-02", "sha256": "a" * 64},
        "given_at": datetime.now(UTC).isoformat(),
        "proof": {"channel": "vneid", "reference": reference},
    }
    again = portal.http.post(
        "/v1/consents", json=portal.proving(AN, "/v1/consents", body), headers=portal.headers()
    )
    assert again.json()["consent"] == consents[0]
    assert verify_consents(editable, database, uuid.UUID(consents[0])).verified == 1
