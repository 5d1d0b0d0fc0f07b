"""Reads rows of Parquet files as records; DuckDB unpacks them within a bound of memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from oncehub.config.reading import Parquet
from oncehub.connect.formats.table import Layout, plain
from oncehub.connect.formats.unpacking import Tally
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

if TYPE_CHECKING:
    import duckdb

_ROWS = 1_000
_VECTOR_ROWS = 2_048
"""DuckDB hands over so many rows at once, whatever they take, and does not count them in its memory."""

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
    # Imported here, so that commands which read no Parquet start at once.
    import duckdb  # noqa: PLC0415

    memory = max(4 * most, _LEAST_MEMORY)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory}B",
        "threads": 1,
        "temp_directory": "",
    }
    too_large = (
        f"{what}: unpacking it takes more memory than four times limits.page_bytes ({most}); let the "
        "source write smaller row groups and rows, or raise the limit"
    )
    try:
        with duckdb.connect(config=settings) as database:
            # The file has no name any more: its number leads to it.
            name = f"/dev/fd/{file.fileno()}"
            row_bytes, vector_bytes = _weighed(database, name)
            if vector_bytes > memory:
                raise ContractBroken(too_large)
            found = database.execute("select * from read_parquet(?)", [name])
            layout = Layout([column[0] for column in found.description], read.columns, what)
            while rows := found.fetchmany(max(1, min(_ROWS, most // max(1, row_bytes)))):
                for row in rows:
                    values = [plain(value) for value in row]
                    tally.row(values)
                    yield layout.record(values)
    except (duckdb.OutOfMemoryException, MemoryError):
        raise ContractBroken(too_large) from None
    except duckdb.Error as error:
        raise TryAgain(f"is no Parquet, or is cut or damaged ({type(error).__name__})") from None


def _weighed(database: duckdb.DuckDBPyConnection, name: str) -> tuple[int, int]:
    """Return the bytes of the heaviest row of a file, and of the heaviest rows handed over at once.

    A text that a dictionary holds once may stand in every row: its weight is computed before anything
    is unpacked.
    """
    columns = database.execute("select * from read_parquet(?) limit 0", [name]).description
    names = [f"column_{number}" for number in range(len(columns))]
    weights = _sum(_weight(own, column[1]) for own, column in zip(names, columns, strict=True))
    heaviest = database.execute(
        f"with weighed as (select {weights} as bytes, row_number() over () // {_VECTOR_ROWS} as vector"
        f" from read_parquet(?) as file({', '.join(names)})),"
        " together as (select max(bytes) as heaviest, sum(bytes) as bytes from weighed group by vector)"
        " select max(heaviest), max(bytes) from together",
        [name],
    ).fetchone()
    row_bytes, vector_bytes = heaviest or (0, 0)
    return int(row_bytes or 0), int(vector_bytes or 0)


def _weight(value: str, kind: Any, depth: int = 0) -> str:
    """Return an SQL expression of about how many bytes a value takes; `value` is its expression."""
    match kind.id:
        case "varchar":
            return f"coalesce(strlen({value}), 0)"
        case "blob":
            return f"coalesce(octet_length({value}), 0)"
        case "struct":
            places = enumerate(kind.children, start=1)
            return _sum(
                _weight(f"struct_extract_at({value}, {place})", part, depth) for place, (_, part) in places
            )
        case "list":
            return _weight_of_list(value, kind.children[0][1], depth)
        case "map":
            return _sum(_weight_of_list(f"map_{name}s({value})", part, depth) for name, part in kind.children)
        case _:
            return "8"


def _sum(weights: Iterable[str]) -> str:
    # Not by `+`: DuckDB nests its expressions 1,000 deep at most.
    return f"list_sum([{', '.join(weights)}])"


def _weight_of_list(value: str, kind: Any, depth: int) -> str:
    each = f"each_{depth}"
    inner = _weight(each, kind, depth + 1)
    return f"coalesce(list_sum(list_transform({value}, lambda {each}: 8 + {inner})), 0)"
