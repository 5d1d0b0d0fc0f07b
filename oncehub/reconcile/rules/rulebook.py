"""The rulebook: the four rule files, checked against each other and the canonical person."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from psycopg2.extras import Json

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
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.store.connection import Cursor
from oncehub.store.statements import statement

_Named = tuple[Document, tuple[str | int, ...], str]
"""An attribute that a document names, after the place where it does."""


_LAST_RULES: Final = "(select digest from truth.rules order by change_id desc limit 1)"

_NOTE_RULES: Final = f"""
with changed as (
    insert into truth.rules (digest)
    select given.digest from (values (%s)) as given (digest)
    where given.digest is distinct from {_LAST_RULES}
    returning change_id
)
select exists (select from changed) and exists (select from truth.person)
"""

_NOTE_SETTLING: Final = f"insert into truth.rules (digest) select null where %s <> {_LAST_RULES}"


@dataclass(frozen=True)
class Rulebook:
    """The rules of linking, comparison, survivorship and cases.

    Attributes:
        home: has the keys of the values that the rules are applied to.
    """

    person: Entity
    matching: MatchingRules
    comparison: ComparisonRules
    survivorship: SurvivorshipRules
    cases: CaseRules
    home: Path

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of what the rules say; remarks and layout of the files do not count."""
        files = (self.matching, self.comparison, self.survivorship, self.cases)
        said = [*(each.model_dump(mode="json") for each in files), self.attributes]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def register(self) -> str:
        """The source whose records found people."""
        return self.matching.register_source

    @property
    def register_identifiers(self) -> tuple[IdentifierRule, ...]:
        """Identifiers whose bearers the register states."""
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
        """The attributes of a golden record, in the order of the schema."""
        return tuple(self.person.attributes)

    def named(self, attributes: Collection[str]) -> list[str]:
        """Return those attributes in the order of the schema; all of them when none is given.

        Raises:
            ConfigError: A person has no such attribute.
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
        """The attributes for which sources other than the register are trusted."""
        return {name: rule for name, rule in self.survivorship.attributes.items() if not self.founded(name)}


def load_rulebook(settings: Settings) -> Rulebook:
    """Read `mappings/rules/{matching,comparison,survivorship,cases}.yaml`.

    Raises:
        ConfigError: A file is wrong, names an attribute that the canonical person lacks, compares one in a
            way that its type does not allow, lacks a survivorship rule, or names a source that no connector
            reads.
    """
    folder = settings.mappings / "rules"
    person = load_entities(settings.schemas)["person"]
    rulebook = Rulebook(
        person=person,
        matching=MatchingRules.load(folder / "matching.yaml"),
        comparison=ComparisonRules.load(folder / "comparison.yaml"),
        survivorship=SurvivorshipRules.load(folder / "survivorship.yaml"),
        cases=CaseRules.load(folder / "cases.yaml"),
        home=settings.home,
    )
    _check_attributes(rulebook)
    _check_types(rulebook)
    _check_survivorship(rulebook)
    _check_sources(rulebook, [path.parent.name for path in settings.connectors.glob("*/connector.yaml")])
    return rulebook


def store_rules(cursor: Cursor, rules: Rulebook) -> None:
    """Bring `truth.severity_rule` and `truth.case_rule`, which the database itself reads, up to date."""
    severity = [
        each.model_dump() | {"attribute": each.attribute or "*"} for each in rules.comparison.severity
    ]
    cases = [each.model_dump() | {"kind": kind} for kind, each in rules.cases.kinds.items()]
    as_json = partial(Json, dumps=partial(json.dumps, default=str))
    cursor.execute(
        statement(__name__, "store_rules"), {"severity": as_json(severity), "cases": as_json(cases)}
    )


def are_other_rules(cursor: Cursor, rules: Rulebook) -> bool:
    """Note within the transaction that records are linked by these rules; tell whether it was others before.

    Where people were settled and nothing tells by which rules, they count as others.
    """
    cursor.execute(_NOTE_RULES, (rules.digest,))
    (before,) = cursor.fetchone() or (False,)
    return bool(before)


def note_settling(cursor: Cursor, rules: Rulebook) -> None:
    """Note within the transaction if people are settled by other rules than their records were linked by.

    The files were edited meanwhile; the next run then links and settles all again.
    """
    cursor.execute(_NOTE_SETTLING, (rules.digest,))


def _check_attributes(rules: Rulebook) -> None:
    """Check that a person has every attribute that a rule names, and that rules compare no encrypted ones."""
    matching, comparison, survivorship = rules.matching, rules.comparison, rules.survivorship
    model = matching.model.compare if matching.model else {}
    compared: list[_Named] = [
        *(
            (matching, ("identifiers", n, "attribute"), r.attribute)
            for n, r in enumerate(matching.identifiers)
        ),
        *((matching, ("model", "compare", name), name) for name in model),
        *((comparison, ("attributes", name), name) for name in comparison.attributes),
    ]
    others: list[_Named] = [
        *(
            (comparison, ("one_record_a_person", stream), name)
            for stream, name in comparison.one_record_a_person.items()
        ),
        *(
            (comparison, ("severity", number, "attribute"), rule.attribute)
            for number, rule in enumerate(comparison.severity)
            if rule.attribute
        ),
        *((survivorship, ("attributes", name), name) for name in survivorship.attributes),
        *((survivorship, ("lifelong", number), name) for number, name in enumerate(survivorship.lifelong)),
    ]
    known = rules.person.attributes
    for document, place, name in (*compared, *others):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else "see schemas/canonical/person.json"
            raise ConfigError(f"{document.where(*place)}: {name}: a person has no such attribute; {advice}")
    for document, place, name in compared:
        if known[name].sensitive:
            raise ConfigError(
                f"{document.where(*place)}: {name}: is encrypted where it is stored (x-sensitive in "
                "schemas/canonical/person.json), so that no rule can link or compare by it; leave it out"
            )


def _check_types(rules: Rulebook) -> None:
    """Check that attributes are compared in a way that their type allows."""
    matching, comparison = rules.matching, rules.comparison
    model = matching.model.compare if matching.model else {}
    compared: list[tuple[_Named, str]] = [
        *(
            ((comparison, ("attributes", n, "compare"), n), r.compare)
            for n, r in comparison.attributes.items()
        ),
        *(((matching, ("model", "compare", name), name), how) for name, how in model.items()),
    ]
    for (document, place, name), how in compared:
        wanted = "object" if how in ("address", "commune") else "text"
        if (kind := rules.person.attributes[name].type) != wanted:
            where = document.where(*place)
            raise ConfigError(f"{where}: {name}: is of type {kind}, which {how!r} does not compare")
        if how == "identifier" and name not in rules.identifying_attributes:
            where = document.where(*place)
            raise ConfigError(f"{where}: {name}: no identifier of matching.yaml; compare it exact")


def _check_survivorship(rules: Rulebook) -> None:
    """Check that every attribute has a rule, the register is never weighed, and doubtful methods exist."""
    survivorship = rules.survivorship
    if absent := set(rules.attributes) - set(survivorship.attributes):
        place = survivorship.where("attributes")
        raise ConfigError(f"{place}: attributes: no rule for {', '.join(sorted(absent))}; add one for each")
    for name, rule in survivorship.attributes.items():
        if rule.trust and rules.register in rule.trust:
            place = survivorship.where("attributes", name, "trust")
            raise ConfigError(
                f"{place}: {name}: the register's statements are not weighed; "
                f"write authority: {rules.register}, or leave it out"
            )
    methods = [rule.method for rule in rules.matching.identifiers]
    methods += ["model"] if rules.matching.model else []
    for number, method in enumerate(survivorship.doubts.linked_by):
        if method not in methods:
            place = survivorship.where("doubts", "linked_by", number)
            raise ConfigError(f"{place}: no record is linked by {method!r}; there are: {', '.join(methods)}")


def _check_sources(rulebook: Rulebook, known: list[str]) -> None:
    """Check that connectors read every source that a rule names."""
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
