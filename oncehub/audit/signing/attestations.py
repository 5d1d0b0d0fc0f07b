"""What others attest of a checkpoint: witnesses that they saw no other history, an authority the time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from oncehub.audit.signing.stored import LastCheckpoint, StoredHashes
from oncehub.audit.signing.time_stamps import Authority, NotStamped, authority, stamp, stamped_at
from oncehub.audit.tlog.notes import COSIGNATURE, Note, NotGenuine, SignatureLine, VerifierKey
from oncehub.audit.tlog.tree import consistency_proof
from oncehub.audit.tlog.witness import Refused, WitnessSettings, submit
from oncehub.errors import ConfigError
from oncehub.store.connection import Connection

COSIGNED: Final = "cosignature"
STAMPED: Final = "timestamp"

_GIVEN: Final = "select kind, by, content from audit.attestation where number = %s order by kind, by"

_SEEN: Final = """
select coalesce(max(size), 0)
from audit.attestation join audit.checkpoint using (number)
where kind = 'cosignature' and by = %s and starts_with(note, %s)
"""

_WRITE: Final = """
insert into audit.attestation (number, kind, by, content) values (%s, %s, %s, %s) on conflict do nothing
"""


@dataclass(frozen=True)
class Attestation:
    """What another attests of a checkpoint.

    Attributes:
        kind: `COSIGNED` or `STAMPED`.
        by: the witness's key, or the authority's URL.
        content: the line of a cosignature, or the authority's answer.
    """

    kind: str
    by: str
    content: bytes


@dataclass(frozen=True)
class Attestors:
    """Witnesses and the time-stamping authority that are configured."""

    witnesses: tuple[WitnessSettings, ...] = ()
    authority: Authority | None = None

    def problem(self, note: Note, given: Attestation) -> str | None:
        """Return what is wrong with an attestation to a note; None when it holds.

        Raises:
            LookupError: when it is by somebody who is not configured.
        """
        if given.kind == STAMPED:
            if self.authority is None:
                raise LookupError
            try:
                stamped_at(self.authority, str(note).encode(), given.content)
            except NotStamped as error:
                return f"its time-stamp by {given.by} is none: {error}"
            return None
        key = next((each.key for each in self.witnesses if str(each.key) == given.by), None)
        if key is None:
            raise LookupError
        try:
            line = SignatureLine.parse(given.content.decode().removesuffix("\n"))
        except (NotGenuine, UnicodeDecodeError):
            line = None
        if line is None or not line.verify(note.text, key):
            return f"its cosignature by {key.name} is not the witness's"
        return None


def attestors() -> Attestors:
    """Return those that the environment names.

    `ONCEHUB_AUDIT_WITNESSES` lists witnesses, separated by commas: the key and the URL of each.
    `ONCEHUB_TIMESTAMP_URL` names an authority, and `ONCEHUB_TIMESTAMP_ROOTS` its certificates.

    Raises:
        ConfigError: when a setting is wrong.
    """
    listed = os.environ.get("ONCEHUB_AUDIT_WITNESSES", "").split(",")
    url, roots = os.environ.get("ONCEHUB_TIMESTAMP_URL"), os.environ.get("ONCEHUB_TIMESTAMP_ROOTS")
    if url and not roots:
        raise ConfigError(
            "ONCEHUB_TIMESTAMP_URL is set without ONCEHUB_TIMESTAMP_ROOTS, the PEM file of certificates that "
            "the authority is trusted by"
        )
    return Attestors(
        tuple(_witness(text) for text in listed if text.strip()),
        authority(url or None, Path(roots)) if roots else None,
    )


def attest(connection: Connection, last: LastCheckpoint, others: Attestors) -> tuple[int, list[str]]:
    """Ask those who have not attested to the last checkpoint, and keep what they say.

    Returns:
        How many of them have attested, and why the others have not.
    """
    if last.note is None:
        return 0, []
    with connection:
        known = {(each.kind, each.by) for each in given(connection, last.number)}
    done, lacking = 0, list[str]()
    for kind, by, ask in _askings(connection, last, last.note, others):
        if (kind, by) not in known:
            try:
                content = ask()
            except (Refused, NotStamped) as error:
                lacking.append(f"{by}: {error}")
                continue
            with connection, connection.cursor() as cursor:
                cursor.execute(_WRITE, (last.number, kind, by, content))
        done += 1
    return done, lacking


def given(connection: Connection, number: int) -> list[Attestation]:
    """Return the attestations to a checkpoint within the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVEN, (number,))
        return [Attestation(kind, by, bytes(content)) for kind, by, content in cursor.fetchall()]


def cosigned(note: Note, attestations: Sequence[Attestation]) -> Note:
    """Return the note with the cosignatures below it.

    Raises:
        NotGenuine: when one of them is none.
    """
    lines = (each.content.decode().removesuffix("\n") for each in attestations if each.kind == COSIGNED)
    return note.with_signatures(SignatureLine.parse(line) for line in lines)


def _askings(
    connection: Connection, last: LastCheckpoint, note: Note, others: Attestors
) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    for witness in others.witnesses:
        yield COSIGNED, str(witness.key), partial(_cosignature, connection, last, note, witness)
    if others.authority and others.authority.url:
        yield STAMPED, others.authority.url, partial(stamp, others.authority, str(note).encode())


def _cosignature(connection: Connection, last: LastCheckpoint, note: Note, witness: WitnessSettings) -> bytes:
    def proof(old: int) -> list[bytes]:
        with connection:
            return consistency_proof(StoredHashes(connection), old, last.checkpoint.size)

    with connection, connection.cursor() as cursor:
        cursor.execute(_SEEN, (str(witness.key), f"{last.checkpoint.origin}\n"))
        (seen,) = cursor.fetchone() or (0,)
    return str(submit(witness, note, seen, proof)).encode()


def _witness(text: str) -> WitnessSettings:
    key, _, url = text.strip().partition(" ")
    try:
        parsed = VerifierKey.parse(key)
    except ValueError as error:
        raise ConfigError(f"ONCEHUB_AUDIT_WITNESSES: {key}: {error}") from None
    if parsed.kind != COSIGNATURE:
        raise ConfigError(f"ONCEHUB_AUDIT_WITNESSES: {key}: is a log's key, and no witness's")
    if not url.strip().startswith(("http://", "https://")):
        raise ConfigError(
            f"ONCEHUB_AUDIT_WITNESSES: {parsed.name}: after its key and a blank, the witness's URL is needed"
        )
    return WitnessSettings(url.strip(), parsed)
