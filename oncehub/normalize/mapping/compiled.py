"""Compiles a stream's mapping: it makes a frame of each entity from a frame of records."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final

import polars as pl

from oncehub.config.entities import Entity
from oncehub.config.mapping import Condition, EntityMapping, FieldRule, StreamMapping
from oncehub.errors import ConfigError
from oncehub.normalize.checks import ROW, Fault, faults
from oncehub.normalize.contract.contract import Contract
from oncehub.normalize.frame import field
from oncehub.normalize.mapping.attribute_rule import ELEMENT, MOMENT, Rule, Scope, compile_rule
from oncehub.normalize.mapping.canonical import canonical_checks, data_type, storable_checks
from oncehub.normalize.mapping.vocabulary import Vocabulary

KEY: Final = "source_key"
STATED: Final = "stated_at"
CARRIED: Final = {KEY: "#key", STATED: MOMENT}
"""Output column -> working column, which no source field can be called."""


class EntityMaker:
    """Makes one entity's frame.

    All expressions are built once, because building them costs as much as running them on a page.
    """

    def __init__(self, entity: Entity, part: EntityMapping, when: pl.Expr | None, rules: list[Rule]) -> None:
        """Prepare the query.

        Args:
            entity: the entity.
            part: its mapping.
            when: only records that meet this condition make rows.
            rules: how its attributes are made.
        """
        self.entity = entity
        self._each = part.each
        self._when = when
        self._stages = [list(stage) for stage in _stages(rules)]
        self._attributes = [
            pl.col(ROW),
            *(pl.col(column).alias(name) for name, column in CARRIED.items()),
            *_attributes(entity, rules),
        ]
        self._checks = [check for rule in rules for check in rule.checks(entity.name)]
        made = {rule.target: rule.coded for rule in rules}
        self._canonical = canonical_checks(entity, made, part.requires(entity))
        self._storable = storable_checks(entity, made)

    def make(self, frame: pl.DataFrame, *, odd_text: bool) -> tuple[pl.DataFrame, list[Fault]]:
        """Return `#row`, source_key, stated_at and all attributes, and the faults; faulty rows are included.

        `odd_text` tells that a text may hold U+0000.
        """
        staged = self._staged(self._rows(frame))
        made = staged.select(self._attributes)
        found = faults(staged, self._checks) + faults(made, self._canonical)
        if odd_text:
            found += faults(made, self._storable)
        if self.entity.item_key:
            # A record may state an item twice, but the key allows one: the later counts.
            made = made.unique([ROW, self.entity.item_key], keep="last", maintain_order=True)
        return made, found

    def _rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._each:
            listed = frame.with_columns(field(self._each).alias(ELEMENT)).explode(ELEMENT)
            frame = listed.filter(pl.col(ELEMENT).is_not_null())
        return frame if self._when is None else frame.filter(self._when)

    def _staged(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Run all rules side by side, one step at a time, and keep every stage for the checks."""
        for stage in self._stages:
            frame = frame.with_columns(stage)
        return frame


def _stages(rules: list[Rule]) -> Iterator[Iterator[pl.Expr]]:
    yield (rule.origin.alias(rule.column(0)) for rule in rules)
    for number in range(max((len(rule.steps) for rule in rules), default=0)):
        yield (
            rule.steps[number].apply(rule.stage(number)).alias(rule.column(number + 1))
            for rule in rules
            if number < len(rule.steps)
        )


def _attributes(entity: Entity, rules: list[Rule]) -> Iterator[pl.Expr]:
    """Yield every attribute of the entity; a null of its type where no rule makes it."""
    made = {rule.target: rule.made for rule in rules}
    for name, attribute in entity.attributes.items():
        kind = data_type(attribute)
        members = {member: made.get(f"{name}.{member}") for member in attribute.members}
        stated = [value for value in members.values() if value is not None]
        if not stated:
            yield made.get(name, pl.lit(None, dtype=kind)).alias(name)
            continue
        whole = pl.struct(
            (pl.lit(None, dtype=pl.String) if value is None else value).alias(member)
            for member, value in members.items()
        )
        held = pl.any_horizontal(value.is_not_null() for value in stated)
        yield pl.when(held).then(whole).alias(name)


class MappingCompiler:
    """Compiles a mapping, and reports all faults with their places at once."""

    def __init__(
        self,
        mapping: StreamMapping,
        contract: Contract,
        entities: dict[str, Entity],
        vocabulary: Vocabulary,
    ) -> None:
        self._mapping = mapping
        self._contract = contract
        self._entities = entities
        self._vocabulary = vocabulary
        self._wrong: list[str] = []
        self.used: set[str] = set()

    def compile(self) -> tuple[EntityMaker, ...]:
        """Return one maker for each entity; `used` then holds the record paths they read.

        Raises:
            ConfigError: one line for each fault: `file:line:column: what is wrong; what to write`.
        """
        makers = [self._maker(name, part) for name, part in self._mapping.entities.items()]
        if self._wrong:
            raise ConfigError("\n".join(self._wrong))
        return tuple(maker for maker in makers if maker)

    def _complain(self, fault: object, *keys: str) -> None:
        self._wrong.append(f"{self._mapping.where(*keys)}: {'.'.join(keys)}: {fault}")

    def _maker(self, name: str, part: EntityMapping) -> EntityMaker | None:
        entity = self._entities.get(name)
        if entity is None:
            self._complain(f"is no entity; {_choice(name, self._entities)}", name)
            return None
        scope = Scope(self._contract, part.each)
        if part.each and not self._is_list(part.each, name):
            return None
        if part.each and not entity.item_key:
            # The database refuses a batch with two rows under one key.
            self._complain(f"{name} is one row a record; remove each", name, "each")
            return None
        when = self._condition(part.when, scope, name)
        rules = [
            rule
            for target, written in part.attributes.items()
            for rule in self._rule(target, written, scope, entity)
        ]
        self._complete(entity, part)
        self.used |= scope.used | ({part.each} if part.each else set())
        return None if self._wrong else EntityMaker(entity, part, when, rules)

    def _is_list(self, each: str, name: str) -> bool:
        try:
            node = self._contract.at(each)
        except ValueError as fault:
            self._complain(fault, name, "each")
            return False
        if "array" in self._contract.kinds(node):
            return True
        self._complain(f"{each} is no list; remove each", name, "each")
        return False

    def _condition(self, when: Condition | None, scope: Scope, name: str) -> pl.Expr | None:
        if when is None:
            return None
        try:
            value, node = scope.find(when.field)
        except ValueError as fault:
            self._complain(fault, name, "when", "field")
            return None
        allowed = (when.equals,) if when.one_of is None else when.one_of
        kinds = self._contract.kinds(node)
        if wrong := [item for item in allowed if _json_kind(item) not in kinds]:
            types = ", ".join(sorted(kinds))
            self._complain(f"{when.field} is never {wrong[0]!r}; the contract says {types}", name, "when")
        return value.is_in(list(allowed))

    def _rule(self, target: str, written: FieldRule, scope: Scope, entity: Entity) -> Iterator[Rule]:
        name, _, member = target.partition(".")
        attribute = entity.attributes.get(name)
        place = (entity.name, target)
        if attribute is None:
            advice = _choice(name, entity.attributes)
            self._complain(f"{entity.name} has no attribute {name!r}; {advice}", *place)
        elif member and member not in attribute.members:
            self._complain(f"{name} has no member {member!r}; {_choice(member, attribute.members)}", *place)
        elif attribute.members and not member:
            self._complain(f"is composite; write its members, as {name}.{attribute.members[0]}", *place)
        else:
            try:
                yield compile_rule(target, written, scope, self._vocabulary, entity)
            except ValueError as fault:
                self._complain(fault, *place)

    def _complete(self, entity: Entity, part: EntityMapping) -> None:
        for name in part.requires(entity):
            if not any(target.partition(".")[0] == name for target in part.attributes):
                self._complain(f"lacks {name}, which {entity.name} requires; add it", entity.name)


def drop_rows(frame: pl.DataFrame, rows: set[int]) -> pl.DataFrame:
    """Return the frame without the records at these places of the batch."""
    return frame.filter(~pl.col(ROW).is_in(list(rows))) if rows else frame


def _choice(name: str, known: object) -> str:
    names = sorted(known)  # type: ignore[call-overload]
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose of {', '.join(names)}"


def _json_kind(value: object) -> str:
    kinds: dict[type, str] = {bool: "boolean", int: "integer", str: "string"}
    return kinds[type(value)]
