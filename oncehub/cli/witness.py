"""`oncehub audit witness`: an agency or the ombudsman cosigns the log of a hub, and refuses a fork."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from oncehub.audit.tlog.answering import Answer, answering
from oncehub.audit.tlog.notes import (
    COSIGNATURE,
    MOST_NOTE_BYTES,
    Checkpoint,
    Note,
    NoteKey,
    NotGenuine,
    VerifierKey,
)
from oncehub.audit.tlog.tiles import PublishedHashes, PublishedLog
from oncehub.audit.tlog.tree import consistency_proof
from oncehub.audit.tlog.witness import Witness, write_request
from oncehub.cli.output import until_stopped
from oncehub.encryption.secrets import create_secret_file, decode_key, encode_key
from oncehub.errors import ConfigError
from oncehub.files import read_bounded

_REFUSED = 1


def witness(
    place: Annotated[
        str | None, typer.Argument(help="The published log, a folder or a URL, to look at once.")
    ] = None,
    *,
    state: Annotated[Path, typer.Option(help="Folder of the witness's key and memory; back it up.")],
    name: Annotated[str, typer.Option(help="The witness's name, as ombudsman.example.vn/witness.")],
    log: Annotated[
        list[str],
        typer.Option(help="Key of a log that is witnessed: oncehub audit keys --note. May be repeated."),
    ] = [],  # noqa: B006 - typer copies it
    listen: Annotated[
        str | None, typer.Option(help="Answer logs that submit checkpoints, at this address: 127.0.0.1:7380.")
    ] = None,
    make_key: Annotated[
        bool, typer.Option("--make-key", help="Make the witness's key, and print what logs are to trust.")
    ] = False,
) -> None:
    """Cosign a log's checkpoint if it continues the one seen before; status 1 for a fork or a rollback.

    The cosignature is printed. With --listen, logs submit their checkpoints by themselves (C2SP
    tlog-witness). This command needs no hub and no database.
    """
    key = _key(state, name, make=make_key)
    if make_key:
        sys.stdout.write(f"{key.verifier}\n")
        return
    if bool(place) == bool(listen) or not log:
        raise ConfigError("name the published log or --listen, and the key of the log: --log")
    logs = dict[str, list[VerifierKey]]()
    for text in log:
        each = _log_key(text)
        logs.setdefault(each.name, []).append(each)
    watching = Witness(state, key, logs)
    if listen:
        _listen(watching, listen)
        return
    answer = _look(watching, PublishedLog(str(place)), str(place))
    if answer.status != 200:
        sys.stderr.write(f"oncehub: not cosigned: {answer.text.strip()}\n")
        raise typer.Exit(_REFUSED)
    sys.stdout.write(answer.text)


def _look(watching: Witness, log: PublishedLog, place: str) -> Answer:
    """Verify what is published against what was seen before, as if the log had submitted it."""
    content = log.checkpoint()
    if content is None:
        raise ConfigError(f"{place}: has no checkpoint of a log")
    try:
        note = Note.parse(content)
        checkpoint = Checkpoint.parse(note.text)
        last = watching.last(checkpoint.origin)
    except NotGenuine as error:
        return Answer(400, f"the checkpoint {error}")
    if last.size > checkpoint.size:
        return Answer(
            409,
            f"the log has {checkpoint.size} lines, and {last.size} were cosigned before: it was rolled back, "
            "or this is an earlier copy",
        )
    try:
        proof = consistency_proof(PublishedHashes(log, checkpoint.size), last.size, checkpoint.size)
    except LookupError as error:
        return Answer(422, f"it cannot be shown that the log continues the one seen before: {error}")
    answer = watching.add_checkpoint(write_request(last.size, proof, note))
    if answer.status == 409:
        return Answer(
            409, f"another tree of {answer.text.strip()} lines was cosigned before: the log was forked"
        )
    return answer


def _listen(watching: Witness, listen: str) -> None:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError("--listen must be an address and a port: 127.0.0.1:7380")
    with answering(watching.answer, host, int(port)) as url:
        until_stopped(f"listening at {url}")


def _key(state: Path, name: str, *, make: bool) -> NoteKey:
    path = state / "witness.key"
    if make:
        create_secret_file(path, encode_key(secrets.token_bytes(32)))
    elif not path.exists():
        raise ConfigError(f"{path}: there is no key of the witness; put it back, or make one: --make-key")
    try:
        seed = decode_key(read_bounded(path, MOST_NOTE_BYTES).decode("ascii", "replace"), str(path))
        return NoteKey.of(name, seed, COSIGNATURE)
    except ValueError as error:
        raise ConfigError(f"--name {name}: {error}") from None


def _log_key(text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except ValueError as error:
        raise ConfigError(f"--log {text}: {error}; `oncehub audit keys --note` prints it") from None
