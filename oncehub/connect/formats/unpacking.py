"""Between a file and its parser: gzip and zip are unpacked, and how much comes out is bounded."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, AnyStr, BinaryIO

from oncehub.connect.formats.table import weight
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

CHUNK_BYTES = 65_536

_MAGIC = b"\x1f\x8b"

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, struct.error)


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


class Tally:
    """Counts bytes; more than `most` raise ContractBroken with the text `refusal`.

    Attributes:
        passed: bytes so far.
        most: the bound.
    """

    def __init__(self, most: int, refusal: str) -> None:
        self.passed = 0
        self.most = most
        self._refusal = refusal

    def add(self, count: int) -> None:
        """Count so many bytes."""
        self.passed += count
        if self.passed > self.most:
            raise ContractBroken(self._refusal)

    def row(self, values: Sequence[Any]) -> None:
        """Count a row of a table by what its values take as text."""
        self.add(weight(values))


class Bounded(io.RawIOBase):
    """Passes bytes on and counts them.

    Attributes:
        tally: counts and bounds them; several files may have one.
    """

    def __init__(self, file: BinaryIO | Unpacked | Member, tally: Tally) -> None:
        self.tally = tally
        self._file = file

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer or a part of it; 0 at the end."""
        data = self._file.read(len(buffer)) or b""
        self.tally.add(len(data))
        buffer[: len(data)] = data
        return len(data)


def unzipped(packed: bytes, most: int, what: str) -> bytes:
    """Unpack a response of at most `most` bytes; see `Unpacked`."""
    refusal = f"{what}: unpacks to more than limits.page_bytes ({most})"
    return Bounded(Unpacked(io.BytesIO(packed), what), Tally(most, refusal)).readall()


def opened_zip(file: BinaryIO) -> zipfile.ZipFile:
    """Open a seekable file as a zip.

    Raises:
        TryAgain: when it is none, or cut: a zip ends with its list of files.
    """
    try:
        return zipfile.ZipFile(file)
    except (OSError, ValueError, *_DAMAGE):
        raise TryAgain("is no zip, or is cut") from None


class Member:
    """Reads a file of a zip, whose checksum is compared at its end."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, what: str) -> None:
        """Open the file.

        Raises:
            ContractBroken: when it is encrypted, or packed in a way that is not known.
        """
        self._what = what
        if member.flag_bits & 1:
            raise ContractBroken(f"{what}: is protected by a password; let the source write it without")
        try:
            self._stream = archive.open(member)
        except (NotImplementedError, *_DAMAGE):
            raise ContractBroken(f"{what}: is damaged, or packed by a method other than deflate") from None

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, none at the end.

        Raises:
            ContractBroken: when it is damaged, or does not match its checksum.
        """
        try:
            return self._stream.read(size)
        except _DAMAGE:
            raise ContractBroken(f"{self._what}: is damaged, or does not match its checksum") from None


def zip_members(file: BinaryIO, pattern: str, what: str) -> Iterator[tuple[str, Member]]:
    """Yield the files of a zip whose names fit a pattern, in the order of their names, and how to name them.

    Raises:
        TryAgain: when it is no zip, or cut.
        ContractBroken: when none fits, or one cannot be unpacked.
    """
    archive = opened_zip(file)
    members = [
        member
        for member in sorted(archive.infolist(), key=lambda member: member.filename)
        if not member.is_dir() and fnmatchcase(member.filename.rpartition("/")[2], pattern)
    ]
    if not members:
        raise ContractBroken(f"{what}: holds no file {pattern!r}; check read.members")
    for number, member in enumerate(members, start=1):
        named = f"{what}, file {number} in its zip"
        yield named, Member(archive, member, named)


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
