"""Builds an agreement's population as one condition in SQL, for look-ups, feeds, notices and cases."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from psycopg2 import sql

from oncehub.config.administrative_units import FORMER_EDITION, REFORM, AdministrativeUnits, read_units
from oncehub.config.agreements import Agreement, Condition
from oncehub.config.entities import Attribute, unqualified
from oncehub.share.agreements.faults import at


def population_codes(agreement: Agreement) -> dict[str, dict[str, bool]]:
    """Return the codes that fulfil each condition of the population, as `share.covers` reads them, by column.

    A condition that the loader has not placed is fulfilled by no commune.
    """
    return {
        unqualified(name): dict.fromkeys(
            condition.one_of if condition.one_of is not None else agreement.places.get(name, ()), True
        )
        for name, condition in agreement.population.items()
    }


def population_condition(agreement: Agreement, person: str = "person") -> sql.Composable:
    """Build `share.covers` of a row of `truth.person` as conditions that the planner sees through.

    It is true or false, never null, and holds no placeholder.

    Args:
        agreement: as `load_agreements` gives it.
        person: name that `truth.person` has in the statement.
    """
    parts = [
        sql.SQL("share.fulfils({}::jsonb, share.value_of({}, {}))").format(
            sql.Literal(json.dumps(codes)), sql.Identifier(person), sql.Literal(column)
        )
        for column, codes in population_codes(agreement).items()
    ]
    return sql.SQL(" and ").join(parts) if parts else sql.SQL("true")


@dataclass(frozen=True)
class Catalogues:
    """The communes before the reform of 2025 and after it, and the provinces they lie in."""

    mappings: Path = field(repr=False)

    @cached_property
    def _units(self) -> AdministrativeUnits:
        return read_units(self.mappings)

    def place(self, agreement: Agreement) -> None:
        """Set the communes that fulfil each condition on an address of an agreement's population."""
        agreement.place(
            {
                name: self.places(condition)
                for name, condition in agreement.population.items()
                if condition.one_of is None
            }
        )

    def known(self, condition: Condition) -> set[str]:
        """Return the codes that the condition's edition has, of provinces or of communes."""
        provinces = self._units.provinces.get(condition.edition.isoformat(), {})
        return set(provinces) if condition.province else set().union(*provinces.values())

    def places(self, condition: Condition) -> tuple[str, ...]:
        """Return every commune that lies wholly where the condition says, each `<edition>/<code>`, sorted.

        Seven province codes mean another province since 2025-07-01, and a commune's code can outlive a
        merger, so that codes count only together with their catalogue.
        """
        own = condition.edition.isoformat()
        provinces = self._units.provinces.get(own, {})
        inside = set(condition.commune or ()).union(
            *(provinces.get(code, set()) for code in condition.province or ())
        )
        other = FORMER_EDITION if own == REFORM else REFORM
        followed = {unit for unit, parts in self._units.counterparts[other].items() if parts <= inside}
        return tuple(sorted([f"{own}/{unit}" for unit in inside] + [f"{other}/{unit}" for unit in followed]))


def population_faults(
    agreement: Agreement, attributes: dict[str, Attribute], catalogues: Catalogues
) -> Iterator[str]:
    """Find faults of an agreement's population, one line each, with file, line and column."""
    if agreement.population and agreement.cases:
        yield (
            f"{at(agreement, 'cases')}: a case may name people on both sides of a population; give "
            "cases an agreement of their own, without population"
        )
    for name, condition in agreement.population.items():
        place = at(agreement, "population", name)
        if name not in attributes:
            close = difflib.get_close_matches(name, attributes, n=1)
            advice = f"did you mean {close[0]!r}?" if close else "name an attribute of the person"
            yield f"{place}: is not known; {advice}"
            continue
        attribute = attributes[name]
        if attribute.sensitive:
            yield f"{place}: is sensitive, and a look-up would reveal it; choose another"
        elif condition.one_of is not None:
            yield from _code_faults(place, attribute, condition.one_of)
        elif {"unit", "edition"} - set(attribute.members):
            yield f"{place}: is no address; write one_of with its codes"
        else:
            yield from _place_faults(place, condition, catalogues)
        if name not in (*agreement.attributes, *agreement.implied):
            yield (
                f"{place}: is revealed by a look-up, which finds only such people; list it under attributes, "
                "or under implied"
            )


def _code_faults(place: str, attribute: Attribute, codes: tuple[str, ...]) -> Iterator[str]:
    if not attribute.values:
        yield f"{place}: has no list of values; choose an attribute that has one, or an address"
        return
    for code in codes:
        if code not in attribute.values:
            yield f"{place}: {code!r} is none of its values; there are: {', '.join(attribute.values)}"


def _place_faults(place: str, condition: Condition, catalogues: Catalogues) -> Iterator[str]:
    edition = condition.edition.isoformat()
    if edition not in (REFORM, FORMER_EDITION):
        yield f"{place}: no catalogue is in force from {edition}; there are: {FORMER_EDITION}, {REFORM}"
        return
    known = catalogues.known(condition)
    for code in condition.province or condition.commune or ():
        if code not in known:
            close = difflib.get_close_matches(code, known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else "write one of its codes"
            yield f"{place}: the catalogue in force from {edition} has no code {code!r}; {advice}"
