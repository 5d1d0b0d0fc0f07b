"""`oncehub audit`: signs the access log, publishes and proves it, and detects tampering."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from oncehub.anonymisation.anonymiser import masked_text
from oncehub.audit.log.pseudonyms import retired_pseudonym_keys
from oncehub.audit.signing.anchor_service import keep_anchors
from oncehub.audit.signing.anchors import anchor_place, anchors_to_verify, named_place
from oncehub.audit.signing.archive_verification import verify_archive
from oncehub.audit.signing.attestations import attestors
from oncehub.audit.signing.checkpoints import OVERDUE_SECONDS, between_signings, unsigned_seconds
from oncehub.audit.signing.checkpoints import write_checkpoints as sign_checkpoint
from oncehub.audit.signing.export import export as export_log
from oncehub.audit.signing.findings import Finding, Verification
from oncehub.audit.signing.keys import keys_to_trust, raw_keys, signing_key
from oncehub.audit.signing.line_proofs import line_proofs
from oncehub.audit.signing.page_verification import page_findings
from oncehub.audit.signing.stored import last_checkpoint
from oncehub.audit.signing.verification import verify_database
from oncehub.audit.tlog.notes import NotGenuine, VerifierKey
from oncehub.audit.tlog.proofs import Proof
from oncehub.cli.naming import note_disclosure
from oncehub.cli.options import MOMENT, Json, PersonKey, ShowPersonalData, moment
from oncehub.cli.output import show, show_one, until_stopped, write_json
from oncehub.cli.witness import witness
from oncehub.encryption.known_keys import known_key
from oncehub.errors import ConfigError
from oncehub.files import read_bounded, write_whole
from oncehub.settings import Settings, load_settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.data_subjects.usage import Period, Usage, find_usages
from oncehub.store.connection import Connection
from oncehub.store.migrate import differing_routines, opened

app = typer.Typer(no_args_is_help=True)
app.command("witness")(witness)

_TAMPERED = 1
_SHOWN = 20
_DIGITS = 19
_WAIVED = "the anchors were waived (--no-anchor): a removed or replaced end of the log is not detected"

_USAGE = ("logtime", "action", "receiver_code", "receiver_name", "receiver_system", "involvement", "outcome")


@app.command("checkpoint")
def checkpoint(
    anchor_anew: Annotated[
        bool, typer.Option("--anchor-anew", help="Anchor all checkpoints again: the file of anchors is lost.")
    ] = False,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Accept another signing key than the one so far.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sign the entries since the last checkpoint; the DAG `checkpoint` does it every five minutes."""
    report = sign_checkpoint(load_settings(), anchor_anew=anchor_anew, new_key=new_key)
    show_one(report, title="checkpoint", as_json=as_json)
    for why in report.lacking:
        sys.stderr.write(f"oncehub: checkpoint {report.last} is signed, and not attested by {why}\n")


@app.command("status")
def status(as_json: Json = False) -> None:
    """Show how long the oldest entry has been unsigned; status 1 when a checkpoint is overdue."""
    with opened(load_settings()) as connection:
        waited = unsigned_seconds(connection)
    overdue = waited > OVERDUE_SECONDS
    content = {"unsigned_seconds": waited, "overdue_after": OVERDUE_SECONDS, "overdue": overdue}
    show_one(content, title="access log", as_json=as_json)
    if overdue:
        sys.stderr.write(
            "oncehub: a checkpoint is overdue; see the DAG checkpoint, or run `oncehub audit checkpoint`\n"
        )
        raise typer.Exit(_TAMPERED)


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Folder that is published; the next export adds to it.")],
    *,
    with_lines: Annotated[
        bool,
        typer.Option("--with-lines", help="With the lines, for an auditor: such a folder is confidential."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write what the folder lacks of the signed log, as files that others verify (C2SP tlog-tiles)."""
    show_one(export_log(load_settings(), folder, with_lines=with_lines), title="exported", as_json=as_json)


@app.command("keys")
def keys(
    note: Annotated[
        bool, typer.Option("--note", help="As a witness and other software reads it: <name>+<id>+<key>.")
    ] = False,
) -> None:
    """Print the public signing key as a JWK set; the verifier keeps it, and its predecessors."""
    settings = load_settings()
    with opened(settings) as connection, connection:
        with connection.cursor() as cursor:
            known_key(cursor, "signing", settings.home)
        origin = last_checkpoint(connection).checkpoint.origin or settings.audit_origin
    key = signing_key(settings.home)
    if note:
        sys.stdout.write(f"{key.named(origin).verifier}\n")
    else:
        write_json({"keys": [key.public]})


@app.command("proof")
def proof(
    line: Annotated[
        str,
        typer.Argument(
            help="The request's id, which its answer names; or logIndex of the usage, of one line."
        ),
    ],
    folder: Annotated[Path, typer.Option("--to", help="Folder for the proofs.")] = Path(),
) -> None:
    """Write a proof of each line of a request, or of one line, for the agency or citizen whom it is about.

    A proof holds its line, and verifies without the hub: oncehub audit verify --proof FILE --trust keys.json.
    """
    of = _line(line)
    for each in line_proofs(load_settings(), of):
        path = folder / f"{line if isinstance(of, UUID) else 'line'}-{each.index}.tlog-proof"
        try:
            write_whole(path, str(each).encode(), mode=0o600)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}; name another folder with --to") from None
        sys.stdout.write(f"{path}\n")


@app.command("keep-anchors")
def keep(
    file: Annotated[Path, typer.Argument(help="Of the anchors; only this process writes it.")],
    host: Annotated[str, typer.Option(help="Address at which it answers.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port at which it answers.", min=0)] = 8790,
    log: Annotated[
        list[str],
        typer.Option(help="Key of the log that signs: oncehub audit keys --note. May be repeated."),
    ] = [],  # noqa: B006 - typer copies it
) -> None:
    """Keep the anchors for hubs elsewhere, which may read and append, and change nothing.

    ONCEHUB_AUDIT_ANCHOR_TOKEN lets a caller append checkpoints and exports, ONCEHUB_AUDIT_ADOPTION_TOKEN
    also adoptions. The hub is given the URL as ONCEHUB_AUDIT_ANCHOR, and one of the tokens. With --log,
    a checkpoint that none of these keys signed is refused, so that a token alone appends none.
    """
    try:
        keys = [VerifierKey.parse(each) for each in log]
    except ValueError as error:
        raise ConfigError(f"--log: {error}") from None
    with keep_anchors(file, host, port, keys) as address:
        until_stopped(f"keeping anchors in {file}, at {address}")


@app.command("verify")
def verify(
    *,
    archive: Annotated[
        Path | None, typer.Option(help="Exported folder to verify instead of the database.")
    ] = None,
    proof: Annotated[Path | None, typer.Option(help="Proof of a line to verify, and nothing else.")] = None,
    trust: Annotated[
        Path | None,
        typer.Option(help="JWK set of the trusted signing keys; this hub's own key unless given."),
    ] = None,
    anchor: Annotated[
        str | None,
        typer.Option(help="File or URL of anchored checkpoints; ONCEHUB_AUDIT_ANCHOR unless given."),
    ] = None,
    no_anchor: Annotated[
        bool,
        typer.Option("--no-anchor", help="Verify without anchors: a removed end is not detected."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Verify every entry against its checkpoint, and every routine; status 1 and findings if one differs."""
    settings = load_settings()
    if anchor and no_anchor:
        raise ConfigError("--anchor and --no-anchor contradict each other; give one of them")
    trusted = keys_to_trust(settings.home, trust)
    if proof:
        _verify_proof(proof, raw_keys(trusted))
        return
    others = attestors()
    place = None
    if not no_anchor:
        place = named_place(anchor) if anchor else anchor_place(settings)
    if place is None:
        sys.stderr.write(f"oncehub: {_WAIVED}\n")
    if archive:
        outcome = verify_archive(archive, trusted, anchors_to_verify(place) if place else None, others)
    else:
        with opened(settings) as connection:
            with between_signings(connection) as made:
                anchors = anchors_to_verify(place) if place else None
            outcome = verify_database(connection, trusted, anchors, made, others)
            outcome.findings.extend(page_findings(connection, _pseudonym_keys(settings, connection)))
            outcome.findings.extend(
                Finding("replaced", None, None, None, f"{name} is not what this version's files make")
                for name in differing_routines(connection)
            )
    _show(outcome, anchored=place is not None, as_json=as_json)
    if not outcome.genuine:
        raise typer.Exit(_TAMPERED)


@app.command("usage")
def usage(
    key: PersonKey,
    *,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=MOMENT, help="Start; Vietnam's time unless it has a zone."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=MOMENT, help="End, exclusive; Vietnam's time unless it has a zone."),
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help="Skip this many of the newest.")] = 0,
    limit: Annotated[
        int, typer.Option(min=1, max=500, help="Show at most this many, the newest first.")
    ] = 50,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Show who received the data of a person, as that person sees it; the receivers are masked."""
    settings = load_settings()
    agreements = load_agreements(settings)
    with opened(settings) as connection, connection:
        page = find_usages(
            connection,
            str(key),
            _pseudonym_keys(settings, connection),
            agreements,
            Period(moment(since), moment(until)),
            offset=offset,
            limit=limit,
            day=today(),
        )
    if show_personal_data:
        note_disclosure(settings, "audit usage", "audit", "entry", len(page.usages))
    else:
        page = replace(page, usages=tuple(map(_masked, page.usages)))
    if as_json:
        write_json(asdict(page))
        return
    show(page.usages, title=f"{page.total:,} usages", columns=_USAGE)
    if offset + limit < page.total:
        sys.stdout.write(f"continue with --offset {offset + limit} --until {page.until.isoformat()}\n")


def _line(text: str) -> UUID | int:
    """Read which line is to be proven."""
    try:
        return int(text) if text.isdecimal() and len(text) < _DIGITS else UUID(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is no request's id and no logIndex; copy either from the answer"
        ) from None


def _verify_proof(path: Path, keys: Sequence[bytes]) -> None:
    """Verify a proof and show its line, or end with status 1."""
    try:
        proof = Proof.parse(read_bounded(path).decode("utf-8", "replace"))
        checkpoint = proof.verify(keys)
    except NotGenuine as error:
        sys.stdout.write(f"forged: {path}: it {error}\n")
        raise typer.Exit(_TAMPERED) from None
    sys.stdout.write(f"{proof.line.decode('utf-8', 'replace')}\n")
    sys.stdout.write(
        f"is line {proof.index + 1:,} of the log {checkpoint.origin}, of which {checkpoint.size:,} lines "
        "were signed\n"
    )


def _masked(usage: Usage) -> Usage:
    """Mask the receivers: who received data tells something about the person, too."""
    return replace(
        usage,
        receiver_code=masked_text(usage.receiver_code),
        receiver_name=masked_text(usage.receiver_name),
        receiver_system=masked_text(usage.receiver_system),
        purpose=masked_text(usage.purpose),
        legal_basis=masked_text(usage.legal_basis),
        procedure=usage.procedure and masked_text(usage.procedure),
        attributes=tuple(masked_text(name) for name in usage.attributes),
    )


def _pseudonym_keys(settings: Settings, connection: Connection) -> tuple[bytes, ...]:
    retired = retired_pseudonym_keys()
    with connection.cursor() as cursor:
        key = known_key(cursor, "pseudonym", settings.home, former=retired)
    connection.commit()
    return key, *retired


def _show(outcome: Verification, *, anchored: bool, as_json: bool) -> None:
    if as_json:
        write_json(_document(outcome) | {"anchors_waived": not anchored})
        return
    sys.stdout.write(
        f"{outcome.checkpoints:,} checkpoints of {outcome.lines:,} entries, {outcome.anchored:,} anchored; "
        f"{outcome.waiting:,} entries are not signed yet\n"
    )
    if outcome.attested or outcome.unknown:
        sys.stdout.write(
            f"{outcome.attested:,} cosignatures and time-stamps hold; {outcome.unknown:,} are by others than "
            "those configured, and were not verified\n"
        )
    for adoption in outcome.adoptions:
        sys.stdout.write(f"the database was adopted after a restore: {adoption}\n")
    for finding in outcome.findings[:_SHOWN]:
        sys.stdout.write(f"{finding}\n")
    more = len(outcome.findings) - _SHOWN
    sys.stdout.write(f"and {more} more findings\n" if more > 0 else "")
    if outcome.genuine:
        sys.stdout.write("no tampering found\n" if anchored else f"no tampering found, but {_WAIVED}\n")


def _document(outcome: Verification) -> dict[str, Any]:
    return {
        "genuine": outcome.genuine,
        "checkpoints": outcome.checkpoints,
        "entries": outcome.lines,
        "unsigned": outcome.waiting,
        "anchored": outcome.anchored,
        "attested": outcome.attested,
        "attested_by_unknown": outcome.unknown,
        "adoptions": outcome.adoptions,
        "findings": [vars(finding) for finding in outcome.findings],
    }
