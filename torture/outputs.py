"""What the hubs have printed: no traceback, no raw error of the driver or the server, and nobody's data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from torture.hub import Hub

_RAW: Final = re.compile(
    r"^(?:Traceback|.*\bpsycopg2\.|.*\b(?:FATAL|PANIC|STATEMENT|DETAIL|HINT|CONTEXT):  |Exception ignored)",
    re.M,
)

_VALUES: Final = """
select distinct value from truth.person p,
    unnest(array[personal_id, national_id_9, tax_code, full_name, phone, email, father ->> 'full_name']) value
where length(value) > 7
"""


def faults(hub: Hub) -> Iterator[str]:
    """Yield what must not be in the output of a hub's commands: the file, and what kind of line it is."""
    with closing(hub.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_VALUES)
        personal = re.compile("|".join(re.escape(value) for (value,) in cursor) or "$.")
    for path in sorted(hub.outputs.iterdir()):
        yield from _faults_in(path, personal)


def _faults_in(path: Path, personal: re.Pattern[str]) -> Iterator[str]:
    text = path.read_text("utf-8", errors="replace")
    if found := _RAW.search(text):
        line = text[found.start() :].split("\n", 1)[0]
        yield f"{path.name}: {'data of a person' if personal.search(line) else line[:100]}"
    if personal.search(text):
        yield f"{path.name}: data of a person"
