"""`oncehub consent`: what citizens have consented to, and what they have withdrawn."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from oncehub.anonymisation import masked_text
from oncehub.cli.naming import ShowPersonalData, note_disclosure
from oncehub.cli.output import Json, show, show_one, write_json
from oncehub.config.catalogue import load_rules
from oncehub.config.privacy import DeadlineRules
from oncehub.errors import ConfigError
from oncehub.settings import load_settings
from oncehub.share.agreements.catalogue import find_agreement
from oncehub.share.consent.consents import Channel, Proof, ShownText, record_consent, withdraw_consent
from oncehub.share.consent.register import RecordedConsent, find_consent, list_consents
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True, help="What citizens have consented to, and withdrawn.")

ConsentId = Annotated[UUID, typer.Argument(help="Id of the consent, as `oncehub consent list` tells it.")]
Clerk = Annotated[str, typer.Option("--by", help="Name of the clerk who takes it down; kept for good.")]
Reference = Annotated[str, typer.Option(help="Of the transaction, or the paper, that proves it.")]
Via = Annotated[Channel, typer.Option(help="Where it was said.")]
Moment = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%S%z"], help="When, e.g. 2026-06-03T09:00:00+0700; now unless given."
    ),
]

_COLUMNS = ("consent_id", "agreement", "person_key", "given_at", "withdrawn_at")


@app.command("list")
def list_(
    agreement: Annotated[str | None, typer.Option(help="To this agreement only.")] = None,
    person: Annotated[UUID | None, typer.Option(help="Of this person only, by their key.")] = None,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Those that were withdrawn, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: Json = False,
) -> None:
    """List consents, the latest first; what proves them is masked."""
    with opened(load_settings()) as connection, connection:
        rows = list_consents(connection, agreement=agreement, person=person, withdrawn=withdrawn, limit=limit)
    show([_masked(row) for row in rows], title="consents", columns=_COLUMNS, as_json=as_json)


@app.command("show")
def show_(consent_id: ConsentId, show_personal_data: ShowPersonalData = False, as_json: Json = False) -> None:
    """Show one consent: who, when, to what, and what proves it; the proof is masked."""
    settings = load_settings()
    with opened(settings) as connection, connection:
        consent = find_consent(connection, consent_id)
    if show_personal_data:
        note_disclosure(settings, "consent show", "share", "consent", 1)
    else:
        consent = _masked(consent)
    content = asdict(consent) | {"attributes": ", ".join(consent.attributes)}
    if as_json:
        write_json(asdict(consent))
    else:
        show_one(content, title="consent", as_json=False)


@app.command("give")
def give(
    person: Annotated[UUID, typer.Option(help="Key of who consents, as `oncehub person explain` takes it.")],
    agreement: Annotated[str, typer.Option(help="To which agreement.")],
    attribute: Annotated[list[str], typer.Option(help="What may be told; once for each.")],
    text: Annotated[Path, typer.Option(help="File with the text that was shown.")],
    text_version: Annotated[str, typer.Option(help="Its version.")],
    *,
    by: Clerk,
    channel: Via,
    reference: Reference,
    at: Moment = None,
) -> None:
    """Record that a citizen has consented; the same once more changes nothing."""
    settings = load_settings()
    asked = find_agreement(settings, agreement)
    try:
        digest = hashlib.sha256(text.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{text}: cannot be read: {error.strerror}") from None
    with opened(settings) as connection, connection:
        consent = record_consent(
            connection,
            asked,
            str(person),
            attribute,
            text=ShownText(text_version, digest),
            given_at=at or datetime.now(UTC),
            proof=Proof(channel, reference, by, "oncehub"),
        )
    sys.stdout.write(f"consent {consent}\n")


@app.command("withdraw")
def withdraw(
    consent_id: ConsentId, *, by: Clerk, channel: Via, reference: Reference, at: Moment = None
) -> None:
    """Withdraw a consent, at once and for good; the agency's duty to follow it becomes a request."""
    settings = load_settings()
    with opened(settings) as connection, connection:
        withdrawn = withdraw_consent(
            connection,
            load_rules(settings, "deadlines", DeadlineRules),
            consent_id,
            [find_consent(connection, consent_id).agreement],
            withdrawn_at=at or datetime.now(UTC),
            proof=Proof(channel, reference, by, "oncehub"),
        )
    sys.stdout.write(
        f"withdrawn; {withdrawn.agreement} answers the citizen by {withdrawn.due.answer_by} and has followed "
        f"it by {withdrawn.due.due_on}\nits feed follows with the next `oncehub publish`\n"
    )


def _masked(consent: RecordedConsent) -> RecordedConsent:
    proof = consent.withdrawal_reference
    return replace(
        consent,
        reference=masked_text(consent.reference),
        officer=consent.officer and masked_text(consent.officer),
        withdrawal_reference=proof and masked_text(proof),
    )
