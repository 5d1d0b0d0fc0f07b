"""Signed notes, the checkpoints that they hold, and cosignatures of witnesses.

Sources: C2SP signed-note, tlog-checkpoint and tlog-cosignature (https://c2sp.org).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from oncehub.audit.log.hashing import HASH_BYTES

SIGNATURE: Final = 1
"""Type of a key that signs notes with Ed25519."""

COSIGNATURE: Final = 4
"""Type of a witness's key, which signs a checkpoint and the time (cosignature/v1)."""

MOST_NOTE_BYTES: Final = 64_000
_MOST_SIZE_DIGITS: Final = 19
_SIGNATURE_BYTES: Final = 64
_TIME_BYTES: Final = 8
_DASH: Final = "— "
_NAME: Final = re.compile(r"[^\s+]+")


class NotGenuine(ValueError):
    """A text is no note, no checkpoint, or no trusted key has signed it."""


@dataclass(frozen=True)
class VerifierKey:
    """A public key and the name it signs under.

    Attributes:
        name: of the log or the witness.
        public: 32 bytes of Ed25519.
        kind: `SIGNATURE` or `COSIGNATURE`.
    """

    name: str
    public: bytes
    kind: int = SIGNATURE

    @property
    def id(self) -> bytes:
        """Four bytes that stand before each signature."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        """As other software reads it: `<name>+<id>+<key>`."""
        return f"{self.name}+{self.id.hex()}+{_base64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key as `str` writes it.

        Raises:
            ValueError: when the text is no Ed25519 key, or its id is another key's.
        """
        name, _, rest = text.strip().partition("+")
        number, _, encoded = rest.partition("+")
        content = _from_base64(encoded)
        if len(content) != HASH_BYTES + 1 or content[0] not in (SIGNATURE, COSIGNATURE):
            raise ValueError("it is no verifier key of Ed25519: <name>+<id>+<key>")
        key = cls(check_name(name), content[1:], content[0])
        if key.id.hex() != number:
            raise ValueError("its id is not that of its name and key")
        return key


@dataclass(frozen=True)
class NoteKey:
    """A private key that signs notes, or cosigns checkpoints, under its name."""

    verifier: VerifierKey
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def of(cls, name: str, seed: bytes, kind: int = SIGNATURE) -> Self:
        """Return the key with the 32 secret bytes `seed`."""
        private = Ed25519PrivateKey.from_private_bytes(seed)
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return cls(VerifierKey(check_name(name), public, kind), private)

    def sign(self, text: str, time: int = 0) -> SignatureLine:
        """Return the signature of a note's text; a cosignature is also of the time, in POSIX seconds."""
        if self.verifier.kind == COSIGNATURE:
            signed = time.to_bytes(_TIME_BYTES) + self._private.sign(_cosigned(text, time))
        else:
            signed = self._private.sign(text.encode())
        return SignatureLine(self.verifier.name, self.verifier.id + signed)


@dataclass(frozen=True)
class SignatureLine:
    """A signature below a note; `content` begins with the key's id."""

    name: str
    content: bytes

    def __str__(self) -> str:
        """As it stands in the note, with its newline."""
        return f"{_DASH}{self.name} {_base64(self.content)}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line without its newline.

        Raises:
            NotGenuine: when it has another form.
        """
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        try:
            parsed = cls(check_name(name), _from_base64(encoded))
        except ValueError:
            raise NotGenuine("has a line below it that is no signature") from None
        if str(parsed) != f"{line}\n" or len(parsed.content) < 5:
            raise NotGenuine("has a line below it that is no signature")
        return parsed

    @property
    def time(self) -> int:
        """The moment of a cosignature, in POSIX seconds."""
        return int.from_bytes(self.content[4 : 4 + _TIME_BYTES])

    def is_by(self, key: VerifierKey) -> bool:
        """Whether it claims to be the key's."""
        return (self.name, self.content[:4]) == (key.name, key.id)

    def verify(self, text: str, key: VerifierKey) -> bool:
        """Whether the key signed the text of a note."""
        signature, message = self.content[4:], text.encode()
        if key.kind == COSIGNATURE:
            message, signature = _cosigned(text, self.time), signature[_TIME_BYTES:]
        if not self.is_by(key) or len(signature) != _SIGNATURE_BYTES:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Note:
    """A text, which ends with a newline, and the signatures below it."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        """The note as it is stored and sent."""
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    @classmethod
    def parse(cls, content: bytes | str) -> Self:
        """Read a note; its signatures are not verified.

        Raises:
            NotGenuine: when the content is no note, or has a signature twice.
        """
        try:
            note = content if isinstance(content, str) else content.decode()
        except UnicodeDecodeError:
            raise NotGenuine("is no text") from None
        text, blank, below = note.rpartition("\n\n")
        if not blank or not below.endswith("\n") or len(note) > MOST_NOTE_BYTES:
            raise NotGenuine("is no signed note")
        if any(sign < " " and sign != "\n" for sign in note):
            raise NotGenuine("has control characters")
        lines = below.removesuffix("\n").split("\n")
        signatures = tuple(SignatureLine.parse(line) for line in lines)
        if len({(each.name, each.content[:4]) for each in signatures}) != len(signatures):
            raise NotGenuine("has two signatures by one key")
        return cls(f"{text}\n", signatures)

    def signed_by(self, keys: Iterable[VerifierKey]) -> list[VerifierKey]:
        """Return those of the keys that signed it.

        Raises:
            NotGenuine: when a signature that claims to be by one of them is not.
        """
        found = [(line, key) for line in self.signatures for key in keys if line.is_by(key)]
        for line, key in found:
            if not line.verify(self.text, key):
                raise NotGenuine("does not bear its key's signature")
        return [key for _, key in found]

    def with_signatures(self, lines: Iterable[SignatureLine]) -> Self:
        """Return the note with more signatures below it."""
        return type(self)(self.text, (*self.signatures, *lines))


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log: its name, its number of entries, and the root of the tree over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text of its note."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"

    def sign(self, key: NoteKey) -> Note:
        """Return its note, signed by the log."""
        return Note(self.text, (key.sign(self.text),))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a note; extension lines, which this log does not write, are not its own.

        Raises:
            NotGenuine: when it has another form.
        """
        origin, _, rest = text.partition("\n")
        size, _, rest = rest.partition("\n")
        root, _, _ = rest.partition("\n")
        try:
            checkpoint = cls(origin, int(size[:_MOST_SIZE_DIGITS]), _from_base64(root))
        except ValueError:
            raise NotGenuine("is no checkpoint of a log") from None
        if not origin or len(checkpoint.root) != HASH_BYTES or not text.startswith(checkpoint.text):
            raise NotGenuine("is no checkpoint of a log")
        return checkpoint


def read_checkpoint(content: bytes | str, keys: Iterable[bytes]) -> tuple[Checkpoint, Note]:
    """Verify a checkpoint and return it with its note.

    Args:
        content: of the note.
        keys: the 32 bytes of each trusted key of the log; one must have signed under the log's name.

    Raises:
        NotGenuine: when none has, or it has another form.
    """
    note = Note.parse(content)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.text != note.text:
        raise NotGenuine("has lines that a checkpoint of this log never has")
    if not note.signed_by([VerifierKey(checkpoint.origin, key) for key in keys]):
        raise NotGenuine("is signed by a key that is not trusted")
    return checkpoint, note


def check_name(name: str) -> str:
    """Return the name of a log or a witness.

    Raises:
        ValueError: when it is empty, or has a blank, a plus or a control character.
    """
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise ValueError("a name like example.vn/access-log is needed, without blanks and plus signs")
    return name


def encoded_hashes(hashes: Sequence[bytes]) -> str:
    """Return hashes as lines of base64."""
    return "".join(f"{_base64(each)}\n" for each in hashes)


def decoded_hashes(lines: Sequence[str], most: int) -> list[bytes]:
    """Read hashes as `encoded_hashes` writes them.

    Raises:
        ValueError: when a line holds another thing, or there are more than `most`.
    """
    hashes = [_from_base64(line) for line in lines]
    if len(hashes) > most or any(len(each) != HASH_BYTES for each in hashes):
        raise ValueError("the proof is not of hashes of 32 bytes")
    return hashes


def _cosigned(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _from_base64(text: str) -> bytes:
    """Decode base64, of which there is one form only for each content."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is no base64") from None
    if _base64(content) != text:
        raise ValueError("it is no canonical base64")
    return content
