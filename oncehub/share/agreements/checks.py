"""Checks agreements beyond their form: purpose, legal basis, reveals, search terms, consent, overlap.

Every fault is one line: `file:line:column: key: what is wrong; what to write`.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path

from oncehub.config.agreements import Agreement, LegalBasis
from oncehub.config.catalogue import load_connectors
from oncehub.config.entities import Attribute
from oncehub.config.privacy import RevealRules
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.faults import at, listed, repeated, unknown
from oncehub.share.identity.providers import Providers, proves

PREFIX = "dpv:"


@cache
def read_purposes(mappings: Path) -> tuple[str, ...]:
    """Read the terms of `mappings/codes/dpv_purposes.csv`, each with the prefix `dpv:`.

    Raises:
        ConfigError: when the file cannot be read or has no terms.
    """
    path = mappings / "codes" / "dpv_purposes.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            terms = [row["term"] for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise ConfigError(f"{path}: cannot be read as the list of purposes: {type(error).__name__}") from None
    return tuple(f"{PREFIX}{term}" for term in terms)


def purpose_faults(agreement: Agreement, purposes: Collection[str]) -> Iterator[str]:
    """Find a purpose that the Data Privacy Vocabulary does not have."""
    if agreement.purpose not in purposes:
        close = difflib.get_close_matches(agreement.purpose, purposes, n=1, cutoff=0.5)
        advice = f"did you mean {close[0]!r}?" if close else "see mappings/codes/dpv_purposes.csv"
        yield f"{at(agreement, 'purpose')}: {agreement.purpose!r} is no purpose of DPV; {advice}"


def basis_faults(agreement: Agreement) -> Iterator[str]:
    """Find a legal basis that is not in force as long as the agreement."""
    bases: list[tuple[LegalBasis, tuple[str, ...]]] = [(agreement.legal_basis, ("legal_basis",))]
    if agreement.corrections and agreement.corrections.legal_basis:
        bases.append((agreement.corrections.legal_basis, ("corrections", "legal_basis")))
    for basis, keys in bases:
        yield from _not_throughout(agreement, basis, keys)


def _not_throughout(agreement: Agreement, basis: LegalBasis, keys: tuple[str, ...]) -> Iterator[str]:
    # Notices may begin later than the agreement.
    if basis is agreement.legal_basis and basis.since > agreement.valid.since:
        yield (
            f"{at(agreement, *keys, 'from')}: {basis.text} is in force from {basis.since}, "
            f"after the agreement begins on {agreement.valid.since}; let it begin then"
        )
    if basis.until is not None and basis.until < agreement.valid.until:
        yield (
            f"{at(agreement, *keys, 'until')}: {basis.text} has ended on {basis.until}, "
            f"before the agreement ends on {agreement.valid.until}; name the text that replaces it, "
            "or end it then"
        )


def reveal_faults(agreement: Agreement, rules: RevealRules) -> Iterator[str]:
    """Find attributes that other values reveal, and implied ones that nothing reveals."""
    allowed = {*agreement.attributes, *agreement.implied}
    revealed = set(rules.forms) if agreement.procedures else set()
    for name in sorted(revealed - allowed):
        yield (
            f"{at(agreement, 'procedures')}: a form reveals {name}, as it is refused because of it; list "
            "it under attributes, or under implied"
        )
    for reveal, name in rules.revealed(agreement.attributes):
        revealed.add(name)
        if name not in allowed:
            yield (
                f"{_telling(agreement, reveal.given)}: {' and '.join(reveal.given)} reveals {name} "
                f"({reveal.how}); list that under attributes, or under implied"
            )
    for place, name, _ in listed(agreement, ("implied",), agreement.implied):
        if name in agreement.attributes:
            yield f"{place}: {name!r} stands under attributes; keep one"
        elif name not in revealed and name not in agreement.population:
            yield f"{place}: {name!r} is revealed by no attribute here; remove it"


def _telling(agreement: Agreement, given: Sequence[str]) -> str:
    """Return the place of the first attribute that reveals another; what is itself revealed has none."""
    places = listed(agreement, ("attributes",), agreement.attributes)
    return next((place for place, name, _ in places if name in given), at(agreement, "attributes"))


def search_faults(agreement: Agreement, known: Collection[str]) -> Iterator[str]:
    """Find search terms that the agreement does not cover: an answer confirms the value."""
    for place, name, _ in listed(agreement, ("search_by",), agreement.search_by):
        if name in known and name not in agreement.attributes:
            yield (
                f"{place}: {name!r} is outside the agreement, and an answer confirms it; list it under "
                "attributes too"
            )


def everything_faults(agreement: Agreement, known: Collection[str]) -> Iterator[str]:
    """Find an agreement over all attributes of a person: no purpose needs them."""
    if set(agreement.attributes) >= set(known):
        yield (
            f"{at(agreement, 'attributes')}: these are all that the hub holds; name those that "
            "the purpose needs"
        )


def proof_faults(agreement: Agreement, providers: Providers) -> Iterator[str]:
    """Find what nobody can do for want of an identity provider, and exceptions for what nobody may do."""
    opened, agency = agreement.citizen_actions(), agreement.agency.id
    for key in ("claimed", "at_counter"):
        for place, action, again in listed(agreement, ("citizens", key), getattr(agreement.citizens, key)):
            if action not in opened:
                yield f"{place}: citizens do not {_DONE[action]} under this agreement; remove it"
            elif again:
                yield repeated(place, action)
    if opened - {*agreement.citizens.claimed} and not proves(providers, "citizens", agency):
        yield (
            f"{at(agreement, 'citizens')}: no identity provider proves citizens to {agency}; name its "
            "client ids under audiences of one, or the actions under claimed"
        )
    demanded = agreement.officers == "proven" or agreement.citizens.at_counter
    if demanded and not proves(providers, "officers", agency):
        yield (
            f"{at(agreement, 'officers')}: no identity provider proves officers of {agency}; name its "
            "client ids under audiences of one"
        )


_DONE: dict[str, str] = {
    "consent": "consent",
    "correction_request": "request corrections",
    "submission": "submit forms",
    "usage": "see who had their data",
}

_NO_CONSENT_COVERS = ("papers", "relatives", "corrections", "cases", "citizen_view")
"""Keys of an agreement that disclose more than the attributes that a person has consented to."""


def consent_faults(agreement: Agreement, attributes: Mapping[str, Attribute]) -> Iterator[str]:
    """Find private parties without consent, and what the consent of one person cannot cover."""
    if agreement.agency.kind == "private":
        if agreement.consent != "required":
            yield (
                f"{at(agreement, 'consent')}: a private party needs the citizen's consent "
                "(Luật 91/2025/QH15); write consent: required, or agency: {kind: state}"
            )
        if agreement.records_consent_for:
            yield (
                f"{at(agreement, 'records_consent_for')}: a private party cannot "
                "record that citizens consent; leave that to the portal's agreement"
            )
    if not agreement.needs_consent:
        return
    for key in _NO_CONSENT_COVERS:
        if getattr(agreement, key):
            yield (
                f"{at(agreement, key)}: a citizen consents to attributes, and to nothing else; "
                "an agreement that needs consent has none"
            )
    for place, name, _ in listed(agreement, ("attributes",), agreement.attributes):
        if name in attributes and "personal_id" in attributes[name].members:
            yield f"{place}: {name!r} names somebody else, who has not consented; leave it out"


def recorder_faults(agreements: Sequence[Agreement]) -> Iterator[str]:
    """Find `records_consent_for` of unknown agreements, or of those that need no consent."""
    needing = {agreement.name: agreement.needs_consent for agreement in agreements}
    for agreement in agreements:
        for place, name, _ in listed(agreement, ("records_consent_for",), agreement.records_consent_for):
            if name not in needing:
                close = difflib.get_close_matches(name, needing, n=1)
                advice = f"did you mean {close[0]!r}?" if close else "name an agreement that needs consent"
                yield f"{place}: {name!r} is not known; {advice}"
            elif not needing[name]:
                yield f"{place}: {name!r} needs no consent; remove it"


def overlap_faults(agreements: Sequence[Agreement]) -> Iterator[str]:
    """Find two agreements by which one agency may ask the same, for one purpose, at one time.

    Two that both name procedures cover the same where they share one; others, where they share an attribute.
    """
    for one, other in combinations(agreements, 2):
        if _same_asking(one, other) and _at_one_time(one, other) and not _apart(one, other):
            shared = sorted(_shared(one, other))
            if shared:
                yield (
                    f"{at(other, 'valid')}: overlaps with {one.name!r} ({one.path.name}), by which "
                    f"{one.agency.id} may ask for {', '.join(shared[:3])}{' …' if shared[3:] else ''} for "
                    f"{one.purpose} too; end one before the other begins, or tell them apart by population"
                )


def _same_asking(one: Agreement, other: Agreement) -> bool:
    return (one.agency.id, one.purpose) == (other.agency.id, other.purpose)


def _at_one_time(one: Agreement, other: Agreement) -> bool:
    return one.valid.since <= other.valid.until and other.valid.since <= one.valid.until


def _shared(one: Agreement, other: Agreement) -> set[str]:
    if one.procedures and other.procedures:
        return set(one.procedures) & set(other.procedures)
    return set(one.attributes) & set(other.attributes)


def _apart(one: Agreement, other: Agreement) -> bool:
    """Whether no person can be in both populations, because one attribute would need two values."""
    for name in set(one.population) & set(other.population):
        mine, theirs = (
            agreement.population[name].one_of or agreement.places.get(name, ()) for agreement in (one, other)
        )
        if not set(mine) & set(theirs):
            return True
    return False


def stream_faults(settings: Settings, agreements: Sequence[Agreement]) -> Iterator[str]:
    """Yield a fault, with file, line and column, for each agreement that names no submitted stream."""
    naming = [agreement for agreement in agreements if agreement.submissions]
    if not naming:
        return
    known = [
        f"{connector.source}.{stream}"
        for connector in load_connectors(settings).values()
        for stream in connector.submitted
    ]
    for agreement in naming:
        assert agreement.submissions
        if agreement.submissions not in known:
            yield unknown(at(agreement, "submissions"), agreement.submissions, known)
