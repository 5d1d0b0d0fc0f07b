"""What lies between a file and its parser: gzip undone, and a bound on how much comes out."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import AnyStr, BinaryIO

from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

CHUNK_BYTES = 65_536


class Unpacked(io.RawIOBase):
    """Bytes of a gzip file of one or more members; little more than one chunk is held at a time.

    Reading raises `TryAgain` where the file is cut, `ContractBroken` where it is no gzip or damaged.
    """

    def __init__(self, packed: BinaryIO, what: str) -> None:
        self._packed = packed
        self._what = what
        self._waiting = b""
        self._member: zlib._Decompress | None = zlib.decompressobj(wbits=31)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer or a part of it; 0 at the end."""
        while self._waiting or self._more():
            if data := self._unpacked(len(buffer)):
                buffer[: len(data)] = data
                return len(data)
        return 0

    def _more(self) -> bool:
        self._waiting = self._packed.read(CHUNK_BYTES)
        if not self._waiting and self._member is not None:
            raise TryAgain("its gzip is cut")
        return bool(self._waiting)

    def _unpacked(self, most: int) -> bytes:
        member = self._member or zlib.decompressobj(wbits=31)
        try:
            data = member.decompress(self._waiting, most)
        except zlib.error:
            raise ContractBroken(f"{self._what}: is not gzip, or damaged") from None
        self._member = None if member.eof else member
        self._waiting = member.unused_data if member.eof else member.unconsumed_tail
        return data


class Bounded(io.RawIOBase):
    """Passes bytes on and counts them; more than `most` break the contract.

    Attributes:
        passed: bytes so far.
    """

    def __init__(self, file: BinaryIO | Unpacked, most: int, refusal: str) -> None:
        self.passed = 0
        self._file = file
        self._most = most
        self._refusal = refusal

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer or a part of it; 0 at the end."""
        data = self._file.read(len(buffer)) or b""
        self.passed += len(data)
        if self.passed > self._most:
            raise ContractBroken(self._refusal)
        buffer[: len(data)] = data
        return len(data)


def unzipped(packed: bytes, most: int, what: str) -> bytes:
    """Unpack an answer of at most `most` bytes; see `Unpacked`."""
    refusal = f"{what}: unpacks to more than limits.page_bytes ({most})"
    return Bounded(Unpacked(io.BytesIO(packed), what), most, refusal).readall()


def lines_of(readline: Callable[[int], AnyStr], most: int, what: str) -> Iterator[AnyStr]:
    """Yield lines with their ends.

    Raises:
        ContractBroken: when one is longer than `most`.
    """
    number = 0
    while line := readline(most + 1):
        number += 1
        if len(line) > most:
            raise ContractBroken(f"{what}: line {number} is longer than limits.page_bytes ({most})")
        yield line
