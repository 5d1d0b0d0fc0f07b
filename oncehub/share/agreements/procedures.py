"""Procedures, read and checked against each other and the canonical entities, and found by code."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from oncehub.config.catalogue import load_folder
from oncehub.config.entities import load_entities, qualified
from oncehub.config.procedures import HOUSEHOLD_MEMBERS, Form, Item, Procedure
from oncehub.settings import Settings
from oncehub.share.agreements.faults import at, listed, raise_faults, repeated, unknown


def load_procedures(settings: Settings) -> dict[str, Procedure]:
    """Read and check `mappings/procedures/*.yaml`, by id.

    Raises:
        ConfigError: one line per fault, with file, line and column.
    """
    procedures = load_folder(settings.mappings / "procedures", Procedure)
    attributes, relations = shareable_attributes(settings.schemas), known_relations(settings.schemas)
    listable = listable_attributes(settings.schemas)
    faults = [
        fault
        for procedure in procedures
        for found in (
            _misnamed(procedure),
            _version_faults(procedure),
            _item_faults(procedure, attributes, relations),
            _unlistable(procedure, attributes, listable),
            _unknown_papers(procedure, {known for each in procedures for known in _codes(each)}),
        )
        for fault in found
    ]
    raise_faults(faults + list(_repeated(procedures)))
    return {procedure.id: procedure for procedure in procedures}


def shareable_attributes(schemas: Path) -> list[str]:
    """Return what an agreement may name: the attributes of the golden record, as `person.<attribute>`."""
    return sorted(qualified(name) for name in load_entities(schemas)["person"].attributes)


def known_relations(schemas: Path) -> list[str]:
    """Return the relations of a person: attributes that name another person by number, and the household."""
    attributes = load_entities(schemas)["person"].attributes.values()
    naming = [attribute.name for attribute in attributes if "personal_id" in attribute.members]
    return sorted([*naming, HOUSEHOLD_MEMBERS])


def listable_attributes(schemas: Path) -> list[str]:
    """Return the attributes that a list of people may show: neither composite nor encrypted."""
    attributes = load_entities(schemas)["person"].attributes.values()
    plain = [each.name for each in attributes if not each.members and not each.sensitive]
    return sorted(qualified(name) for name in plain)


def named(procedures: Mapping[str, Procedure], code: str) -> Procedure | None:
    """Return the procedure with a code, present or former; None when there is none."""
    if code in procedures:
        return procedures[code]
    return next((each for each in procedures.values() if any(code == old.code for old in each.former)), None)


def had_code(procedure: Procedure, code: str, day: date) -> bool:
    """Whether the procedure had the code on `day`."""
    return code == procedure.id or any(code == old.code and old.holds(day) for old in procedure.former)


def _misnamed(procedure: Procedure) -> Iterator[str]:
    if procedure.id != procedure.path.stem:
        key = "code" if procedure.code else "service"
        yield (
            f"{at(procedure, key)}: the procedure is {procedure.id!r}, the file is not; "
            f"name it {procedure.id}.yaml"
        )


def _version_faults(procedure: Procedure) -> Iterator[str]:
    """Find days with two versions of the form, or with none after the first version."""
    ordered = sorted(enumerate(procedure.forms), key=lambda numbered: numbered[1].since)
    for (_, form), (index, following) in pairwise(ordered):
        place = at(procedure, "forms", index, "from")
        expected = form.until and form.until + timedelta(days=1)
        if expected is None or following.since < expected:
            yield (
                f"{place}: on {following.since} the version from {form.since} holds too; "
                "end that one with until on the day before"
            )
        elif following.since > expected:
            yield (
                f"{place}: no version holds from {expected} to "
                f"{following.since - timedelta(days=1)}; close the gap"
            )
    for index, form in enumerate(procedure.forms):
        if not any(_belongs(item, form) for item in procedure.items.values()):
            yield f"{at(procedure, 'forms', index)}: no item belongs to this version; add one"


def _belongs(item: Item, form: Form) -> bool:
    return item.holds(form.since) and (form.until is None or item.holds(form.until))


def _item_faults(
    procedure: Procedure, attributes: Collection[str], relations: Collection[str]
) -> Iterator[str]:
    for name, item in procedure.items.items():
        if item.attribute and item.attribute not in attributes:
            yield unknown(at(procedure, "items", name, "attribute"), item.attribute, attributes)
        if item.of and item.of not in relations:
            yield unknown(at(procedure, "items", name, "of"), item.of, relations)
        yield from _misdated(procedure, name, item)


def _unlistable(
    procedure: Procedure, attributes: Collection[str], listable: Collection[str]
) -> Iterator[str]:
    for name, item in procedure.items.items():
        for place, attribute, again in listed(procedure, ("items", name, "attributes"), item.attributes):
            if attribute not in attributes:
                yield unknown(place, attribute, attributes)
            elif attribute not in listable:
                yield (f"{place}: {attribute!r} cannot be listed: it is encrypted or composite; leave it out")
            elif again:
                yield repeated(place, attribute)


def _misdated(procedure: Procedure, name: str, item: Item) -> Iterator[str]:
    """Find items that begin or end within a version or outside all: a form changes as a whole."""
    bounds = (
        ("from", item.since, {form.since for form in procedure.forms}, "begins"),
        ("until", item.until, {form.until for form in procedure.forms if form.until}, "ends"),
    )
    for key, day, days, verb in bounds:
        if day and day not in days:
            yield (
                f"{at(procedure, 'items', name, key)}: no version of the form {verb} on {day}; "
                f"versions do on: {', '.join(str(each) for each in sorted(days)) or 'no day'}"
            )


def _unknown_papers(procedure: Procedure, known: Collection[str]) -> Iterator[str]:
    for name, item in procedure.items.items():
        for index, paper in enumerate(item.replaced_by):
            for place, code, _ in listed(
                procedure, ("items", name, "replaced_by", index, "procedures"), paper.procedures
            ):
                if code not in known:
                    yield unknown(place, code, known)


def _repeated(procedures: Iterable[Procedure]) -> Iterator[str]:
    services: dict[int, str] = {}
    codes: dict[str, str] = {}
    for procedure in procedures:
        owner = services.setdefault(procedure.service, procedure.path.name)
        if owner != procedure.path.name:
            yield (f"{at(procedure, 'service')}: {procedure.service} is {owner} already; one file a service")
        for index, code in enumerate(_codes(procedure)):
            place = procedure.where("former", index - 1, "code") if index else procedure.where("code")
            if code in codes:
                owner = codes[code]
                yield f"{place}: {code!r} is a code of {owner} already; a code belongs to one procedure, once"
            codes.setdefault(code, procedure.path.name)


def _codes(procedure: Procedure) -> list[str]:
    """Return the present and former codes of the procedure, its id first."""
    return [procedure.id, *(former.code for former in procedure.former)]
