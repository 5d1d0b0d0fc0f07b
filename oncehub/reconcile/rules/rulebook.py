"""The four rule files together, checked against the canonical person."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from oncehub.config.documents import Document
from oncehub.config.entities import Entity, load_entities
from oncehub.config.rules import (
    CaseRules,
    ComparisonRules,
    IdentifierRule,
    MatchingRules,
    SurvivorshipRule,
    SurvivorshipRules,
)
from oncehub.encryption.field_values import FieldDecryptor
from oncehub.errors import ConfigError
from oncehub.settings import Settings


@dataclass(frozen=True)
class Rulebook:
    """How records are linked, compared and believed, and who decides what they leave open."""

    person: Entity
    matching: MatchingRules
    comparison: ComparisonRules
    survivorship: SurvivorshipRules
    cases: CaseRules
    decryptor: FieldDecryptor

    @property
    def register(self) -> str:
        """The source that says who exists."""
        return self.matching.register_source

    @property
    def register_identifiers(self) -> tuple[IdentifierRule, ...]:
        """Identifiers whose bearers the register names."""
        return tuple(rule for rule in self.matching.identifiers if rule.stated_by is None)

    @property
    def borrowed_identifiers(self) -> tuple[IdentifierRule, ...]:
        """Identifiers whose bearers are known through linked records of another source."""
        return tuple(rule for rule in self.matching.identifiers if rule.stated_by is not None)

    @property
    def identifying_attributes(self) -> tuple[str, ...]:
        """The attributes that hold identifiers, each once."""
        return tuple(dict.fromkeys(rule.attribute for rule in self.matching.identifiers))

    def schemes(self, attribute: str) -> tuple[str, ...]:
        """The schemes of identifiers that the attribute is looked up in, each once."""
        rules = (rule for rule in self.matching.identifiers if rule.attribute == attribute)
        return tuple(dict.fromkeys(rule.scheme for rule in rules))

    @property
    def attributes(self) -> tuple[str, ...]:
        """Everything that is believed of a person, in the order of the schema."""
        return tuple(self.person.attributes)

    def named(self, attributes: Collection[str]) -> list[str]:
        """Return those attributes in the order of the schema; all of them when none is given.

        Raises:
            ConfigError: when a person has no such attribute.
        """
        if unknown := sorted(set(attributes) - set(self.attributes)):
            raise ConfigError(
                f"a person has no attribute {', '.join(unknown)}; see schemas/canonical/person.json"
            )
        return [name for name in self.attributes if name in attributes or not attributes]

    def founded(self, attribute: str) -> bool:
        """Tell whether the register alone decides the attribute."""
        return self.survivorship.attributes[attribute].authority == self.register

    @property
    def contested_attributes(self) -> dict[str, SurvivorshipRule]:
        """The attributes on which other sources than the register have a say."""
        return {name: rule for name, rule in self.survivorship.attributes.items() if not self.founded(name)}


def load_rulebook(settings: Settings) -> Rulebook:
    """Read `mappings/rules/{matching,comparison,survivorship,cases}.yaml`.

    Raises:
        ConfigError: when a file is wrong, names an attribute the canonical person lacks, compares one in
            a way its type does not allow, leaves one without a survivorship rule, or names a source that no
            connector reads.
    """
    folder = settings.mappings / "rules"
    person = load_entities(settings.schemas)["person"]
    rulebook = Rulebook(
        person=person,
        matching=MatchingRules.load(folder / "matching.yaml"),
        comparison=ComparisonRules.load(folder / "comparison.yaml"),
        survivorship=SurvivorshipRules.load(folder / "survivorship.yaml"),
        cases=CaseRules.load(folder / "cases.yaml"),
        decryptor=FieldDecryptor(settings.home),
    )
    for place, rule in enumerate(rulebook.matching.identifiers):
        _require_known(person, rulebook.matching, rule.attribute, ("identifiers", place, "attribute"))
    for attribute in rulebook.comparison.attributes:
        _require_known(person, rulebook.comparison, attribute, ("attributes", attribute))
    for stream, attribute in rulebook.comparison.one_record_a_person.items():
        _require_known(person, rulebook.comparison, attribute, ("one_record_a_person", stream))
    for place, graveness in enumerate(rulebook.comparison.severity):
        if graveness.attribute:
            _require_known(person, rulebook.comparison, graveness.attribute, ("severity", place, "attribute"))
    for attribute in rulebook.survivorship.attributes:
        _require_known(person, rulebook.survivorship, attribute, ("attributes", attribute))
    for place, attribute in enumerate(rulebook.survivorship.lifelong):
        _require_known(person, rulebook.survivorship, attribute, ("lifelong", place))
    _require_open(rulebook)
    _require_comparable(rulebook)
    _require_weighable(rulebook)
    _require_complete(rulebook)
    _require_authority(rulebook)
    _require_methods(rulebook)
    _require_sources(rulebook, [path.parent.name for path in settings.connectors.glob("*/connector.yaml")])
    return rulebook


def _require_open(rules: Rulebook) -> None:
    """Encrypted values cannot be told from one another, so nothing links or compares by them."""
    matching, comparison = rules.matching, rules.comparison
    used: list[tuple[Document, str, tuple[str | int, ...]]] = [
        *(
            (matching, rule.attribute, ("identifiers", place))
            for place, rule in enumerate(matching.identifiers)
        ),
        *(
            (matching, name, ("model", "compare", name))
            for name in (matching.model.compare if matching.model else ())
        ),
        *((comparison, name, ("attributes", name)) for name in comparison.attributes),
    ]
    for document, attribute, place in used:
        if rules.person.attributes[attribute].sensitive:
            raise ConfigError(
                f"{document.where(*place)}: {attribute}: is encrypted where it is stored (x-sensitive in "
                "schemas/canonical/person.json), so that nothing is linked or compared by it; leave it out"
            )


def _require_known(person: Entity, document: Document, attribute: str, keys: Iterable[str | int]) -> None:
    if attribute not in person.attributes:
        close = difflib.get_close_matches(attribute, person.attributes, n=1)
        advice = f"did you mean {close[0]!r}?" if close else "see schemas/canonical/person.json"
        raise ConfigError(f"{document.where(*keys)}: {attribute}: a person has no such attribute; {advice}")


def _require_comparable(rulebook: Rulebook) -> None:
    for name, rule in rulebook.comparison.attributes.items():
        wanted: Literal["object", "text"] = "object" if rule.compare == "address" else "text"
        if (kind := rulebook.person.attributes[name].type) != wanted:
            place = rulebook.comparison.where("attributes", name, "compare")
            raise ConfigError(f"{place}: {name}: is of type {kind}, which {rule.compare!r} does not compare")
        if rule.compare == "identifier" and name not in rulebook.identifying_attributes:
            place = rulebook.comparison.where("attributes", name, "compare")
            raise ConfigError(f"{place}: {name}: no identifier of matching.yaml; compare it exact")


def _require_weighable(rulebook: Rulebook) -> None:
    model = rulebook.matching.model
    for name, evidence in model.compare.items() if model else ():
        _require_known(rulebook.person, rulebook.matching, name, ("model", "compare", name))
        wanted = "object" if evidence == "commune" else "text"
        if (kind := rulebook.person.attributes[name].type) != wanted:
            place = rulebook.matching.where("model", "compare", name)
            raise ConfigError(f"{place}: {name}: is of type {kind}, which {evidence!r} does not weigh")


def _require_complete(rulebook: Rulebook) -> None:
    if absent := set(rulebook.attributes) - set(rulebook.survivorship.attributes):
        place = rulebook.survivorship.where("attributes")
        raise ConfigError(f"{place}: attributes: no rule for {', '.join(sorted(absent))}; add one for each")


def _require_authority(rulebook: Rulebook) -> None:
    """The register founds the person: its word is taken, never weighed against others."""
    for attribute, rule in rulebook.survivorship.attributes.items():
        if rule.trust and rulebook.register in rule.trust:
            place = rulebook.survivorship.where("attributes", attribute, "trust")
            raise ConfigError(
                f"{place}: {attribute}: the register's word is not weighed; "
                f"write authority: {rulebook.register}, or leave it out"
            )


def _require_methods(rulebook: Rulebook) -> None:
    known = [rule.method for rule in rulebook.matching.identifiers]
    known += ["model"] if rulebook.matching.model else []
    for place, method in enumerate(rulebook.survivorship.doubts.linked_by):
        if method not in known:
            where = rulebook.survivorship.where("doubts", "linked_by", place)
            raise ConfigError(f"{where}: no record is linked by {method!r}; there are: {', '.join(known)}")


def _require_sources(rulebook: Rulebook, known: list[str]) -> None:
    matching, comparison, survivorship = rulebook.matching, rulebook.comparison, rulebook.survivorship
    named = [(rulebook.register, matching.where("register"))]
    for place, identifier in enumerate(matching.identifiers):
        if identifier.stated_by:
            named.append((identifier.stated_by, matching.where("identifiers", place, "stated_by")))
    for attribute, rule in survivorship.attributes.items():
        named += [(source, survivorship.where("attributes", attribute)) for source in rule.sources]
    for attribute, compared in comparison.attributes.items():
        where = comparison.where("attributes", attribute, "required_of")
        named += [(source, where) for source in compared.required_of]
    for stream in comparison.one_record_a_person:
        named.append((stream.partition(".")[0], comparison.where("one_record_a_person", stream)))
    for source, where in named:
        if source not in known:
            raise ConfigError(
                f"{where}: no connector reads a source {source!r}; there are: {', '.join(sorted(known))}"
            )
