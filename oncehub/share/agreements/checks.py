"""What is wrong with an agreement beyond its form: purpose, legal basis, what values tell, consent, overlap.

Every fault is one line: `file:line:column: key: what is wrong; what to write`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations

from oncehub.config.agreements import Agreement, LegalBasis
from oncehub.config.catalogue import load_connectors
from oncehub.config.entities import Attribute
from oncehub.config.privacy import RevealRules
from oncehub.settings import Settings
from oncehub.share.agreements.faults import unknown


def purpose_faults(agreement: Agreement, purposes: Collection[str]) -> Iterator[str]:
    """Tell a purpose that the Data Privacy Vocabulary does not have."""
    if agreement.purpose not in purposes:
        close = difflib.get_close_matches(agreement.purpose, purposes, n=1, cutoff=0.5)
        advice = f"did you mean {close[0]!r}?" if close else "see mappings/codes/dpv_purposes.csv"
        yield f"{agreement.where('purpose')}: purpose: {agreement.purpose!r} is no purpose of DPV; {advice}"


def basis_faults(agreement: Agreement) -> Iterator[str]:
    """Tell a legal basis that does not hold for as long as the agreement."""
    bases: list[tuple[LegalBasis, tuple[str, ...]]] = [(agreement.legal_basis, ("legal_basis",))]
    if agreement.corrections and agreement.corrections.legal_basis:
        bases.append((agreement.corrections.legal_basis, ("corrections", "legal_basis")))
    for basis, keys in bases:
        yield from _not_throughout(agreement, basis, keys)


def _not_throughout(agreement: Agreement, basis: LegalBasis, keys: tuple[str, ...]) -> Iterator[str]:
    name = ".".join(keys)
    # Notices may begin later than the agreement.
    if basis is agreement.legal_basis and basis.since > agreement.valid.since:
        yield (
            f"{agreement.where(*keys, 'from')}: {name}.from: {basis.text} is in force from {basis.since}, "
            f"after the agreement begins on {agreement.valid.since}; let it begin then"
        )
    if basis.until is not None and basis.until < agreement.valid.until:
        yield (
            f"{agreement.where(*keys, 'until')}: {name}.until: {basis.text} has ended on {basis.until}, "
            f"before the agreement ends on {agreement.valid.until}; name the text that replaces it, "
            "or end it then"
        )


def reveal_faults(agreement: Agreement, rules: RevealRules) -> Iterator[str]:
    """Tell what leaves by way of other values, and what is called implied although nothing tells it."""
    allowed = {*agreement.attributes, *agreement.implied}
    told = set(rules.forms) if agreement.procedures else set()
    for name in sorted(told - allowed):
        yield (
            f"{agreement.where('procedures')}: procedures: a form tells {name}, as it is refused by it; list "
            "it under attributes, or under implied"
        )
    for reveal, name in rules.told(agreement.attributes):
        told.add(name)
        if name not in allowed:
            place, key = _telling(agreement, reveal.given)
            yield (
                f"{place}: {key}: {' and '.join(reveal.given)} tells {name} ({reveal.how}); list that under "
                "attributes, or under implied"
            )
    for index, name in enumerate(agreement.implied):
        place = f"{agreement.where('implied', index)}: implied.{index}: {name!r}"
        if name in agreement.attributes:
            yield f"{place} stands under attributes; keep one"
        elif name not in told and name not in agreement.population:
            yield f"{place} is told by nothing here; remove it"


def _telling(agreement: Agreement, given: Sequence[str]) -> tuple[str, str]:
    """Name the place of what tells something; what is itself told stands nowhere."""
    for index, name in enumerate(agreement.attributes):
        if name in given:
            return agreement.where("attributes", index), f"attributes.{index}"
    return agreement.where("attributes"), "attributes"


def search_faults(agreement: Agreement, known: Collection[str]) -> Iterator[str]:
    """Tell a search term that the agreement does not cover: whoever finds somebody by it knows it of them."""
    for index, name in enumerate(agreement.search_by):
        if name in known and name not in agreement.attributes:
            yield (
                f"{agreement.where('search_by', index)}: search_by.{index}: {name!r} is outside the "
                "agreement, and an answer confirms it; list it under attributes too"
            )


def everything_faults(agreement: Agreement, known: Collection[str]) -> Iterator[str]:
    """Tell an agreement over all that is held of a person: no purpose needs it."""
    if set(agreement.attributes) >= set(known):
        yield (
            f"{agreement.where('attributes')}: attributes: these are all that the hub holds; name those that "
            "the purpose needs"
        )


_NO_CONSENT_COVERS = ("papers", "relatives", "corrections", "cases", "citizen_view")
"""Keys of an agreement by which more is told than the attributes of whoever has consented."""


def consent_faults(agreement: Agreement, attributes: Mapping[str, Attribute]) -> Iterator[str]:
    """Tell a private party without consent, and what consent of one person cannot cover."""
    if agreement.agency.kind == "private":
        if agreement.consent != "required":
            yield (
                f"{agreement.where('consent')}: consent: a private party needs the citizen's consent "
                "(Luật 91/2025/QH15); write consent: required, or agency: {kind: state}"
            )
        if agreement.records_consent_for:
            yield (
                f"{agreement.where('records_consent_for')}: records_consent_for: a private party cannot "
                "record that citizens consent; leave that to the portal's agreement"
            )
    if not agreement.needs_consent:
        return
    for key in _NO_CONSENT_COVERS:
        if getattr(agreement, key):
            yield (
                f"{agreement.where(key)}: {key}: a citizen consents to attributes, and to nothing else; "
                "an agreement that needs consent has none"
            )
    for index, name in enumerate(agreement.attributes):
        if name in attributes and "personal_id" in attributes[name].members:
            yield (
                f"{agreement.where('attributes', index)}: attributes.{index}: {name!r} names somebody else, "
                "who has not consented; leave it out"
            )


def recorder_faults(agreements: Sequence[Agreement]) -> Iterator[str]:
    """Tell consents that are to be recorded for agreements that are not there, or need none."""
    needing = {agreement.name: agreement.needs_consent for agreement in agreements}
    for agreement in agreements:
        for index, name in enumerate(agreement.records_consent_for):
            place = f"{agreement.where('records_consent_for', index)}: records_consent_for.{index}: {name!r}"
            if name not in needing:
                close = difflib.get_close_matches(name, needing, n=1)
                advice = f"did you mean {close[0]!r}?" if close else "name an agreement that needs consent"
                yield f"{place} is not known; {advice}"
            elif not needing[name]:
                yield f"{place} needs no consent; remove it"


def overlap_faults(agreements: Sequence[Agreement]) -> Iterator[str]:
    """Tell two agreements by which one agency may ask the same, for one purpose, at one time.

    Two that both name procedures cover the same where they share one; others, where they share an attribute.
    """
    for one, other in combinations(agreements, 2):
        if _same_asking(one, other) and _at_one_time(one, other) and not _apart(one, other):
            shared = sorted(_shared(one, other))
            if shared:
                yield (
                    f"{other.where('valid')}: valid: overlaps with {one.name!r} ({one.path.name}), by which "
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
    """Tell whether nobody can be in both populations, as one attribute would have to be two things."""
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
            yield unknown(agreement.where("submissions"), "submissions", agreement.submissions, known)
