"""Between a file and its parser: gzip is unpacked, and how much comes out is bounded."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import AnyStr, BinaryIO

from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

CHUNK_BYTES = 65_536

_MAGIC = b"\x1f\x8b"


class Unpacked(gzip.GzipFile):
    """Reads a gzip file of one or more members; little more than one chunk is held at a time."""

    def __init__(self, packed: BinaryIO, what: str) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._packed = packed
        self._what = what

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes, none at the end.

        Raises:
            TryAgain: when the file is empty or cut.
            ContractBroken: when it is no gzip, or damaged.
        """
        try:
            data = super().read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            # Of a file cut within its first two bytes, which identify gzip, the library says that it is none.
            if isinstance(error, EOFError) or self._packed.tell() < len(_MAGIC):
                raise TryAgain("its gzip is cut") from None
            raise ContractBroken(f"{self._what}: is not gzip, or damaged") from None
        if not data and not self._packed.tell():
            raise TryAgain("its gzip is cut")
        return data


class Bounded(io.RawIOBase):
    """Passes bytes on and counts them; more than `most` raise ContractBroken with the text `refusal`.

    Attributes:
        passed: bytes so far.
    """

    def __init__(self, file: BinaryIO | Unpacked, most: int, refusal: str) -> None:
        self.passed = 0
        self._file = file
        self._most = most
        self._refusal = refusal

    def readable(self) -> bool:
        """Always."""
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
    """Unpack a response of at most `most` bytes; see `Unpacked`."""
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
