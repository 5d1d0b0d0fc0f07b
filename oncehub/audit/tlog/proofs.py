"""Proof that a line is in the log: an entry of the tree is a salted commitment to it.

A proof is in the format of C2SP tlog-proof (https://c2sp.org/tlog-proof); its extra data opens the
commitment: the salt, then the line.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from oncehub.audit.log.hashing import leaf_hash
from oncehub.audit.tlog.notes import Checkpoint, NotGenuine, decoded_hashes, encoded_hashes, read_checkpoint
from oncehub.audit.tlog.tree import MOST_PROOF_HASHES, is_included

SALT_BYTES: Final = 32
_DOMAIN: Final = b"oncehub-access-log-v1\n"
_FIRST: Final = "c2sp.org/tlog-proof@v1"


def commitment(salt: bytes, line: bytes) -> bytes:
    """Return the entry of the tree for a line: without the salt it tells nothing of the line."""
    return sha256(_DOMAIN + salt + line).digest()


@dataclass(frozen=True)
class Proof:
    """A line, the salt of its commitment, and the proof that the tree of a checkpoint holds it.

    Attributes:
        index: of the entry, from 0.
        hashes: the audit path, the sibling first.
        note: the checkpoint, with all signatures below it.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: str
    salt: bytes
    line: bytes

    def __str__(self) -> str:
        """The proof as a file."""
        extra = base64.b64encode(self.salt + self.line).decode()
        return f"{_FIRST}\nextra {extra}\nindex {self.index}\n{encoded_hashes(self.hashes)}\n{self.note}"

    @classmethod
    def parse(cls, content: str) -> Self:
        """Read a proof; nothing is verified.

        Raises:
            NotGenuine: when it has another form.
        """
        head, _, note = content.partition("\n\n")
        first, extra, index, *hashes = [*head.split("\n"), "", ""]
        try:
            opened = base64.b64decode(extra.removeprefix("extra "), validate=True)
            proof = cls(
                int(index.removeprefix("index ")),
                tuple(decoded_hashes([each for each in hashes if each], MOST_PROOF_HASHES)),
                note,
                opened[:SALT_BYTES],
                opened[SALT_BYTES:],
            )
        except (ValueError, binascii.Error):
            raise NotGenuine("is no proof of this log") from None
        if first != _FIRST or str(proof) != content:
            raise NotGenuine("is no proof of this log")
        return proof

    def verify(self, keys: Iterable[bytes]) -> Checkpoint:
        """Verify the checkpoint, the path and the commitment; return the checkpoint.

        Args:
            keys: the 32 bytes of each trusted key of the log.

        Raises:
            NotGenuine: when one of them does not hold.
        """
        checkpoint, _ = read_checkpoint(self.note, keys)
        leaf = leaf_hash(commitment(self.salt, self.line))
        if not is_included(leaf, self.index, checkpoint.size, self.hashes, checkpoint.root):
            raise NotGenuine("shows another line than the one in the log")
        return checkpoint
