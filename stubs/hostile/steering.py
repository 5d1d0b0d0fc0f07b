"""What can be done to a running source, from this process or over its control."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from stubs.hostile.app import Asked, Simulation
from stubs.hostile.exports import drop_files
from stubs.hostile.register.holders import Fields
from stubs.hostile.register.register import Hidden
from stubs.hostile.variant import Variant
from stubs.hostile.wire import Record, document_record, holder_record


class Steered:
    """A source's register, what it was asked, and what is planted in it.

    Attributes:
        variant: how the source is served.
    """

    def __init__(self, simulation: Simulation, folder: Path) -> None:
        """Steer `simulation`, whose file drop is `folder`."""
        self.variant: Variant = simulation.variant
        self._simulation = simulation
        self._folder = folder

    @property
    def now(self) -> datetime:
        """The register's clock, UTC; only what is done to the register moves it."""
        return self._simulation.register.now

    def records(self) -> list[Record]:
        """The truth: the living, committed records as JSON would send them, in the order of their keys."""
        return [holder_record(entry, self.variant) for entry in self._simulation.register.living()]

    def documents(self, key: str) -> list[Record]:
        """The truth of a holder's documents.

        Raises:
            KeyError: there is no such holder.
        """
        documents = self._simulation.register.documents(key)
        if documents is None:
            raise KeyError(key)
        return [document_record(entry, self.variant) for entry in documents]

    def add(self, count: int = 1, *, at: datetime | None = None, hidden: Hidden | None = None) -> list[str]:
        """Adds holders; their keys.

        Args:
            count: how many.
            at: when all of them were stated, in whole seconds; one second after the other unless given.
            hidden: until when they are not committed yet, though stated.
        """
        return self._simulation.register.add(count, at=at, hidden=hidden)

    def change(self, which: int | Sequence[str] = 1, **fields: object) -> list[str]:
        """States holders anew, with `fields` or each with another phone.

        Args:
            which: their keys, or so many of those stated longest ago.
            fields: new values, by field.

        Returns:
            Their keys.
        """
        keys = self._chosen(which)
        self._simulation.register.change(keys, Fields(fields) or None)
        return keys

    def delete(self, which: int | Sequence[str] = 1) -> list[str]:
        """Deletes holders, chosen as in `change`; their keys."""
        keys = self._chosen(which)
        self._simulation.register.delete(keys)
        return keys

    def add_document(self, key: str) -> None:
        """Gives a holder another document, and states the holder anew."""
        self._simulation.register.add_document(key)

    def advance(self, by: timedelta) -> None:
        """Moves the register's clock."""
        self._simulation.register.advance(by)

    def write_drop(self) -> None:
        """Writes the present snapshot into a file drop's folder, in the place of the last; else nothing."""
        if self.variant.transport == "drop":
            drop_files(self._simulation.export(), self._folder)

    def plant(self, name: str) -> None:
        """Plants one more way to misbehave.

        Raises:
            UnknownPlantError: there is none of that name, or it cannot show on the variant.
        """
        self._simulation.plant(name)

    def clear(self) -> None:
        """Takes out all that is planted."""
        self._simulation.clear()

    def requests(self) -> list[Asked]:
        """All requests so far: method, path, status, and whether they carried credentials."""
        return self._simulation.asked()

    def _chosen(self, which: int | Sequence[str]) -> list[str]:
        if not isinstance(which, int):
            return list(which)
        living = sorted(self._simulation.register.living(), key=lambda entry: entry.sequence)
        return [entry.key for entry in living[:which]]
