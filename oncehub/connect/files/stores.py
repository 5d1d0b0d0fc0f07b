"""Stores: where a source drops its files, on a disk or on a server of files."""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from oncehub.errors import ContractBroken


@dataclass(frozen=True)
class Version:
    """The state of a file.

    Attributes:
        identity: another one means that the file was written again.
        modified: when it was last written, Unix seconds of the store's clock.
    """

    identity: str
    modified: float


class Store(Protocol):
    """One folder of files; its methods raise `OSError` for what the store refuses or lacks."""

    def names(self) -> list[str]:
        """Return the names of what lies in it, but for folders."""

    def version(self, name: str, what: str) -> Version:
        """Return the present state of a file; `what` names it in errors."""

    def opened(self, name: str, what: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading from its beginning."""

    def close(self) -> None:
        """End connections."""


class LocalFolder:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Return the names of all but folders."""
        return [path.name for path in self.folder.iterdir() if not path.is_dir()]

    def version(self, name: str, what: str) -> Version:
        """Return the state of a file, links followed.

        Raises:
            ContractBroken: when a link leads out of the folder.
        """
        there = self._inside(name, what).stat()
        return Version(f"{there.st_ino}-{there.st_size}-{there.st_mtime_ns}", there.st_mtime)

    def opened(self, name: str, what: str) -> BinaryIO:
        """Open a file.

        Raises:
            ContractBroken: when it is no regular file, or a link that leads out of the folder.
        """
        # Not blocking: a pipe in the folder has no end.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.fdopen(os.open(self._inside(name, what), flags), "rb")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise ContractBroken(f"{what}: is no regular file")
        return file

    def close(self) -> None:
        """Nothing is open."""

    def _inside(self, name: str, what: str) -> Path:
        """Return the path with links followed, all within the folder."""
        # Unlike Path.resolve, it raises nothing where links run in a circle; opening them does.
        path = Path(os.path.realpath(self.folder / name))
        if path.parent != Path(os.path.realpath(self.folder)):
            raise ContractBroken(f"{what}: is a link that leads out of its folder")
        return path
