"""How each blocking key is read from a record."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.config.matching import BlockingKey

_KEYS: Final[dict[BlockingKey, str]] = {
    "name_key": "{name_key}",
    "name_parts": "{parts}",
    "first_part": "split_part({folded}, ' ', 1)",
    "last_part": "split_part({folded}, ' ', -1)",
    "birth_date": "(case when length({birth_date}) = 10 then {birth_date} end)",
    "birth_year": "left({birth_date}, 4)",
    "sex": "{sex}",
    "commune": "({permanent_address} ->> 'unit')",
    "phone": "{phone}",
    "tax_code": "text.identifying('tax_code', {tax_code})",
}
_COLUMNS: Final = ("name_key", "full_name", "birth_date", "sex", "permanent_address", "phone", "tax_code")


def key_of(key: BlockingKey, record: str | None = None, folded: str | None = None) -> sql.Composable:
    """Return the SQL that reads a key; null where the record does not state it.

    Args:
        key: which.
        record: alias of the record's row; none where its columns stand alone, as in an index.
        folded: alias of a row with the full name as `text.fold` gives it (`folded`) and `text.fold_parts`
            (`parts`); none to fold it here.
    """
    columns = {name: sql.Identifier(record, name) if record else sql.Identifier(name) for name in _COLUMNS}
    names: dict[str, sql.Composable] = {
        "folded": sql.SQL("text.fold({full_name})").format(**columns),
        "parts": sql.SQL("text.fold_parts({full_name})").format(**columns),
    }
    if folded:
        names = {name: sql.Identifier(folded, name) for name in names}
    return sql.SQL(_KEYS[key]).format(**columns, **names)
