"""Finds gaps of a mapping: values that its contract allows and it cannot read.

This is not the coverage of procedures, which `oncehub.share.coverage` measures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from oncehub.config.connector import FlagDeletes, TombstoneDeletes
from oncehub.config.entities import Entity
from oncehub.config.mapping import EntityMapping, FieldRule
from oncehub.normalize.checks import ROW, Check, faults
from oncehub.normalize.contract.contract import Contract, Node
from oncehub.normalize.definition import Definition
from oncehub.normalize.mapping.attribute_rule import Rule, Scope, compile_rule
from oncehub.normalize.mapping.canonical import canonical_checks

_INSTANCES: Final = {"date": "2001-02-03", "date-time": "2001-02-03T04:05:06Z"}
"""One value of each format that a contract may name."""


@dataclass(frozen=True)
class Gap:
    """Something that the contract allows and the mapping cannot read.

    Attributes:
        keys: entity and target in the mapping.
    """

    keys: tuple[str, str]
    fault: str


def coverage_faults(definition: Definition) -> list[str]:
    """List what the contract allows and the mapping would reject, as far as the files show it.

    The mapping must compile.

    Returns:
        One line for each fault: `file:line:column: what is wrong; what to write`.
    """
    place = definition.mapping.where
    return [f"{place(*gap.keys)}: {'.'.join(gap.keys)}: {gap.fault}" for gap in gaps(definition)]


def gaps(definition: Definition) -> Iterator[Gap]:
    """Yield the gaps of a mapping that compiles: listed values it cannot read, required ones that lack."""
    for name, part in definition.mapping.entities.items():
        entity = definition.entities[name]
        for target, written in part.attributes.items():
            rule = _Written(definition, part, entity, target, written)
            yield from (Gap((name, target), fault) for fault in rule.unreadable())
        if part.when is None and definition.stream.contract.missing in ("quarantine", "stop"):
            yield from _unassured(definition, part, entity)


@dataclass(frozen=True)
class _Written:
    """One rule of a mapping, and the values that the contract lists for its fields."""

    definition: Definition
    part: EntityMapping
    entity: Entity
    target: str
    written: FieldRule

    def unreadable(self) -> Iterator[str]:
        for path in () if self.written.pick else _sources(self.written):
            values = [value for value in self._listed(path) if value.strip()]
            if values:
                for value, reason in self._refused(values):
                    yield f"the contract allows {value!r} for {path}, which {reason}"

    def _listed(self, path: str) -> Iterator[str]:
        scope = Scope(self.definition.contract, self.part.each)
        _, node = scope.find(path)
        for value in _listed(node):
            if value is not None and self._comes(path, scope, value):
                yield _as_text(value)

    def _comes(self, path: str, scope: Scope, value: Any) -> bool:
        """Tell whether records with this value reach the rule."""
        deletes, when = self.definition.stream.deletes, self.part.when
        if isinstance(deletes, FlagDeletes | TombstoneDeletes) and (
            scope.used == {deletes.field} and value == deletes.equals
        ):
            return False
        if when is None or when.field != path:
            return True
        return value == when.equals if when.one_of is None else value in when.one_of

    def _refused(self, values: list[str]) -> Iterator[tuple[str, str]]:
        scope = Scope(self.definition.contract, self.part.each)
        rule = compile_rule(self.target, self.written, scope, self.definition.vocabulary, self.entity)
        steps = rule.steps[: len(self.written.via) + 1] if self._dated() else rule.steps
        frame = pl.DataFrame({ROW: range(len(values)), rule.column(0): values})
        for number, step in enumerate(steps):
            frame = frame.with_columns(step.apply(rule.stage(number)).alias(rule.column(number + 1)))
            if step.failed:
                broken = step.failed(rule.stage(number), rule.stage(number + 1))
                for (row,) in frame.filter(broken).select(ROW).iter_rows():
                    yield values[row], f"{step.name} cannot read"
                frame = frame.filter(~broken.fill_null(value=False))
        if not self._dated():
            for fault in faults(frame.select(ROW, self._attribute(rule)), self._canonical(rule)):
                yield values[fault.row], f"makes a value that {self.entity.name} refuses: {fault.reason}"

    def _dated(self) -> bool:
        """Tell whether the meaning of a code depends on the record's day, which no contract states."""
        codes = self.written.codes
        return codes is not None and self.definition.vocabulary.codes.named(codes.name).dated

    def _attribute(self, rule: Rule) -> pl.Expr:
        name, _, member = self.target.partition(".")
        made = rule.stage(len(rule.steps))
        return pl.struct(made.alias(member)).alias(name) if member else made.alias(name)

    def _canonical(self, rule: Rule) -> list[Check]:
        path = self.entity.qualified(self.target)
        checks = canonical_checks(self.entity, {rule.target: rule.coded}, self.part.requires(self.entity))
        return [check for check in checks if check.path == path]


def _unassured(definition: Definition, part: EntityMapping, entity: Entity) -> Iterator[Gap]:
    """Yield the attributes that every row needs but that are made of fields a record may lack.

    A condition or a pick in the mapping shows that its author has considered absence.
    """
    for name in part.requires(entity):
        rules = {target: rule for target, rule in part.attributes.items() if target.partition(".")[0] == name}
        if not any(_assured(definition.contract, part.each, rule) for rule in rules.values()):
            first = next(iter(rules))
            fields = ", ".join(_sources(rules[first]))
            advice = "require one in the contract, or say with when which records have it"
            yield Gap((entity.name, first), f"is required, but a record may lack {fields}; {advice}")


def _assured(contract: Contract, each: str | None, written: FieldRule) -> bool:
    if written.pick or written.if_present or written.value is not None:
        return True
    return any(_always_there(contract, each, path) for path in _sources(written))


def _always_there(contract: Contract, each: str | None, path: str) -> bool:
    if each:
        element = contract.items(contract.at(each))
        if path.split(".", maxsplit=1)[0] in element.get("properties", {}):
            return contract.assures(path, element)
    return contract.assures(path)


def _sources(written: FieldRule) -> tuple[str, ...]:
    if written.join:
        return written.join
    return (written.source,) if isinstance(written.source, str) else written.source or ()


def _listed(node: Node) -> list[Any]:
    if "enum" in node or "const" in node:
        return [*node.get("enum", ()), *([node["const"]] if "const" in node else ())]
    return [_INSTANCES[node["format"]]] if node.get("format") in _INSTANCES else []


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
