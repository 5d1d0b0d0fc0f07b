"""Loads agreements, and checks them against each other, the procedures and the canonical entities."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_folder, load_rules
from oncehub.config.entities import Attribute, load_entities, qualified
from oncehub.config.privacy import RevealRules
from oncehub.config.procedures import relationship_attribute
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.checks import (
    basis_faults,
    consent_faults,
    everything_faults,
    overlap_faults,
    proof_faults,
    purpose_faults,
    read_purposes,
    recorder_faults,
    reveal_faults,
    search_faults,
    stream_faults,
)
from oncehub.share.agreements.faults import at, listed, misnamed, raise_faults, repeated, unknown
from oncehub.share.agreements.population import Catalogues, population_faults
from oncehub.share.agreements.procedures import known_relations, load_procedures, shareable_attributes
from oncehub.share.identity.providers import load_providers

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


def check_proofs(settings: Settings) -> None:
    """Check the identity providers, and that the agreements' citizens and officers can be proven.

    Raises:
        ConfigError: one line per fault, with file, line and column.
    """
    providers = load_providers(settings)
    agreements = load_folder(settings.mappings / "agreements", Agreement)
    raise_faults([fault for agreement in agreements for fault in proof_faults(agreement, providers)])


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
    """Check purpose, legal basis, consent, reveals, search terms and population."""
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
        for place, value, again in listed(agreement, (key,), values):
            if value not in allowed:
                yield unknown(place, value, allowed)
            elif again:
                yield repeated(place, value)


def _relative_faults(agreement: Agreement, relations: Collection[str]) -> Iterator[str]:
    for place, relation, again in listed(agreement, ("relatives",), agreement.relatives):
        if relation not in relations:
            yield unknown(place, relation, relations)
        elif again:
            yield repeated(place, relation)
        elif (needed := relationship_attribute(relation)) not in agreement.attributes:
            # An item of a relative tells who the relative is.
            yield f"{place}: {relation!r} needs {needed} under attributes; add it"


def _repeated_feeds(agreements: list[Agreement]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for agreement in agreements:
        if agreement.feed is None:
            continue
        owner = owners.setdefault(agreement.feed, agreement.name)
        if owner != agreement.name:
            # Lines are cut to one agreement's attributes, so a feed cannot serve two.
            place = at(agreement, "feed")
            yield f"{place}: {agreement.feed!r} is the feed of {owner!r} already; choose another name"


def _repeated_keys(agreements: list[Agreement]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for agreement in agreements:
        for place, key, again in listed(agreement, ("keys",), agreement.keys or ()):
            owner = owners.setdefault(key, agreement.name)
            if again:
                yield repeated(place, key)
            elif owner != agreement.name:
                # A key is one client's, and a client acts under one agreement.
                yield f"{place}: {key!r} is a key of {owner!r} already; each client has keys of its own"


def _unknown_source(agreement: Agreement, connectors: Path) -> Iterator[str]:
    known = [path.parent.name for path in connectors.glob("*/connector.yaml")]
    sources = (agreement.cases and agreement.cases.sources) or ()
    for place, source, _ in listed(agreement, ("cases", "sources"), sources):
        if source not in known:
            yield unknown(place, source, known)
    if agreement.corrections and agreement.corrections.source not in known:
        yield unknown(at(agreement, "corrections", "source"), agreement.corrections.source, known)


def _without_value(agreement: Agreement, known: Collection[str], few: Collection[str]) -> Iterator[str]:
    names = agreement.corrections.without_value if agreement.corrections else ()
    for place, name, again in listed(agreement, ("corrections", "without_value"), names):
        if name not in known:
            yield unknown(place, name, known)
        elif name in agreement.attributes:
            yield f"{place}: {name!r} stands under attributes, with its value; keep one"
        elif again:
            yield repeated(place, name)
        elif name in few:
            yield (
                f"{place}: {name!r} has few values, so that telling that it differs tells which; "
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
                f"{at(agreement, 'corrections', 'source')}: {owner!r} receives the notices of {source!r} "
                "already; one agreement a source"
            )


def _not_correctable(agreement: Agreement, sensitive: Collection[str]) -> Iterator[str]:
    names = agreement.citizen_view.corrections if agreement.citizen_view else ()
    for place, name, again in listed(agreement, ("citizen_view", "corrections"), names):
        if name not in agreement.attributes:
            yield f"{place}: {name!r} does not stand under attributes; add it there, or leave it out"
        elif name in sensitive:
            yield f"{place}: {name!r} is stored encrypted, so clerks cannot compare it; leave it out"
        elif again:
            yield repeated(place, name)
