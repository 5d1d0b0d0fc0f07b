"""What a coded value is called in Vietnamese and English: `01` is Kinh, a commune's code its name.

Labels come from `mappings/codes/labels.csv`, and those of addresses from the catalogues of administrative
units beside it. A value keeps its code: labels are for showing, and forms are answered with the code.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from oncehub.config.administrative_units import FORMER_EDITION, REFORM, AdministrativeUnits, read_units
from oncehub.config.entities import Attribute, load_entities, unqualified
from oncehub.errors import ConfigError
from oncehub.settings import Settings

Label = dict[str, str]
"""`vi` and `en` of one value."""

_COLUMNS: Final = ("attribute", "code", "vi", "en")

_ENGLISH: Final = {
    "Tỉnh": "Province",
    "Thành phố": "City",
    "Quận": "District",
    "Huyện": "District",
    "Thị xã": "Town",
    "Phường": "Ward",
    "Xã": "Commune",
    "Thị trấn": "Township",
    "Đặc khu": "Special Zone",
}
"""Kinds of administrative units; their own names are not translated."""


@dataclass(frozen=True)
class Labels:
    """Labels of the coded attributes of a person.

    Attributes:
        codes: attribute, without `person.` -> code -> label.
        units: the communes, whose labels are their names.
    """

    codes: Mapping[str, Mapping[str, Label]]
    units: AdministrativeUnits

    def of(self, attribute: str, value: Any) -> Label | None:
        """Return the label of a value; None where the attribute is not coded, or the code is not known.

        Args:
            attribute: qualified name.
            value: in canonical form; of an address, an object with `unit` and `edition`.
        """
        if isinstance(value, Mapping):
            return self._unit(value.get("unit"), value.get("edition"))
        return self.codes.get(unqualified(attribute), {}).get(value)

    def of_members(self, members: list[dict[str, Any]]) -> list[dict[str, Label]]:
        """Return the labels of each listed member of a household, by attribute without `person.`."""
        return [
            {name: label for name, value in member.items() if (label := self.of(name, value))}
            for member in members
        ]

    def _unit(self, unit: str | None, edition: str | None) -> Label | None:
        if not unit or not edition:
            return None
        names = self.units.names[REFORM if edition >= REFORM else FORMER_EDITION].get(unit)
        return _unit_label(names) if names else None


def load_labels(settings: Settings) -> Labels:
    """Read and check the labels of coded values.

    Raises:
        ConfigError: when a file cannot be read, or an attribute or a code lacks labels; one line per fault.
    """
    attributes = load_entities(settings.schemas)["person"].attributes
    path = settings.mappings / "codes" / "labels.csv"
    codes: dict[str, dict[str, Label]] = {}
    faults = []
    for line, row in _rows(path, _COLUMNS):
        known = codes.setdefault(row["attribute"], {})
        if fault := _row_fault(row, attributes, known):
            faults.append(f"{path}:{line}: {fault}")
        known[row["code"]] = {"vi": row["vi"], "en": row["en"]}
    faults += [f"{path}: {fault}" for fault in _missing(attributes, codes)]
    if faults:
        raise ConfigError("\n".join(faults))
    return Labels(codes, read_units(settings.mappings))


def _row_fault(
    row: Mapping[str, str], attributes: Mapping[str, Attribute], known: Mapping[str, Label]
) -> str | None:
    attribute = attributes.get(row["attribute"])
    if attribute is None or not attribute.coded:
        return f"attribute: {row['attribute']!r} is no coded attribute of person; remove the line"
    if attribute.values and row["code"] not in attribute.values:
        allowed = ", ".join(attribute.values)
        return f"code: {row['code']!r} is no value of {attribute.name}; write one of {allowed}"
    if row["code"] in known:
        return f"code: {row['code']!r} of {attribute.name} is repeated; keep one"
    if not row["vi"] or not row["en"]:
        return f"{row['code']!r} of {attribute.name} lacks a label; write vi and en"
    return None


def _missing(attributes: Mapping[str, Attribute], codes: Mapping[str, Mapping[str, Label]]) -> Iterator[str]:
    for name, attribute in attributes.items():
        if not attribute.coded:
            continue
        if name not in codes:
            yield f"person.{name} is coded and has no labels; add lines with its codes"
        elif lacking := [value for value in attribute.values if value not in codes[name]]:
            yield f"person.{name}: {', '.join(lacking)} has no label; add a line with vi and en"


@cache
def _unit_label(names: tuple[str, ...]) -> Label:
    return {"vi": ", ".join(names), "en": ", ".join(map(_english, names))}


def _english(unit: str) -> str:
    """Return a unit's name with its kind in English: `Quận 1` is District 1, `Xã An Phú` An Phú Commune."""
    for kind, english in _ENGLISH.items():
        name = unit.removeprefix(f"{kind} ")
        if name != unit:
            return f"{english} {name}" if name.isdigit() else f"{name} {english}"
    return unit


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Give the rows of a CSV file with the number of the line that each ends on."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if lacking := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise ConfigError(f"{path}:1: lacks the column {', '.join(lacking)}")
            for row in reader:
                yield reader.line_num, {name: row[name] or "" for name in columns}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {type(error).__name__}") from None
