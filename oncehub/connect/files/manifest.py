"""Files listed in a manifest: each is checked against its SHA-256 before it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

import requests

from oncehub.config.reading import FileListing, Form
from oncehub.connect.files.file_sets import FileSet, ListedFile
from oncehub.connect.formats import at
from oncehub.connect.formats.json import parse_strictly
from oncehub.connect.http.requester import Requester
from oncehub.connect.page import Page
from oncehub.connect.resume_token import FilePosition
from oncehub.errors import ContractBroken

_SHA256 = re.compile(r"[0-9a-f]{64}")


def file_pages(
    requester: Requester, name: str, host: str, read: Form, resume: FilePosition | None
) -> Iterator[Page]:
    """Read the files that a source lists; one that lists none is one empty page.

    Args:
        requester: reaches the source.
        name: `source.stream`.
        host: base URL of the source.
        read: whose `listing` names the files; query and headers go with every request.
        resume: of the token that the last page kept; another listing than then starts anew.

    Raises:
        ContractBroken: when the manifest or a file is not what the connector says.
        SourceError: see `Requester.send`; a file that never matches its sum is `SourceUnavailable`.
    """
    assert read.listing is not None
    fetcher = _Fetcher(requester, host, read)
    files = fetcher.listed(read.listing, f"{name}: manifest")
    yield from FileSet(name, read, requester.limits, files, fetcher.copy, vouched=True).pages(resume)


class _Fetcher:
    """Fetches the list of a source, and its files."""

    def __init__(self, requester: Requester, host: str, read: Form) -> None:
        self._requester = requester
        self._host = host
        self._read = read

    def listed(self, listing: FileListing, what: str) -> list[ListedFile]:
        content = self._requester.send(
            self._request(listing.path), what, lambda response: parse_strictly(response.body)
        )
        entries = at(content, listing.files)
        if not isinstance(entries, list):
            raise ContractBroken(f"{what}: holds no list at `{listing.files}`")
        files = [_listed_file(entry, listing, what) for entry in entries]
        if len({file.name for file in files}) < len(files):
            raise ContractBroken(f"{what}: lists a file twice")
        return files

    def copy(self, file: ListedFile, what: str, into: BinaryIO) -> None:
        # Quoted as a whole, a name cannot lead out of the connector's path.
        path = (self._read.path or "").replace("{name}", quote(file.name, safe=""))
        self._requester.download(self._request(path), what, into, file.identity)

    def _request(self, path: str) -> requests.Request:
        query = urlencode(self._read.query, quote_via=quote)
        url = self._host + path + (f"?{query}" if query else "")
        return requests.Request("GET", url, headers=dict(self._read.headers))


def _listed_file(entry: Any, listing: FileListing, what: str) -> ListedFile:
    name, sha256, rows = at(entry, listing.name), at(entry, listing.sha256), at(entry, listing.rows)
    proper = isinstance(sha256, str) and _SHA256.fullmatch(sha256.lower())
    if not proper or not isinstance(name, str) or name in {"", ".", ".."} or not _is_count(rows):
        fields = f"`{listing.name}`, `{listing.sha256}` and `{listing.rows}`"
        raise ContractBroken(f"{what}: an entry lacks a proper {fields}")
    return ListedFile(name, sha256.lower(), rows)


def _is_count(rows: Any) -> bool:
    return rows is None or (isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0)
