"""Records shown without what they say: letters become x, digits 9, everything else stays."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from oncehub.config.connector import Connector, Stream, Submitted
from oncehub.config.entities import Entity
from oncehub.config.mapping import FieldRule, StreamMapping
from oncehub.config.reading import RecordPath
from oncehub.normalize.contract.contract import Contract, Node, UnknownPath, load_contract
from oncehub.settings import Settings

_LARGEST = 2**63 - 1
"""What every reader of JSON takes for an integer."""


DEEPEST = 100
"""Levels of a record that are looked at."""


def masked_text(text: str) -> str:
    """Keep length, case and punctuation: `Bà Lan, 0912` -> `Xx Xxx, 9999`."""
    return "".join(map(_masked_letter, text))


def masked(value: Any, shown: Collection[str] = (), path: str = "", depth: int = 0) -> Any:
    """Mask every text and number of a JSON value, but for the fields at the dotted paths `shown`.

    Items of a list stand under the list's own path. Booleans and null say nothing by themselves; null also
    stands for what lies deeper than any record has reason to.
    """
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        return {
            _name(key): masked(part, shown, f"{path}.{key}".lstrip("."), depth + 1)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [masked(item, shown, path, depth + 1) for item in value]
    return value if path in shown or isinstance(value, bool) or value is None else _masked_scalar(value)


def _masked_scalar(value: Any) -> Any:
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, date | datetime):
        return masked_text(value.isoformat())
    return _masked_number(value) if isinstance(value, int) else 9.9


def shown_fields(stream: Stream | Submitted, mapping: StreamMapping, contract: Contract) -> set[RecordPath]:
    """The fields that say nothing about a person by themselves: codes, marks and times of statement."""
    shown = {stream.updated.field}
    if stream.deletes and stream.deletes.kind in ("flag", "tombstone"):
        shown.add(stream.deletes.field)
    for entity in mapping.entities.values():
        for rule in entity.attributes.values():
            shown |= {path for path in _origins(rule) if rule.codes or _listed(contract, path)}
    return shown


def showable(settings: Settings, connector: Connector, stream: str) -> set[RecordPath]:
    """`shown_fields` by the files of a stream; of one that has none yet, the time of statement only.

    Raises:
        ConfigError: when a file is there and cannot be read.
    """
    definition = connector.landed[stream]
    mapping, contract = files_of(settings, connector, stream)
    if not (mapping.exists() and contract.exists()):
        return {definition.updated.field}
    return shown_fields(definition, StreamMapping.load(mapping), load_contract(contract))


def files_of(settings: Settings, connector: Connector, stream: str) -> tuple[Path, Path]:
    """Where a stream's mapping and contract belong."""
    within = Path("sources") / connector.source
    return settings.mappings / within / f"{stream}.yaml", settings.schemas / within / f"{stream}.json"


def shown_attributes(entities: Mapping[str, Entity]) -> dict[str, set[str]]:
    """By entity, the attributes that say nothing about a person by themselves: listed values and times."""
    return {
        name: {"stated_at", *(each.name for each in entity.attributes.values() if each.values)}
        for name, entity in entities.items()
    }


def shown_values(entity: Entity) -> set[str]:
    """The attributes with listed values, but for sensitive ones, which tell too much of one person."""
    return {each.name for each in entity.attributes.values() if each.values and not each.sensitive}


def _origins(rule: FieldRule) -> tuple[RecordPath, ...]:
    return (rule.source,) if isinstance(rule.source, str) else rule.source or ()


def _listed(contract: Contract, path: RecordPath) -> bool:
    try:
        node: Node = contract.at(path)
    except UnknownPath:
        return False
    return "enum" in node or "const" in node


def names_somebody(key: str) -> bool:
    """Whether a field's name is data itself, as in a map by personal number or address of mail."""
    return sum(letter.isdigit() for letter in key) > 5 or "@" in key[1:]


def _name(key: str) -> str:
    return masked_text(key) if names_somebody(key) else key


def _masked_number(number: int) -> int:
    return max(-_LARGEST, min(_LARGEST, int(masked_text(str(number)))))


def _masked_letter(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind[0] in "LM":  # a tone mark by itself tells as much as its letter
        return "X" if kind == "Lu" else "x"
    if kind[0] == "N":
        return "9"
    # In TCVN3 and VNI, letters with tones look like signs: ¸ is á.
    return letter if letter.isascii() or letter.isspace() else "x"
