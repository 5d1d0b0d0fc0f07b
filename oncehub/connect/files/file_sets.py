"""Reads the records of several files in order; a read that stopped continues at the same record."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from oncehub.config.access import Limits
from oncehub.config.reading import Form
from oncehub.connect.formats import SLICE_BYTES, record_slices
from oncehub.connect.http.failures import TryAgain
from oncehub.connect.page import Page, with_last
from oncehub.connect.resume_token import FilePosition, ResumeToken
from oncehub.errors import ContractBroken, SourceUnavailable

logger = logging.getLogger(__name__)

_IN_MEMORY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class ListedFile:
    """A file that is to be read.

    Attributes:
        name: where it is.
        identity: changes with the content: a checksum, or size and time.
        rows: how many records it is said to hold.
    """

    name: str
    identity: str
    rows: int | None = None


Copy = Callable[[ListedFile, str, BinaryIO], None]
"""Copies a listed file into an empty one; the text names it in errors."""


@dataclass(frozen=True)
class FileSet:
    """The files of one stream.

    Attributes:
        name: `source.stream`.
        files: in the order in which they are read.
        copy: copies one here. Files are read from copies, so that none changes while it is read.
        vouched: whether identities are checksums; a file that is cut was then written so.
    """

    name: str
    read: Form
    limits: Limits
    files: list[ListedFile]
    copy: Copy
    vouched: bool

    def pages(self, resume: FilePosition | None) -> Iterator[Page]:
        """Read all records, or those behind `resume`; every file has a page, no files are one empty page.

        Where other files are listed than at the time of `resume`, reading starts anew.

        Raises:
            ContractBroken: when a file is not what the connector says.
            SourceUnavailable: when a file without a checksum is cut.
        """
        position = self._begin(resume)
        if not self.files:
            yield Page([], None, 1, self._total())
        for index in range(position.file, len(self.files)):
            for records, row, last in self._slices(index, position.row):
                at_end = last and index + 1 == len(self.files)
                file, next_row = (index + 1, 0) if last else (index, row)
                following = replace(position, file=file, row=next_row, number=position.number + 1)
                token = None if at_end else ResumeToken(following)
                yield Page(records, token, position.number, self._total(), size=SLICE_BYTES)
                position = following

    def _begin(self, resume: FilePosition | None) -> FilePosition:
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(repr((file.name, file.identity, file.rows)).encode())
        start = FilePosition(digest.hexdigest())
        if resume is None or resume.files == start.files:
            return resume or start
        logger.info("%s: other files are there than when it was last read; starting anew", self.name)
        return start

    def _total(self) -> int | None:
        counts = [file.rows for file in self.files if file.rows is not None]
        return sum(counts) if len(counts) == len(self.files) else None

    def _slices(self, index: int, begin: int) -> Iterator[tuple[list[Any], int, bool]]:
        """Yield records from row `begin`, the row behind them, and whether they end their file."""
        what = f"{self.name}: file {index + 1}"
        with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spooled:
            copy = cast(BinaryIO, spooled)
            self.copy(self.files[index], what, copy)
            copy.seek(0)
            row = 0
            for records, last in with_last(self._checked(self.files[index], what, copy)):
                row += len(records)
                if row > begin or last:
                    yield records[max(0, begin - row + len(records)) :], row, last

    def _checked(self, file: ListedFile, what: str, copy: BinaryIO) -> Iterator[list[Any]]:
        """Yield a file's slices, an empty one where it has none; its end must be as declared."""
        count = 0
        try:
            for records in record_slices(self.read, copy, what, self.limits, vouched=self.vouched):
                count += len(records)
                yield records
        except TryAgain as cut:
            if self.vouched:
                raise ContractBroken(f"{what}: {cut.reason}") from None
            raise SourceUnavailable(f"{what}: {cut.reason}; it may not be complete yet") from None
        if count == 0:
            yield []
        if file.rows is not None and count != file.rows:
            raise ContractBroken(f"{what}: is declared to hold {file.rows} rows but holds {count}")
        logger.debug("%s: %d rows", what, count)
