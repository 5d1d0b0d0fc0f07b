"""A snapshot as files: behind an HTTP manifest, or dropped into a folder with their checksums beside them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from stubs.hostile.variant import Variant
from stubs.servers.protocol.certificates import write_private
from stubs.servers.protocol.parameters import VIETNAM

FILE_COUNT = 3
"""A snapshot comes in so many files, or fewer where it has fewer records."""


@dataclass(frozen=True)
class ExportFile:
    """One file; `sha256` and `rows` are what is said of it, `sidecar` whether its checksum is in place."""

    name: str
    content: bytes
    rows: int
    sha256: str
    sidecar: bool = True

    @classmethod
    def of(cls, name: str, content: bytes, rows: int) -> "ExportFile":
        """A file of which only the truth is said."""
        return cls(name, content, rows, hashlib.sha256(content).hexdigest())

    def manifest_entry(self) -> dict[str, object]:
        """Its line in the manifest."""
        return {"name": self.name, "sha256": self.sha256, "bytes": len(self.content), "rows": self.rows}


def file_name(night: datetime, number: int, variant: Variant) -> str:
    """The name of a snapshot's `number`-th file."""
    suffix = ".gz" if variant.compression == "file" else ""
    return f"holders-{night.astimezone(VIETNAM):%Y%m%d}-{number:02d}.{variant.format}{suffix}"


def drop_files(files: Sequence[ExportFile], folder: Path) -> None:
    """Puts a snapshot in the place of what is in a folder, each file with a `.sha256` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for file in files:
        write_private(folder / file.name, file.content)
        if file.sidecar:
            line = f"{file.sha256}  {file.name}\n"
            write_private(folder / f"{file.name}.sha256", line.encode())
