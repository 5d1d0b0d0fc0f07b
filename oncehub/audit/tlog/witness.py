"""A witness of logs: it cosigns a checkpoint that continues the last one it saw, and refuses a fork.

Requests and answers are those of C2SP tlog-witness (https://c2sp.org/tlog-witness).
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import requests

from oncehub.audit.tlog.answering import Answer, Request
from oncehub.audit.tlog.notes import (
    MOST_NOTE_BYTES,
    Checkpoint,
    Note,
    NoteKey,
    NotGenuine,
    SignatureLine,
    VerifierKey,
    decoded_hashes,
    encoded_hashes,
)
from oncehub.audit.tlog.tree import EMPTY_ROOT, MOST_PROOF_HASHES, is_consistent
from oncehub.files import write_whole

SIZE_TYPE: Final = "text/x.tlog.size"
_PATH: Final = "/add-checkpoint"
_SECONDS: Final = 10


class Witness:
    """Remembers the last checkpoint that it cosigned of each log, in files of a folder.

    Args:
        folder: of its memory, for one key only.
        key: that cosigns.
        logs: the keys of each log by its origin.
    """

    def __init__(self, folder: Path, key: NoteKey, logs: Mapping[str, Iterable[VerifierKey]]) -> None:
        self._folder = folder
        self._key = key
        self._logs = {origin: list(keys) for origin, keys in logs.items()}

    def answer(self, request: Request) -> Answer:
        """Answer a request over HTTP."""
        if (request.method, request.path) != ("POST", _PATH):
            return Answer(404, f"there is only POST {_PATH}\n")
        return self.add_checkpoint(request.read(MOST_NOTE_BYTES))

    def last(self, origin: str) -> Checkpoint:
        """Return the last checkpoint cosigned of a log; that of an empty one before the first."""
        path = self._path(origin)
        if not path.exists():
            return Checkpoint(origin, 0, EMPTY_ROOT)
        return Checkpoint.parse(Note.parse(path.read_bytes()).text)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a request; a checkpoint that continues the last one is remembered, then cosigned."""
        try:
            old, proof, note = _read_request(body)
            checkpoint = Checkpoint.parse(note.text)
        except ValueError as error:
            return Answer(400, f"the request {error}\n")
        if checkpoint.origin not in self._logs:
            return Answer(404, "the log is not known\n")
        try:
            trusted = note.signed_by(self._logs[checkpoint.origin])
        except NotGenuine as error:
            return Answer(403, f"the checkpoint {error}\n")
        if not trusted:
            return Answer(403, "the checkpoint is signed by a key that is not trusted\n")
        if old > checkpoint.size:
            return Answer(400, "the old size is larger than the checkpoint's\n")
        with self._alone():
            return self._compared(old, proof, checkpoint, note)

    def _compared(self, old: int, proof: Sequence[bytes], checkpoint: Checkpoint, note: Note) -> Answer:
        last = self.last(checkpoint.origin)
        if old != last.size:
            return Answer(409, f"{last.size}\n", SIZE_TYPE)
        if old == checkpoint.size and last.root != checkpoint.root:
            return Answer(409, f"{last.size}\n", SIZE_TYPE)
        if not is_consistent(old, checkpoint.size, last.root, checkpoint.root, proof):
            return Answer(422, "the checkpoint does not continue the one before: the log was forked\n")
        write_whole(self._path(checkpoint.origin), str(note).encode())
        return Answer(200, str(self._key.sign(note.text, int(time.time()))))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _path(self, origin: str) -> Path:
        return self._folder / f"{sha256(origin.encode()).hexdigest()}.checkpoint"


@dataclass(frozen=True)
class WitnessSettings:
    """A witness that the log submits its checkpoints to: where it is asked, and its key."""

    url: str
    key: VerifierKey


class Refused(Exception):
    """A witness did not cosign; the message says why."""


def write_request(old: int, proof: Sequence[bytes], note: Note) -> bytes:
    """Return the body of a request."""
    return f"old {old}\n{encoded_hashes(proof)}\n{note}".encode()


def submit(
    witness: WitnessSettings, note: Note, known: int, proof: Callable[[int], Sequence[bytes]]
) -> SignatureLine:
    """Submit a checkpoint to a witness and return its cosignature.

    Args:
        witness: asked over HTTP.
        note: the checkpoint.
        known: size of the last checkpoint that it is known to have cosigned.
        proof: gives the proof that the tree of a size is the beginning of this one.

    Raises:
        Refused: when it does not answer, or refuses: it may have seen another history of the log.
    """
    size = Checkpoint.parse(note.text).size
    answer = _ask(witness, write_request(known, proof(known), note))
    if answer.status == 409 and answer.text.strip().isdecimal():
        seen = int(answer.text)
        if seen > size or seen == known:
            raise Refused(
                f"it has cosigned another tree, of {seen} entries; this one has {size}: the log was forked, "
                "or its database is in an earlier state"
            )
        answer = _ask(witness, write_request(seen, proof(seen), note))
    if answer.status != 200:
        raise Refused(f"it answers {answer.status}: {answer.text.strip()[:200]}")
    try:
        for line in answer.text.splitlines():
            cosignature = SignatureLine.parse(line)
            if cosignature.verify(note.text, witness.key):
                return cosignature
    except NotGenuine as error:
        raise Refused(f"its answer {error}") from None
    raise Refused("its answer has no cosignature by its key")


def _read_request(body: bytes) -> tuple[int, list[bytes], Note]:
    head, blank, note = body.partition(b"\n\n")
    old, *lines = head.decode("ascii", "replace").split("\n")
    size = old.removeprefix("old ")
    if not blank or old != f"old {size}" or not size.isdecimal() or str(int(size)) != size:
        raise ValueError("does not begin with the old size")
    return int(size), decoded_hashes(lines, MOST_PROOF_HASHES), Note.parse(note)


def _ask(witness: WitnessSettings, body: bytes) -> Answer:
    try:
        with requests.post(
            f"{witness.url.rstrip('/')}{_PATH}",
            data=body,
            timeout=_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as answer:
            text = answer.raw.read(MOST_NOTE_BYTES, decode_content=True).decode("utf-8", "replace")
            return Answer(answer.status_code, text, answer.headers.get("Content-Type", ""))
    except (requests.RequestException, OSError) as error:
        raise Refused(f"it does not answer ({type(error).__name__})") from None
