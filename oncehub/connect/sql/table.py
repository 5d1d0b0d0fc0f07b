"""Reads the rows of a table or view as pages, in the order of its key, or of its changes.

One statement reads them all by a cursor of the server, in one transaction that sees one state. A page ends
where the columns that order it change, so that an interrupted read goes on behind its last page by what these
columns held there; rows that lack one of them come last.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from oncehub.config.connector import Updated
from oncehub.config.reading import Sql
from oncehub.config.syntax.paths import steps_of
from oncehub.connect.formats.file_reader import SLICE_BYTES, SLICE_RECORDS
from oncehub.connect.formats.table import plain, weight
from oncehub.connect.page import Page, with_last
from oncehub.connect.pagination.listing import Listing
from oncehub.connect.resume_token import ResumeToken, TablePosition
from oncehub.connect.sql.database import Database
from oncehub.connect.stream.window import rendered_time
from oncehub.errors import ConfigError, ContractBroken

if TYPE_CHECKING:
    import sqlalchemy as sa

_FETCH = 1_000
_SORTS = re.compile(r"%Y\W?%m\W?%d")


def table_pages(database: Database, listing: Listing, resume: TablePosition | None) -> Iterator[Page]:
    """Read the rows of a listing's window, or those behind `resume`; no rows are one empty page.

    Raises:
        ContractBroken: when table or columns are not there, or fewer rows come than were counted.
        ConfigError: when the columns of key and changes cannot order a read.
        SourceError: see `Database.reading`.
    """
    assert isinstance(listing.read, Sql)
    with database.reading(listing.name) as connection:
        yield from _Reader(connection, listing, listing.read).pages(resume)


@dataclass(frozen=True)
class _Row:
    """A row: its record, and what the columns hold that order it."""

    record: dict[str, Any]
    order: tuple[Any, ...]
    size: int


class _Reader:
    """Reads one selection of one table over an open connection."""

    def __init__(self, connection: sa.Connection, listing: Listing, read: Sql) -> None:
        import sqlalchemy as sa  # noqa: PLC0415 - an extra

        self._sa = sa
        self._connection = connection
        self._listing = listing
        self._what = listing.name
        self._lax = connection.dialect.name == "sqlite"
        schema, name = _names(read.table)
        found = sa.inspect(connection).get_columns(name, schema)
        self._types = {each["name"]: each["type"] for each in found}
        marks = [listing.mark] if listing.mark and listing.window.since is not None else []
        self._order = list(dict.fromkeys(map(_column, [*marks, *listing.key])))
        self._taken = list(read.take or self._types)
        self._check(read)
        # Columns of SQLite hold whatever was put there, so that its declared types may misread them.
        self._columns = {
            each: sa.column(_quoted(each), None if self._lax else self._types[each])
            for each in dict.fromkeys([*self._taken, *self._order])
        }
        self._table = sa.table(name, *self._columns.values(), schema=schema)
        self._conditions = [self._columns[self._order[0]] >= self._since(self._order[0]) for _ in marks]
        chosen = repr((read.table, self._order, str(listing.window.since))).encode()
        self._selection = hashlib.blake2b(chosen, digest_size=8).hexdigest()
        self._size = listing.pages.size.value if listing.pages.size else SLICE_RECORDS

    def pages(self, resume: TablePosition | None) -> Iterator[Page]:
        """Read whole rows first, then those that lack a column of the order."""
        if resume is None or resume.selection != self._selection:
            resume = TablePosition(self._selection, total=self._count(self._conditions))
        position = resume
        for rows, last in with_last(self._batches(resume)):
            incomplete = position.incomplete or any(None in row.order for row in rows)
            after = position.after
            if rows and not incomplete:
                after = tuple(str(plain(each)) for each in rows[-1].order)
            number = position.number
            position = replace(position, after=after, incomplete=incomplete, number=number + 1)
            token = None if last else ResumeToken(position)
            size = sum(row.size for row in rows)
            yield Page([row.record for row in rows], token, number, position.total, size=size)

    def _batches(self, position: TablePosition) -> Iterator[list[_Row]]:
        """Yield the rows of pages; a page has either whole rows or such that lack a column of the order."""
        empty = True
        for rows in (self._whole_rows(position), self._lacking_rows()):
            for batch in self._cut(rows):
                empty = False
                yield batch
        if empty:
            yield []

    def _cut(self, rows: Iterator[_Row]) -> Iterator[list[_Row]]:
        """Cut rows into pages, none between two rows of one order."""
        page: list[_Row] = []
        size = 0
        for row in rows:
            if page and (len(page) >= self._size or size >= SLICE_BYTES) and row.order != page[-1].order:
                yield page
                page, size = [], 0
            page.append(row)
            size += row.size
        if page:
            yield page

    def _whole_rows(self, position: TablePosition) -> Iterator[_Row]:
        if position.incomplete:
            return
        order = [self._columns[each] for each in self._order]
        conditions = [*self._conditions, *(each.is_not(None) for each in order)]
        behind = None if position.after is None else tuple(map(self._bound, self._order, position.after))
        if behind:
            conditions.append(self._from(behind))
        expected, count = self._count(conditions), 0
        for row in self._rows(self._select(conditions).order_by(*order)):
            count += 1
            if row.order != behind:
                yield row
        if count < expected:
            raise ContractBroken(f"{self._what}: the database counts {expected} rows but gave {count}")

    def _lacking_rows(self) -> Iterator[_Row]:
        lacks = self._sa.or_(*(self._columns[each].is_(None) for each in self._order))
        return self._rows(self._select([*self._conditions, lacks]))

    def _select(self, conditions: Sequence[Any]) -> Any:
        return self._sa.select(*self._columns.values()).select_from(self._table).where(*conditions)

    def _rows(self, statement: Any) -> Iterator[_Row]:
        statement = statement.execution_options(stream_results=True, max_row_buffer=_FETCH)
        with self._connection.execute(statement) as result:
            for partition in result.partitions(_FETCH):
                for values in partition:
                    held = dict(zip(self._columns, values, strict=True))
                    record = {name: plain(held[name]) for name in self._taken}
                    order = tuple(held[each] for each in self._order)
                    yield _Row(record, order, weight(list(record.values())))

    def _count(self, conditions: Sequence[Any]) -> int:
        statement = self._sa.select(self._sa.func.count()).select_from(self._table).where(*conditions)
        return int(self._connection.execute(statement).scalar_one())

    def _from(self, behind: tuple[Any, ...]) -> Any:
        """Compare column by column, as not all databases compare rows; the row itself is read again.

        Texts that differ may be equal to the database, so that a row after `behind` may lie beside it.
        """
        *above, (name, value) = zip(self._order, behind, strict=True)
        condition = self._columns[name] >= value
        for outer, held in reversed(above):
            column = self._columns[outer]
            condition = self._sa.or_(column > held, self._sa.and_(column == held, condition))
        return condition

    def _check(self, read: Sql) -> None:
        lacking = [each for each in dict.fromkeys([*self._taken, *self._order]) if each not in self._types]
        if lacking:
            raise ContractBroken(
                f"{self._what}: {read.table} has no column {lacking[0]!r}; check read.take, key, updated and "
                "changes"
            )

    def _since(self, mark: str) -> Any:
        """Return the lower bound in the type of its column; where a text cannot say it, an earlier one."""
        since, kind, updated = self._listing.window.since, self._types[mark], self._listing.updated
        assert updated is not None
        if not isinstance(since, datetime):
            return since
        local = since.astimezone(ZoneInfo(updated.zone))
        if isinstance(kind, self._sa.DateTime) and not self._lax:
            return since if getattr(kind, "timezone", False) else local.replace(tzinfo=None)
        if isinstance(kind, self._sa.Date) and not self._lax:
            return local.date()
        if isinstance(kind, self._sa.Integer | self._sa.Numeric):
            return _number_of(since, updated, self._what)
        return _sortable(since, local, updated, self._what)

    def _bound(self, name: str, text: str) -> Any:
        """Return what a column holds from how a token keeps it."""
        kind = self._types[name]
        with suppress(ValueError, InvalidOperation):
            if isinstance(kind, self._sa.Integer):
                return int(text)
            if self._lax:
                return text
            if isinstance(kind, self._sa.DateTime):
                return datetime.fromisoformat(text)
            if isinstance(kind, self._sa.Date):
                return date.fromisoformat(text)
            if isinstance(kind, self._sa.Numeric):
                return Decimal(text)
        return text


def _number_of(since: datetime, updated: Updated, what: str) -> int:
    if updated.format not in {"unix", "unix_ms"}:
        raise ConfigError(f"{what}: its changes are known by a number; write updated.format: unix or unix_ms")
    return int(rendered_time(since, updated))


def _sortable(since: datetime, local: datetime, updated: Updated, what: str) -> str:
    if updated.format == "iso8601":
        # Texts of one instant differ in signs and zone; all those of the day before sort below it.
        return date.fromordinal(min(since.date(), local.date()).toordinal() - 1).isoformat()
    if not _SORTS.match(updated.format):
        raise ConfigError(
            f"{what}: texts of the form {updated.format} do not sort by time; read a column of "
            "a type of time, or remove changes"
        )
    return rendered_time(since, updated)


def _column(path: str) -> str:
    steps = steps_of(path)
    if len(steps) != 1 or not isinstance(steps[0], str):
        raise ConfigError(f"{path} leads into a value of a column; name the column")
    return steps[0]


def _names(table: str) -> tuple[Any, Any]:
    schema, _, name = table.rpartition(".")
    return _quoted(schema) if schema else None, _quoted(name)


def _quoted(name: str) -> Any:
    """Return a name that is always quoted: as the database keeps it, and never a part of the statement."""
    from sqlalchemy import quoted_name  # noqa: PLC0415 - an extra

    return quoted_name(name, quote=True)
