"""Agreements, read and checked against each other, the procedures and the canonical entities."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_folder, load_rules
from oncehub.config.entities import Attribute, load_entities, qualified
from oncehub.config.privacy import RevealRules
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.checks import (
    basis_faults,
    consent_faults,
    everything_faults,
    overlap_faults,
    purpose_faults,
    recorder_faults,
    reveal_faults,
    search_faults,
    stream_faults,
)
from oncehub.share.agreements.faults import misnamed, raise_faults, unknown
from oncehub.share.agreements.population import Catalogues, population_faults
from oncehub.share.agreements.procedures import known_relations, load_procedures, shareable_attributes
from oncehub.share.agreements.purposes import read_purposes
from oncehub.share.people.relatives import tie

SEARCHABLE = ("person.national_id_9", "person.passport", "person.personal_id", "person.tax_code")
"""Attributes that a person may be looked for by: those that `truth.identifier` holds."""


def load_agreements(settings: Settings) -> dict[str, Agreement]:
    """Read and check `mappings/agreements/*.yaml` and the procedures they name, by name.

    Raises:
        ConfigError: one line per fault, with file, line and column.
    """
    procedures = load_procedures(settings)
    agreements = load_folder(settings.mappings / "agreements", Agreement)
    attributes = _person_attributes(settings.schemas)
    known, relations = shareable_attributes(settings.schemas), known_relations(settings.schemas)
    listed = {name for name, attribute in attributes.items() if attribute.values}
    faults = [fault for agreement in agreements for fault in _agreement_faults(agreement, known, procedures)]
    faults += [fault for agreement in agreements for fault in _relative_faults(agreement, relations)]
    faults += [fault for agreement in agreements for fault in _unknown_source(agreement, settings.connectors)]
    faults += [fault for agreement in agreements for fault in _without_value(agreement, known, listed)]
    raise_faults(
        [*faults, *_repeated_keys(agreements), *_repeated_feeds(agreements), *_repeated_sources(agreements)]
    )
    catalogues = Catalogues(settings.mappings)
    for agreement in agreements:
        catalogues.place(agreement)
    sensitive = {name for name, attribute in attributes.items() if attribute.sensitive}
    faults = list(_privacy_faults(agreements, settings, attributes, catalogues))
    faults += [fault for agreement in agreements for fault in _not_correctable(agreement, sensitive)]
    raise_faults([*faults, *recorder_faults(agreements), *overlap_faults(agreements)])
    raise_faults(list(stream_faults(settings, agreements)))
    return {agreement.name: agreement for agreement in agreements}


def find_agreement(settings: Settings, name: str) -> Agreement:
    """Return the agreement of that name.

    Raises:
        ConfigError: when there is none, or one is wrong; see `load_agreements`.
    """
    agreements = load_agreements(settings)
    if name not in agreements:
        raise ConfigError(f"there is no agreement {name!r}; there are: {', '.join(agreements)}")
    return agreements[name]


def _person_attributes(schemas: Path) -> dict[str, Attribute]:
    attributes = load_entities(schemas)["person"].attributes
    return {qualified(name): attribute for name, attribute in attributes.items()}


def _privacy_faults(
    agreements: list[Agreement], settings: Settings, attributes: dict[str, Attribute], catalogues: Catalogues
) -> Iterator[str]:
    """Tell what is wrong with purpose, basis, consent, what is told, and of whom."""
    purposes, reveals = read_purposes(settings.mappings), load_rules(settings, "reveals", RevealRules)
    for agreement in agreements:
        yield from purpose_faults(agreement, purposes)
        yield from basis_faults(agreement)
        yield from consent_faults(agreement, attributes)
        yield from everything_faults(agreement, attributes)
        yield from reveal_faults(agreement, reveals)
        yield from search_faults(agreement, SEARCHABLE)
        yield from population_faults(agreement, attributes, catalogues)


def _agreement_faults(
    agreement: Agreement, known: Collection[str], procedures: Collection[str]
) -> Iterator[str]:
    yield from misnamed(agreement, "name", agreement.name)
    lists: list[tuple[str, tuple[str, ...], Collection[str]]] = [
        ("attributes", agreement.attributes, known),
        ("search_by", agreement.search_by, SEARCHABLE),
        ("procedures", agreement.procedures, procedures),
    ]
    for key, values, allowed in lists:
        for index, value in enumerate(values):
            place = agreement.where(key, index)
            if value not in allowed:
                yield unknown(place, f"{key}.{index}", value, allowed)
            elif value in values[:index]:
                yield f"{place}: {key}.{index}: {value!r} is repeated; keep one"


def _relative_faults(agreement: Agreement, relations: Collection[str]) -> Iterator[str]:
    for index, relation in enumerate(agreement.relatives):
        key, place = f"relatives.{index}", agreement.where("relatives", index)
        if relation not in relations:
            yield unknown(place, key, relation, relations)
        elif relation in agreement.relatives[:index]:
            yield f"{place}: {key}: {relation!r} is repeated; keep one"
        elif tie(relation) not in agreement.attributes:
            # Whoever sees a relative's item learns of the tie.
            yield f"{place}: {key}: {relation!r} needs {tie(relation)} under attributes; add it"


def _repeated_feeds(agreements: list[Agreement]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for agreement in agreements:
        if agreement.feed is None:
            continue
        owner = owners.setdefault(agreement.feed, agreement.name)
        if owner != agreement.name:
            # Lines are cut to one agreement's attributes, so a feed cannot serve two.
            yield (
                f"{agreement.where('feed')}: feed: {agreement.feed!r} is the feed of {owner!r} already; "
                "choose another name"
            )


def _repeated_keys(agreements: list[Agreement]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for agreement in agreements:
        for index, key in enumerate(agreement.keys or ()):
            place = f"{agreement.where('keys', index)}: keys.{index}"
            if key not in owners:
                owners[key] = agreement.name
            elif owners[key] == agreement.name:
                yield f"{place}: {key!r} is repeated; keep one"
            else:
                # A key is one client's, and a client acts under one agreement.
                yield f"{place}: {key!r} is a key of {owners[key]!r} already; each client has keys of its own"


def _unknown_source(agreement: Agreement, connectors: Path) -> Iterator[str]:
    known = [path.parent.name for path in connectors.glob("*/connector.yaml")]
    for index, source in enumerate((agreement.cases and agreement.cases.sources) or ()):
        if source not in known:
            place = agreement.where("cases", "sources", index)
            yield unknown(place, f"cases.sources.{index}", source, known)
    if agreement.corrections and agreement.corrections.source not in known:
        place = agreement.where("corrections", "source")
        yield unknown(place, "corrections.source", agreement.corrections.source, known)


def _without_value(agreement: Agreement, known: Collection[str], listed: Collection[str]) -> Iterator[str]:
    names = agreement.corrections.without_value if agreement.corrections else ()
    for index, name in enumerate(names):
        key, place = (
            f"corrections.without_value.{index}",
            agreement.where("corrections", "without_value", index),
        )
        if name not in known:
            yield unknown(place, key, name, known)
        elif name in agreement.attributes:
            yield f"{place}: {key}: {name!r} stands under attributes, with its value; keep one"
        elif name in names[:index]:
            yield f"{place}: {key}: {name!r} is repeated; keep one"
        elif name in listed:
            yield (
                f"{place}: {key}: {name!r} has few values, so that telling that it differs tells which; "
                "list it under attributes, or leave it out"
            )


def _repeated_sources(agreements: list[Agreement]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for agreement in agreements:
        if agreement.corrections is None:
            continue
        source = agreement.corrections.source
        owner = owners.setdefault(source, agreement.name)
        if owner != agreement.name:
            yield (
                f"{agreement.where('corrections', 'source')}: corrections.source: {owner!r} receives the "
                f"notices of {source!r} already; one agreement a source"
            )


def _not_correctable(agreement: Agreement, sensitive: Collection[str]) -> Iterator[str]:
    names = agreement.citizen_view.corrections if agreement.citizen_view else ()
    for index, name in enumerate(names):
        key, place = (
            f"citizen_view.corrections.{index}",
            agreement.where("citizen_view", "corrections", index),
        )
        if name not in agreement.attributes:
            yield f"{place}: {key}: {name!r} does not stand under attributes; add it there, or leave it out"
        elif name in sensitive:
            yield f"{place}: {key}: {name!r} is stored encrypted, so clerks cannot compare it; leave it out"
        elif name in names[:index]:
            yield f"{place}: {key}: {name!r} is repeated; keep one"
