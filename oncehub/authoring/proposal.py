"""Proposes a first mapping from samples: by the names of fields in other mappings, and by their values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
import yaml

from oncehub.authoring.trial import Trial
from oncehub.config.entities import load_entities, qualified
from oncehub.config.mapping import FieldRule, StreamMapping, Transform
from oncehub.config.syntax.paths import path_through, steps_of
from oncehub.normalize.contract.contract import Contract, Node
from oncehub.normalize.mapping import code_lists
from oncehub.settings import Settings

_BY_CONTENT: Final[tuple[tuple[str, tuple[Transform, ...]], ...]] = (
    ("email", ("email",)),
    ("phone", ("phone_vn",)),
    ("personal_id", ("personal_id",)),
    ("tax_code", ("tax_code",)),
)
"""Attributes of a person that are recognised by the form of their values alone."""

_CLEAR = 0.95


@dataclass(frozen=True)
class Proposal:
    """How one source field may be read.

    Attributes:
        target: `entity.attribute`.
        rule: as a mapping writes it.
        read: number of values that the rule reads.
        stated: number of samples that have the field.
        by: `name` or `content`.
        rivals: other code lists that contain these codes too, perhaps with another meaning.
        telling: number of read values with a meaning, other than "not known".
    """

    target: str
    rule: dict[str, Any]
    read: int
    stated: int
    by: str
    rivals: tuple[str, ...] = ()
    telling: int = 0

    @property
    def clear(self) -> bool:
        """Whether the rule reads nearly all values; without values, whether it fits any form."""
        if not self.stated:
            return "codes" not in self.rule and all(
                isinstance(step, str) for step in self.rule.get("via", [])
            )
        return self.read >= _CLEAR * self.stated


class Namesakes:
    """The fields of the existing mappings by name, with their targets.

    Attributes:
        required: by entity, the attributes that a record of it must have.
        trial: tries rules on samples.
    """

    def __init__(self, settings: Settings, without: str | None = None) -> None:
        """Read all mappings except those of the source `without`."""
        self._rules: dict[str, list[tuple[str, FieldRule]]] = {}
        self._codes = code_lists.CodeLists(settings.mappings / "codes")
        self.trial = Trial(settings.mappings)
        self.required = {name: each.required for name, each in load_entities(settings.schemas).items()}
        for path in sorted((settings.mappings / "sources").glob("*/*.yaml")):
            if path.parent.name == without:
                continue
            for entity, mapped in StreamMapping.load(path).entities.items():
                for attribute, rule in mapped.attributes.items():
                    self._note(f"{entity}.{attribute}", rule)

    def proposals(self, path: str, values: Sequence[Any]) -> Iterator[Proposal]:
        """Yield the targets of fields of this name in other mappings, with rules fitted to the values."""
        parts = [step for step in steps_of(path) if isinstance(step, str)]
        for depth in range(len(parts), 0, -1):
            for target, rule in self._rules.get(plain_name(".".join(parts[-depth:])), ()):
                yield self._suited(path, target, rule, values)

    def _note(self, target: str, rule: FieldRule) -> None:
        origins = (rule.source,) if isinstance(rule.source, str) else rule.source or ()
        if rule.pick is None:
            for origin in {*origins, *(origin.rpartition(".")[2] for origin in origins)}:
                self._rules.setdefault(plain_name(origin), []).append((target, rule))
        self._rules.setdefault(plain_name(target.partition(".")[2]), []).append((target, rule))

    def _suited(self, path: str, target: str, rule: FieldRule, values: Sequence[Any]) -> Proposal:
        via = tuple(self.trial.refitted(step, values) for step in rule.via)
        telling = read = len(values) - self.trial.failures(via, values)
        written: dict[str, Any] = {"from": path} | ({"via": list(via)} if via else {})
        if rule.codes:
            written["codes"] = rule.codes.name
            known = self._codes.named(rule.codes.name).values
            found = [str(value) for value in self.trial.read(via, values) if value is not None]
            read = sum(value in known for value in found)
            # Prefer a list in which the codes in use mean something other than "not known".
            says = {code for code, each in known.items() if any(one.means is not None for one in each)}
            telling = sum(value in says for value in found)
        return Proposal(target, written, read, len(values), "name", telling=telling)


def proposed(namesakes: Namesakes, path: str, values: Sequence[Any]) -> Proposal | None:
    """Return the best way to read a field from its `values`; None where there is none."""
    found = list(namesakes.proposals(path, values))
    if all(isinstance(value, str) for value in values):
        found += _by_content(namesakes.trial, path, values)
    found = [each for each in found if each.read or not each.stated]
    if not found:
        return None
    best = max(found, key=lambda each: (each.read, each.telling, _entity(each.target) == "person"))
    lists = {each.rule.get("codes") for each in found if (each.target, each.read) == (best.target, best.read)}
    return replace(best, rivals=tuple(sorted(filter(None, lists - {best.rule.get("codes")}))))


def mapping_text(
    title: str, contract: Contract, namesakes: Namesakes, records: Sequence[Any], *, own: set[str]
) -> str:
    """Write a first mapping; fields in `own` (key, time of statement) need no target.

    Every line says how many samples it reads; an unclear proposal is a comment. The mapping has at least one
    line, because an empty one is not valid.
    """
    chosen: dict[str, Proposal] = {}
    left: list[str] = []
    for path, values in stated_fields(contract, records):
        proposal = proposed(namesakes, path, values)
        if proposal is None:
            left += [] if path in own else [path]
        elif proposal.target not in chosen or _better(proposal, chosen[proposal.target]):
            if beaten := chosen.get(proposal.target):
                left.append(str(beaten.rule["from"]))
            chosen[proposal.target] = proposal
        else:
            left.append(path)
    left += [f"{path} (a list: see each and pick)" for path in list_fields(contract)]
    heading = f"# {title}: proposed from {len(records)} samples; check every line"
    return "\n".join([heading, *_lines(chosen, left, namesakes.required)])


def _lines(
    chosen: dict[str, Proposal], left: list[str], required: dict[str, tuple[str, ...]]
) -> Iterator[str]:
    clear = {target for target, proposal in chosen.items() if proposal.clear}
    usable = [
        entity
        for entity, names in required.items()
        if clear >= {f"{entity}.{name}" for name in names} and entity in map(_entity, clear)
    ]
    # A mapping needs one entity; a person needs only the name.
    begun = [] if usable else ["person"]
    for entity in sorted({*map(_entity, chosen), *begun}, key=lambda name: name not in [*usable, *begun]):
        silent = "" if entity in [*usable, *begun] else "# "
        lacking = sorted({f"{entity}.{name}" for name in required[entity]} - clear)
        yield f"{silent}{entity}:" + (f"  # requires {', '.join(lacking)}" if lacking else "")
        for target in lacking if entity in begun else ():
            yield f"  {target.partition('.')[2]}: {{from: choose_a_field}}  # or map another entity"
        for target, each in chosen.items():
            if _entity(target) == entity:
                mark = silent or ("" if each.clear else "# ")
                yield f"  {mark}{target.partition('.')[2]}: {flow(each.rule)}  # {_seen(each)}"
                yield from _catalogue_asked(target, chosen)
    for path in left:
        yield remark(f"not mapped: {path}")
    yield ""


def _catalogue_asked(target: str, chosen: dict[str, Proposal]) -> Iterator[str]:
    """Propose the catalogue of a commune's code, without which the code is ambiguous."""
    composite, _, member = target.partition(".")[2].rpartition(".")
    if member == "unit" and f"{_entity(target)}.{composite}.edition" not in chosen:
        yield f'  # {composite}.edition: {{value: "2025-07-01"}}  # first day of the catalogue it is coded by'


def _seen(proposal: Proposal) -> str:
    seen = f"{proposal.read} of {proposal.stated} samples, by {proposal.by}"
    return seen + (f"; known to {', '.join(proposal.rivals)} too: which meaning?" if proposal.rivals else "")


def _entity(target: str) -> str:
    return target.partition(".")[0]


def flow(content: Any) -> str:
    """Return a value as one line of YAML, without aliases."""
    content = orjson.loads(orjson.dumps(content))
    text = yaml.safe_dump(content, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
    return text.removesuffix("...\n").strip()


def remark(text: str) -> str:
    """Return a text as one YAML comment, with its line breaks removed."""
    return "# " + " ".join(text.split())


def plain_name(path: str) -> str:
    """Return a field's name without accents, case and separators: `Ngày_Sinh` and `ngaySinh` are equal."""
    split = unicodedata.normalize("NFD", path.replace("đ", "d").replace("Đ", "D"))
    return re.sub(r"[^a-z0-9]", "", split.lower())


def _better(one: Proposal, other: Proposal) -> bool:
    return (one.read / max(one.stated, 1), one.by == "name") > (
        other.read / max(other.stated, 1),
        other.by == "name",
    )


def stated_fields(contract: Contract, records: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the path of every single value of the contract outside lists, with the samples' values."""
    for path, kinds in _leaves(contract, contract.schema, ()):
        if len(kinds) != 1 or kinds == {"array"}:
            continue
        stated = [_at(record, path) for record in records]
        yield path_through(*path), [value for value in stated if value not in (None, "")]


def list_fields(contract: Contract) -> Iterator[str]:
    """Yield the path of every list of the contract that is not inside another."""
    for path, kinds in _leaves(contract, contract.schema, ()):
        if kinds == {"array"}:
            yield path_through(*path)


def _leaves(
    contract: Contract, node: Node, done: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    for name, part in contract.resolve(node).get("properties", {}).items():
        kinds = contract.kinds(part)
        if kinds == {"object"}:
            yield from _leaves(contract, part, (*done, name))
        else:
            yield (*done, name), kinds


def _at(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _by_content(trial: Trial, path: str, values: Sequence[str]) -> Iterator[Proposal]:
    for attribute, via in _BY_CONTENT:
        read = len(values) - trial.failures(via, values)
        if values and read >= _CLEAR * len(values):
            yield Proposal(
                qualified(attribute), {"from": path, "via": list(via)}, read, len(values), "content"
            )
