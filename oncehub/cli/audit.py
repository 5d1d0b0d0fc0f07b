"""`oncehub audit`: sealing the access log, archiving it, and finding what was bent."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from oncehub.anonymisation import masked_text
from oncehub.audit import pseudonym_key, retired_pseudonym_keys
from oncehub.audit.log.appearances import page_findings
from oncehub.audit.signing.anchors import Anchors, anchor_path, read_anchors
from oncehub.audit.signing.archive_verification import verify_archives
from oncehub.audit.signing.archives import export as export_archives
from oncehub.audit.signing.checkpoints import OVERDUE_SECONDS, unsealed_seconds
from oncehub.audit.signing.checkpoints import seal as seal_log
from oncehub.audit.signing.findings import Verification
from oncehub.audit.signing.keys import keys_to_trust, seal_key
from oncehub.audit.signing.verification import verify_database
from oncehub.cli.naming import ShowPersonalData, note_disclosure
from oncehub.cli.output import Json, show, show_one, write_json
from oncehub.cli.person import FORMATS, PersonKey, moment
from oncehub.settings import Settings, load_settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.data_subjects.usage import Period, Usage, find_usages
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True, help="The access log: seal it, archive it, verify it.")

_BENT = 1
_SHOWN = 20

_USAGE = ("logtime", "action", "receiver_code", "receiver_name", "receiver_system", "involvement", "outcome")


@app.command("seal")
def seal(as_json: Json = False) -> None:
    """Seal what was logged since the last time; the DAG `seal` does it every five minutes."""
    show_one(seal_log(load_settings()), title="sealed", as_json=as_json)


@app.command("status")
def status(as_json: Json = False) -> None:
    """Tell how long the oldest line has waited for its seal; status 1 when that is overdue."""
    with opened(load_settings()) as connection:
        waited = unsealed_seconds(connection)
    overdue = waited > OVERDUE_SECONDS
    content = {"unsealed_seconds": waited, "overdue_after": OVERDUE_SECONDS, "overdue": overdue}
    show_one(content, title="access log", as_json=as_json)
    if overdue:
        sys.stderr.write(
            "oncehub: sealing has fallen behind; see the DAG seal, or run `oncehub audit seal`\n"
        )
        raise typer.Exit(_BENT)


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where the archives go; the next export adds to them.")],
    as_json: Json = False,
) -> None:
    """Write sealed batches that the folder does not have as archives mlog-….zip."""
    show_one(export_archives(load_settings(), folder), title="exported", as_json=as_json)


@app.command("keys")
def keys() -> None:
    """Print the public key that seals, as a JWK set; keep it, and those before it, with who verifies."""
    write_json({"keys": [seal_key(load_settings().home).public]})


@app.command("verify")
def verify(
    archive: Annotated[
        Path | None, typer.Option(help="Folder of archives: they are verified, and no database is asked.")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(help="JWK set of the keys that may have sealed; else this hub's own key.")
    ] = None,
    anchor: Annotated[
        Path | None, typer.Option(help="File of anchored heads; else what ONCEHUB_AUDIT_ANCHOR names.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold every line against its seal, and name the first that was bent; status 1 when there is one."""
    settings = load_settings()
    trusted = keys_to_trust(settings.home, trust)
    anchors = read_anchors(anchor or anchor_path(settings))
    if archive:
        outcome = verify_archives(archive, trusted, anchors)
    else:
        with opened(settings) as connection:
            outcome = verify_database(connection, trusted, anchors)
            outcome.findings.extend(page_findings(connection, _pseudonym_keys(settings)))
    _tell(outcome, anchors, as_json=as_json)
    if not outcome.genuine:
        raise typer.Exit(_BENT)


@app.command("usage")
def usage(
    key: PersonKey,
    *,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=FORMATS, help="From this moment, by Vietnam's clock."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=FORMATS, help="Before this moment, by Vietnam's clock.")
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many of the newest.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many, the newest first.")] = 50,
    show_personal_data: ShowPersonalData = False,
    as_json: Json = False,
) -> None:
    """Show a clerk what a citizen sees: who had their data; receivers and what they had are masked."""
    settings = load_settings()
    agreements = load_agreements(settings)
    with opened(settings) as connection, connection:
        page = find_usages(
            connection,
            str(key),
            _pseudonym_keys(settings),
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
    show(page.usages, title=f"{page.total:,} usages", columns=_USAGE, as_json=False)
    if offset + limit < page.total:
        sys.stdout.write(f"go on with --offset {offset + limit} --until {page.until.isoformat()}\n")


def _masked(usage: Usage) -> Usage:
    """Who had somebody's data tells of them too."""
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


def _pseudonym_keys(settings: Settings) -> tuple[bytes, ...]:
    return pseudonym_key(settings.home), *retired_pseudonym_keys()


def _tell(outcome: Verification, anchors: Anchors, *, as_json: bool) -> None:
    if as_json:
        write_json(_document(outcome))
        return
    sys.stdout.write(
        f"{outcome.seals:,} seals of {outcome.lines:,} lines, {outcome.anchored:,} anchored; "
        f"{outcome.waiting:,} lines wait for their seal\n"
    )
    if not anchors.heads:
        sys.stdout.write("nothing is anchored here: a log that was cut off at its end would not be noticed\n")
    for finding in outcome.findings[:_SHOWN]:
        sys.stdout.write(f"{finding}\n")
    more = len(outcome.findings) - _SHOWN
    sys.stdout.write(f"and {more} more findings\n" if more > 0 else "")
    sys.stdout.write("nothing was bent\n" if outcome.genuine else "")


def _document(outcome: Verification) -> dict[str, Any]:
    return {
        "genuine": outcome.genuine,
        "seals": outcome.seals,
        "lines": outcome.lines,
        "waiting": outcome.waiting,
        "anchored": outcome.anchored,
        "findings": [vars(finding) for finding in outcome.findings],
    }
