"""`oncehub consent`: consents of citizens."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from oncehub.anonymisation.anonymiser import masked_text
from oncehub.cli.files import read_file
from oncehub.cli.naming import note_disclosure
from oncehub.cli.options import Clerk, Json, Limit, ShowPersonalData
from oncehub.cli.output import show, show_one, write_json
from oncehub.config.catalogue import load_rules
from oncehub.config.privacy import DeadlineRules
from oncehub.settings import load_settings
from oncehub.share.agreements.catalogue import find_agreement
from oncehub.share.consent.consents import Channel, Proof, ShownText, record_consent, withdraw_consent
from oncehub.share.consent.listing import RecordedConsent, find_consent, list_consents
from oncehub.share.consent.verification import verify_consents
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

ConsentId = Annotated[UUID, typer.Argument(help="Id of the consent, as shown by `oncehub consent list`.")]
Reference = Annotated[str, typer.Option(help="Reference of the transaction or paper that proves it.")]
Via = Annotated[Channel, typer.Option(help="Channel through which the citizen acted.")]
Moment = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%S%z"], help="Time, e.g. 2026-06-03T09:00:00+0700; now unless given."
    ),
]

_COLUMNS = ("consent_id", "agreement", "person_key", "given_at", "withdrawn_at")


@app.command("list")
def list_(
    agreement: Annotated[str | None, typer.Option(help="Only consents to this agreement.")] = None,
    person: Annotated[UUID | None, typer.Option(help="Only consents of the person with this key.")] = None,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Withdrawn consents, too.")] = False,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List consents, the latest first; their proofs are masked."""
    with opened(load_settings()) as connection, connection:
        rows = list_consents(connection, agreement=agreement, person=person, withdrawn=withdrawn, limit=limit)
    show([_masked(row) for row in rows], title="consents", columns=_COLUMNS, as_json=as_json)


@app.command("show")
def show_(consent_id: ConsentId, show_personal_data: ShowPersonalData = False, as_json: Json = False) -> None:
    """Show one consent: person, time, attributes and proof; the proof is masked."""
    settings = load_settings()
    with opened(settings) as connection, connection:
        consent = find_consent(connection, consent_id)
    if show_personal_data:
        note_disclosure(settings, "consent show", "share", "consent", 1)
    else:
        consent = _masked(consent)
    show_one(consent, title="consent", as_json=as_json)


@app.command("give")
def give(
    person: Annotated[UUID, typer.Option(help="Key of the person who consents.")],
    agreement: Annotated[str, typer.Option(help="Name of the agreement.")],
    attribute: Annotated[
        list[str], typer.Option(help="An attribute that may be disclosed; may be repeated.")
    ],
    text: Annotated[Path, typer.Option(help="File with the text that the citizen was shown.")],
    text_version: Annotated[str, typer.Option(help="Version of the text.")],
    *,
    by: Clerk,
    channel: Via,
    reference: Reference,
    at: Moment = None,
) -> None:
    """Record the consent of a citizen; recording it again changes nothing."""
    settings = load_settings()
    asked = find_agreement(settings, agreement)
    digest = hashlib.sha256(read_file(text)).hexdigest()
    with opened(settings) as connection, connection:
        consent = record_consent(
            connection,
            asked,
            str(person),
            attribute,
            text=ShownText(text_version, digest),
            given_at=at or datetime.now(UTC),
            proof=Proof(channel, reference, by, "oncehub", "operator"),
        )
    sys.stdout.write(f"consent {consent}\n")


@app.command("withdraw")
def withdraw(
    consent_id: ConsentId, *, by: Clerk, channel: Via, reference: Reference, at: Moment = None
) -> None:
    """Withdraw a consent at once and permanently; this opens a request that the agency must follow."""
    settings = load_settings()
    with opened(settings) as connection, connection:
        withdrawn = withdraw_consent(
            connection,
            load_rules(settings, "deadlines", DeadlineRules),
            consent_id,
            [find_consent(connection, consent_id).agreement],
            withdrawn_at=at or datetime.now(UTC),
            proof=Proof(channel, reference, by, "oncehub", "operator"),
        )
    sys.stdout.write(
        f"withdrawn; {withdrawn.agreement} must answer the citizen by {withdrawn.due.answer_by} and comply "
        f"by {withdrawn.due.due_on}\nits feed is updated by the next `oncehub publish`\n"
    )


@app.command("verify")
def verify(
    consent_id: Annotated[
        UUID | None, typer.Argument(help="Id of one consent; all consents unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify the kept evidence of consents and withdrawals; status 1, and each one that fails."""
    settings = load_settings()
    with opened(settings) as connection:
        if consent_id is not None:
            find_consent(connection, consent_id)
        outcome = verify_consents(settings, connection, consent_id)
    if as_json:
        write_json(vars(outcome))
    else:
        for each in outcome.findings:
            sys.stderr.write(f"{each.consent_id} {each.act}: {each.check}: {each.detail}\n")
        without = ", ".join(f"{count} {who}" for who, count in sorted(outcome.without_evidence.items()))
        sys.stdout.write(
            f"{outcome.verified} verified, {len(outcome.findings)} failed; without evidence, by who vouches: "
            f"{without or 'none'}\n"
        )
        for thumbprint, count in sorted(outcome.by_kept_keys.items()):
            sys.stdout.write(
                f"{count} of them by a key that is not configured any more, as kept with the evidence: "
                f"{thumbprint}\n"
            )
    if outcome.findings:
        raise typer.Exit(1)


def _masked(consent: RecordedConsent) -> RecordedConsent:
    proof = consent.withdrawal_reference
    return replace(
        consent,
        reference=masked_text(consent.reference),
        officer=consent.officer and masked_text(consent.officer),
        withdrawal_reference=proof and masked_text(proof),
    )
