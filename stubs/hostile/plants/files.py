"""Plants that spoil the files of a snapshot, or what is said of them."""

from collections.abc import Sequence
from dataclasses import replace

from stubs.hostile.exports import ExportFile
from stubs.hostile.plants.registry import Plant
from stubs.hostile.variant import Variant


class _LastFilePlant(Plant):
    """Spoils the last file of a snapshot."""

    needs = "transport files or drop"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.transport != "pages"

    def export(self, files: Sequence[ExportFile], /) -> Sequence[ExportFile]:
        return [*files[:-1], *(self.spoiled(file) for file in files[-1:])]

    def spoiled(self, file: ExportFile) -> ExportFile:
        """Such a file."""
        raise NotImplementedError


class WrongChecksum(_LastFilePlant, name="wrong_checksum"):
    """The SHA-256 of the last file is not its own."""

    def spoiled(self, file: ExportFile) -> ExportFile:
        return replace(file, sha256=file.sha256[::-1])


class WrongRowCount(_LastFilePlant, name="wrong_row_count"):
    """The manifest counts one row more than the last file holds."""

    needs = "transport files"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.transport == "files"

    def spoiled(self, file: ExportFile) -> ExportFile:
        return replace(file, rows=file.rows + 1)


class HalfWrittenFile(_LastFilePlant, name="half_written_file"):
    """The last file is half there and its checksum is not: it is still being written."""

    needs = "transport drop"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.transport == "drop"

    def spoiled(self, file: ExportFile) -> ExportFile:
        return replace(file, content=file.content[: len(file.content) // 2], sidecar=False)
