"""Drop folders: a file that a source put there is read once it is complete, and as it was then."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.config.reading import Folder, Form
from oncehub.connect.files.file_sets import FileSet, ListedFile
from oncehub.connect.files.s3 import S3Folder
from oncehub.connect.files.sftp import SftpFolder
from oncehub.connect.files.stores import LocalFolder, Store
from oncehub.connect.http.responses import copied
from oncehub.connect.page import Page
from oncehub.connect.resume_token import FilePosition
from oncehub.errors import ConfigError, ContractBroken, SourceUnavailable

SIDECAR = ".sha256"
QUIET_SECONDS = 60.0
"""A file without a checksum counts as complete once it has not changed for so long."""

_UNDER_WAY = (".part", ".filepart", ".partial", ".tmp", ".crdownload")
"""How names of uploads end that are not complete."""

_SUM = re.compile(r"([0-9A-Fa-f]{64})(?:\s+\*?(.*\S))?\s*")
_CHUNK_BYTES = 1024 * 1024
_SIDECAR_BYTES = 4096

Clock = Callable[[], float]


def store_of(connector: Connector, connection: Connection) -> Store:
    """Return where the source drops its files; `folder_pages` finds out whether it is there.

    It is `folder` in the connection's extra, else its host: `file:///…`, `sftp://…` or `s3://…`. The first
    serves a source that has streams over HTTP too.

    Raises:
        ConfigError: when neither names such a place, or credentials for it are missing.
    """
    host = connection.host.partition("://")[0].lower()
    if "folder" not in connection.extra:
        if host == "sftp":
            return SftpFolder(connection, connector.limits, connector.source)
        if host == "s3":
            return S3Folder(connection, connector.limits, connector.source)
    return LocalFolder(_local_folder(connector, connection))


def _local_folder(connector: Connector, connection: Connection) -> Path:
    stated = connection.extra.get("folder") or _path_of(connection.host)
    if not isinstance(stated, str) or not Path(stated).is_absolute():
        raise ConfigError(
            f"connection of {connector.source}: the folder of its files is not known; give file:///the/folder,"
            " sftp://host/folder or s3://bucket/folder as host, or the absolute path as `folder` in extra"
        )
    return Path(stated)


def _path_of(host: str) -> str | None:
    try:
        parts = urlsplit(host)
    except ValueError:
        return None
    local = parts.scheme == "file" and parts.netloc in {"", "localhost"}
    return unquote(parts.path) if local else None


def folder_pages(
    store: Store,
    name: str,
    read: Form,
    limits: Limits,
    resume: FilePosition | None,
    *,
    whole: bool,
    clock: Clock = time.time,
) -> Iterator[Page]:
    """Read the complete files of a folder in the order of their names; no files are one empty page.

    Every read takes all files in the folder; the source removes old ones. Where an absent record counts as
    deleted, an empty folder means that all were deleted: the bound of such deletes, `at_most`, then fails the
    run.

    Args:
        store: where the files are dropped.
        name: `source.stream`.
        read: whose `folder` names the files.
        limits: bounds of a file, and of a line or record in it.
        resume: of the token that the last page kept; other files than then start anew.
        whole: whether what is absent counts as deleted. A file that is not complete yet then fails the read;
            else the file waits for a later read.
        clock: Unix seconds.

    Raises:
        SourceUnavailable: when the folder is not there, or a file changes while it is read or does not match
            its checksum: a later read may succeed.
        ContractBroken: when a link leads out of the folder, or a file is not what the connector says.
    """
    assert read.folder is not None
    drop = _Drop(store, name, read.folder, limits, clock)
    vouched = read.folder.checksum == "sidecar"
    with closing(store):
        files = drop.complete(whole=whole)
        yield from FileSet(name, read, limits, files, drop.copy, vouched=vouched).pages(resume)


class _Drop:
    """A folder that files are dropped into."""

    def __init__(self, store: Store, name: str, form: Folder, limits: Limits, clock: Clock) -> None:
        self._store = store
        self._name = name
        self._form = form
        self._limits = limits
        self._clock = clock

    def complete(self, *, whole: bool) -> list[ListedFile]:
        """List the files that are complete; with `whole` one that is not is an error."""
        files = []
        for number, name in enumerate(self._names(), start=1):
            identity = self._identity(name, f"{self._name}: file {number}")
            if identity is not None:
                files.append(ListedFile(name, identity))
            elif whole:
                reason = "has no checksum beside it" if self._by_sidecar else "changed within the last minute"
                raise SourceUnavailable(f"{self._name}: file {number} is not complete yet: it {reason}")
        return files

    def copy(self, file: ListedFile, what: str, into: BinaryIO) -> None:
        """Copy a file, and check that it is the one listed from beginning to end."""
        try:
            before = None if self._by_sidecar else self._store.version(file.name, what).identity
            with self._store.opened(file.name, what) as source:
                chunks = iter(partial(source.read, _CHUNK_BYTES), b"")
                digest = copied(chunks, what, into, most=self._limits.file_bytes)
            after = None if self._by_sidecar else self._store.version(file.name, what).identity
        except OSError as error:
            raise _unreadable(what, error) from None
        if self._by_sidecar and digest != file.identity:
            raise SourceUnavailable(f"{what}: does not match the checksum beside it")
        if not self._by_sidecar and {before, after} != {file.identity}:
            raise SourceUnavailable(f"{what}: changed while it was read")

    @property
    def _by_sidecar(self) -> bool:
        return self._form.checksum == "sidecar"

    def _names(self) -> list[str]:
        """Names that fit the pattern; hidden ones, and those of uploads under way, only where it says so."""
        try:
            names = self._store.names()
        except OSError as error:
            raise SourceUnavailable(
                f"{self._name}: its folder cannot be listed: {_reason(error)}; check that it is mounted, "
                "and the folder in the source's connection"
            ) from None
        pattern = self._form.files
        return sorted(
            name
            for name in names
            if fnmatchcase(name, pattern)
            and (pattern.startswith(".") or not name.startswith("."))
            and (pattern.endswith(_UNDER_WAY) or not name.lower().endswith(_UNDER_WAY))
            and not (self._by_sidecar and name.endswith(SIDECAR))
        )

    def _identity(self, name: str, what: str) -> str | None:
        """Return a file's checksum or version, None when it is not complete yet."""
        if self._by_sidecar:
            return self._stated_sum(name, what)
        try:
            there = self._store.version(name, what)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(what, error) from None
        return there.identity if self._clock() - there.modified >= QUIET_SECONDS else None

    def _stated_sum(self, name: str, what: str) -> str | None:
        try:
            with self._store.opened(name + SIDECAR, what) as sidecar:
                text = sidecar.read(_SIDECAR_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(what, error) from None
        if not text.strip():
            return None
        stated = _SUM.fullmatch(os.fsdecode(text))
        if stated is None or (stated[2] and stated[2].rpartition("/")[2] != name):
            raise ContractBroken(f"{what}: beside it must lie its SHA-256, alone or with its name")
        return stated[1].lower()


def _unreadable(what: str, error: OSError) -> SourceUnavailable:
    return SourceUnavailable(f"{what}: cannot be read: {_reason(error)}")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
