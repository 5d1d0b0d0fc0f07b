"""Reads rows of Parquet files as records; DuckDB unpacks them within a bound of memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import duckdb

from oncehub.config.reading import Parquet
from oncehub.connect.formats.table import Layout, plain
from oncehub.connect.formats.unpacking import Tally
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

_ROWS = 1_000
_LEAST_MEMORY = 256 * 1024 * 1024


def parquet_records(file: BinaryIO, read: Parquet, what: str, most: int, tally: Tally) -> Iterator[Any]:
    """Yield the rows of a file.

    Args:
        file: on the disk.
        read: its columns.
        what: names it in errors.
        most: bytes of the longest record (`limits.page_bytes`); unpacking takes four times as many at most.
        tally: counts what was read.

    Raises:
        TryAgain: when it is no Parquet, cut or damaged.
        ContractBroken: when it is too large, or has not the columns.
    """
    memory = max(4 * most, _LEAST_MEMORY)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory}B",
        "threads": 1,
        "temp_directory": "",
    }
    try:
        with duckdb.connect(config=settings) as database:
            # The file has no name any more: its number leads to it.
            found = database.execute("select * from read_parquet(?)", [f"/dev/fd/{file.fileno()}"])
            layout = Layout([column[0] for column in found.description], read.columns, what)
            while rows := found.fetchmany(_ROWS):
                for row in rows:
                    values = [plain(value) for value in row]
                    tally.row(values)
                    yield layout.record(values)
    except duckdb.OutOfMemoryException:
        raise ContractBroken(
            f"{what}: unpacking it takes more memory than four times limits.page_bytes ({most}); let the "
            "source write smaller row groups, or raise the limit"
        ) from None
    except duckdb.Error as error:
        raise TryAgain(f"is no Parquet, or is cut or damaged ({type(error).__name__})") from None
