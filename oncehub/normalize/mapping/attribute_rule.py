"""The compiled rule of an attribute: where its value comes from, and the steps that make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from dataclasses import field as default
from typing import Any, Final

import polars as pl

from oncehub.config.entities import Attribute, Entity
from oncehub.config.mapping import Coding, FieldRule
from oncehub.config.syntax.paths import is_json_path
from oncehub.normalize.checks import Check
from oncehub.normalize.contract.contract import Contract, Node, UnknownPath
from oncehub.normalize.frame import element_type, field, frame_schema, present
from oncehub.normalize.mapping.canonical import DATA_TYPES, part_schema
from oncehub.normalize.mapping.code_lists import Codes
from oncehub.normalize.mapping.vocabulary import Vocabulary
from oncehub.normalize.transforms.dates import HOME, day
from oncehub.normalize.transforms.transform import Change

ELEMENT: Final = "#each"
"""Column that holds the list's object where a mapping says `each`."""

MOMENT: Final = "#stated"
"""Column that holds the record's time of statement, UTC."""


@dataclass
class Scope:
    """Looks up the paths of a rule: in the object of the list at `each` first, then in the record.

    Attributes:
        used: the record paths looked up so far.
    """

    contract: Contract
    each: str | None = None
    used: set[str] = default(default_factory=set)

    def find(self, path: str) -> tuple[pl.Expr, Node]:
        """Return the expression and the schema of a field, blank texts as null.

        Raises:
            UnknownPath: when neither has the path.
        """
        start, prefix, outer = None, "", None
        if self.each:
            element = self.contract.items(self.contract.at(self.each))
            if not is_json_path(path) and path.split(".", maxsplit=1)[0] in element.get("properties", {}):
                start, prefix, outer = pl.col(ELEMENT), f"{self.each}.", element
        node = self.contract.at(path, outer)
        self.used.add(prefix + path)
        value = field(path, start)
        return present(value) if self.contract.kinds(node) == {"string"} else value, node


@dataclass(frozen=True)
class Step:
    """One change between source field and attribute.

    Attributes:
        name: its name in reasons.
        failed: tells from the value before and after whether the step failed; None when it never fails.
        verdict: the words of a reason between the name and the fields.
    """

    name: str
    apply: Change
    failed: Callable[[pl.Expr, pl.Expr], pl.Expr] | None
    verdict: str = "could not read"


@dataclass(frozen=True)
class Rule:
    """How one attribute, or one member of a composite, is made.

    Attributes:
        target: `attribute` or `attribute.member`.
        fields: the source fields, as written in reasons.
        coded: whether a code list makes the value.
    """

    target: str
    fields: str
    origin: pl.Expr
    steps: tuple[Step, ...]
    coded: bool = False

    @property
    def made(self) -> pl.Expr:
        """The value after all steps."""
        return self.stage(len(self.steps))

    def stage(self, number: int) -> pl.Expr:
        """The value after `number` steps."""
        return pl.col(self.column(number))

    def column(self, number: int) -> str:
        """The working column of `stage`."""
        return f"{self.target}#{number}"

    def checks(self, entity: str) -> Iterator[Check]:
        """Yield the checks of the steps; the first step that fails rejects the row."""
        for number, step in enumerate(self.steps):
            if step.failed:
                reason = f"{step.name} {step.verdict} {self.fields}"
                broken = step.failed(self.stage(number), self.stage(number + 1))
                lost = (self.column(number), self.column(number + 1)) if step.failed is _lost else None
                yield Check(broken, "mapping", reason, f"{entity}.{self.target}", lost)


def compile_rule(
    target: str, written: FieldRule, scope: Scope, vocabulary: Vocabulary, entity: Entity
) -> Rule:
    """Compile the rule of an attribute of `entity`, or of `attribute.member`.

    Raises:
        ValueError: when a path, transform or code list is unknown or does not fit; says what to write.
        ConfigError: when a code list is wrong.
    """
    origin, fields = _origin(written, scope)
    steps = [_transform_step(*vocabulary.transforms.named(transform)) for transform in written.via]
    if written.codes:
        chosen = vocabulary.codes.named(written.codes.name)
        steps += _code_steps(written.codes, chosen, scope)
        _check_meanings(chosen, written.codes.name, part_schema(entity, target))
    rule = Rule(target, fields, origin, tuple(steps), coded=bool(written.codes))
    attribute = entity.attributes[target.partition(".")[0]]
    return _fitted(rule, scope, attribute, as_text=bool(steps))


def _check_meanings(codes: Codes, name: str, part: dict[str, Any]) -> None:
    allowed = part.get("enum")
    pattern = part.get("pattern")
    for meaning in (each.means for each in codes.meanings):
        if meaning is None or isinstance(meaning, bool):
            continue
        # Polars matches in linear time, whatever the pattern.
        fits = not pattern or pl.Series([meaning]).str.contains(pattern)[0]
        if (allowed and meaning not in allowed) or not fits:
            raise ValueError(f"code list {name} means {meaning!r}, which the canonical schema does not allow")


def _origin(written: FieldRule, scope: Scope) -> tuple[pl.Expr, str]:
    if written.value is not None:
        value, fields = pl.lit(written.value), "a constant"
    elif written.join:
        parts = [scope.find(path)[0] for path in written.join]
        joined = pl.concat_str(parts, separator=" ", ignore_nulls=True)
        value, fields = present(joined), _field_names(written.join)
    elif isinstance(written.source, tuple):
        value = pl.coalesce(scope.find(path)[0] for path in written.source)
        fields = _field_names(written.source)
    else:
        assert written.source is not None
        value = _picked(written, scope) if written.pick else _single(written.source, scope)
        fields = _field_names([written.source])
    if written.if_present:
        value = pl.when(scope.find(written.if_present)[0].is_not_null()).then(value)
    return value, fields


def _single(path: str, scope: Scope) -> pl.Expr:
    value, node = scope.find(path)
    if held := scope.contract.kinds(node) & {"array", "object"}:
        advice = "use each or pick" if held == {"array"} else f"name one of its fields, {path}.<field>"
        raise UnknownPath(f"{path} is no single value; {advice}")
    return value


def _picked(written: FieldRule, scope: Scope) -> pl.Expr:
    assert written.pick is not None
    assert isinstance(written.source, str)
    value, node = scope.find(written.source)
    if "array" not in scope.contract.kinds(node):
        raise UnknownPath(f"{written.source} is no list, so there is nothing to pick")
    inner = Scope(scope.contract, written.source)
    inner.find(written.pick.where)
    inner.find(written.pick.take)
    scope.used |= inner.used
    chosen = value.list.filter(field(written.pick.where, pl.element()) == written.pick.equals).list.first()
    return present(field(written.pick.take, chosen))


def _transform_step(name: str, apply: Change, null_is_meant: bool) -> Step:
    return Step(f"transform {name}", apply, None if null_is_meant else _lost)


def _code_steps(written: Coding, codes: Codes, scope: Scope) -> list[Step]:
    name = f"code list {written.name}"
    if codes.dated:
        as_of = _day_of_validity(written, scope)
        return [
            Step(name, codes.known, _lost),
            Step(name, lambda code: codes.valid_on(code, as_of), _lost, verdict="says not valid then of"),
            Step(name, codes.meaning, None),
        ]
    if written.as_of:
        raise ValueError(f"{name} has no validity, so as_of means nothing; write codes: {written.name}")
    if codes.says_unknown:
        return [Step(name, codes.decode, lambda before, _after: codes.unknown(before))]
    return [Step(name, codes.decode, _lost)]


def _day_of_validity(written: Coding, scope: Scope) -> pl.Expr:
    if written.as_of is None:
        return pl.col(MOMENT).dt.convert_time_zone(HOME).dt.date()
    return day(_single(written.as_of, scope).cast(pl.String), written.form)


def _lost(before: pl.Expr, after: pl.Expr) -> pl.Expr:
    return before.is_not_null() & after.is_null()


def _fitted(rule: Rule, scope: Scope, attribute: Attribute, *, as_text: bool) -> Rule:
    """Make the rule start with a text where steps follow, and end in the attribute's type."""
    frame = pl.DataFrame(schema=_known_columns(scope))
    origin = rule.origin
    if as_text or attribute.type in ("text", "object"):
        origin = origin.cast(pl.String)
    value, kind = origin, frame.select(origin).dtypes[0]
    for step in rule.steps:
        value = step.apply(value)
        kind = _result(frame, value, step.name)
    wanted = DATA_TYPES["text" if attribute.type == "object" else attribute.type]
    steps = rule.steps
    if wanted == pl.String() and kind == pl.Date():
        steps = (*steps, Step("text of a date", lambda day: day.dt.to_string("%Y-%m-%d"), None))
    elif kind != wanted:
        raise ValueError(_type_advice(attribute, kind))
    return replace(rule, origin=origin, steps=steps)


def _result(frame: pl.DataFrame, value: pl.Expr, step: str) -> pl.DataType:
    try:
        return frame.select(value.alias("value")).dtypes[0]
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{step} cannot be used here: {str(error).splitlines()[0]}") from None


def _known_columns(scope: Scope) -> dict[str, pl.DataType]:
    columns = frame_schema(scope.contract, scope.used)
    columns[MOMENT] = DATA_TYPES["timestamp"]
    if scope.each:
        columns[ELEMENT] = element_type(scope.contract, scope.each, scope.used)
    return columns


def _type_advice(attribute: Attribute, kind: pl.DataType) -> str:
    ways = {
        "date": "end via with {date: <form>}",
        "timestamp": "end via with datetime",
        "boolean": "give codes with booleans, or a boolean field",
    }
    wanted = "text" if attribute.type == "object" else attribute.type
    return f"makes {kind}, but the attribute is a {wanted}; {ways.get(wanted, 'end in a text')}"


def _field_names(paths: tuple[str, ...] | list[str]) -> str:
    return ("field " if len(paths) == 1 else "fields ") + ", ".join(paths)
