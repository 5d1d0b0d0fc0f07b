"""Files listed in a manifest: checked against their SHA-256 before anything of them is read."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from oncehub.connect.csv_rows import csv_rows
from oncehub.connect.failures import TryAgain
from oncehub.connect.listing import at
from oncehub.connect.page import Page, PageState
from oncehub.connect.requesting import Answer, Requester
from oncehub.model.errors import ContractBroken
from oncehub.model.reading import Csv, FileListing

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """Where the files of a stream are.

    Attributes:
        name: `source.stream`.
        host: base URL of the source.
        read: the files' form.
        listing: where they are listed.
    """

    name: str
    host: str
    read: Csv
    listing: FileListing


@dataclass(frozen=True)
class _File:
    name: str
    sha256: str
    rows: int | None


def file_pages(requester: Requester, snapshot: Snapshot, resume: PageState | None) -> Iterator[Page]:
    """Read a snapshot, one page a file; a snapshot without files is one empty page.

    When the manifest lists other files than at the time of `resume`, the snapshot starts anew.

    Raises:
        ContractBroken: when the manifest or a file is not what the connector says.
        SourceError: see `Requester.send`; a file that never matches its sum is `SourceUnavailable`.
    """
    files = _manifest(requester, snapshot)
    sums = [file.sha256 for file in files]
    counts = [file.rows for file in files]
    total = sum(count for count in counts if count is not None) if None not in counts else None
    if not files:
        yield Page([], None, 1, total)
    for index in range(_begin(resume, files, sums), len(files)):
        file, number = files[index], index + 1
        rows = _rows(requester, snapshot, file, number)
        following = (
            {"sha256": sums, "name": files[number].name, "number": number + 1}
            if number < len(files)
            else None
        )
        logger.debug("%s: file %d: %d rows", snapshot.name, number, len(rows))
        yield Page(rows, following, number, total)


def _begin(resume: PageState | None, files: list[_File], sums: list[str]) -> int:
    if resume is None or resume.get("sha256") != sums:
        return 0
    names = [file.name for file in files]
    return names.index(resume["name"]) if resume.get("name") in names else 0


def _manifest(requester: Requester, snapshot: Snapshot) -> list[_File]:
    what = f"{snapshot.name}: manifest"
    content = requester.get(snapshot.host + snapshot.listing.path, what, Answer.json)
    entries = at(content, snapshot.listing.files)
    if not isinstance(entries, list):
        raise ContractBroken(f"{what}: holds no list at `{snapshot.listing.files}`")
    files = [_file(entry, snapshot.listing, what) for entry in entries]
    if len({file.name for file in files}) < len(files):
        raise ContractBroken(f"{what}: lists a file twice")
    return files


def _file(entry: Any, read: FileListing, what: str) -> _File:
    name, sha256 = at(entry, read.name), at(entry, read.sha256)
    rows = at(entry, read.rows)
    if not isinstance(name, str) or not isinstance(sha256, str) or not isinstance(rows, int | None):
        fields = f"`{read.name}`, `{read.sha256}` and `{read.rows}`"
        raise ContractBroken(f"{what}: an entry lacks a proper {fields}")
    return _File(name, sha256.lower(), rows)


def _rows(requester: Requester, snapshot: Snapshot, file: _File, number: int) -> list[Any]:
    what = f"{snapshot.name}: file {number}"
    read = snapshot.read
    url = snapshot.host + (read.path or "").replace("{name}", quote(file.name, safe=""))
    content = requester.get(url, what, lambda answer: _checked(answer, file.sha256))
    if read.compression == "gzip":
        content = unzipped(content, requester.limits.page_bytes, what)
    rows = csv_rows(content, read.encoding, read.delimiter, what)
    if file.rows is not None and len(rows) != file.rows:
        raise ContractBroken(f"{what}: the manifest declares {file.rows} rows but it holds {len(rows)}")
    return rows


def _checked(answer: Answer, sha256: str) -> bytes:
    # Half a file whose length header was cut alike is noticed only here, so it may be asked for again.
    if hashlib.sha256(answer.body).hexdigest() != sha256:
        raise TryAgain("its SHA-256 is not the manifest's")
    return answer.body


def unzipped(content: bytes, most: int, what: str) -> bytes:
    """Decompress gzip of one or more members.

    Raises:
        ContractBroken: when it is not gzip, is cut, or grows beyond `most` bytes.
    """
    parts: list[bytes] = []
    room = most
    while content:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(content, room + 1)
        except zlib.error:
            raise ContractBroken(f"{what}: is not gzip") from None
        room -= len(part)
        if room < 0:
            raise ContractBroken(f"{what}: unpacks to more than limits.page_bytes ({most})")
        if not member.eof:
            raise ContractBroken(f"{what}: its gzip is cut")
        parts.append(part)
        content = member.unused_data
    return b"".join(parts)
