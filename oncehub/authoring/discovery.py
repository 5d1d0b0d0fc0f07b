"""Proposes a stream's contract, mapping, key and time of statement from samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from oncehub.authoring.draft import TEMPLATE_SAMPLES, as_file
from oncehub.authoring.inference import inferred_contract
from oncehub.authoring.proposal import Namesakes, flow, mapping_text, stated_fields
from oncehub.config.connector import Connector
from oncehub.files import write_whole
from oncehub.normalize.contract.contract import Contract, Node, load_contract
from oncehub.normalize.transforms import dates
from oncehub.settings import Settings

_MOMENTS: Final = (
    "iso8601",
    "unix",
    "unix_ms",
    "%Y-%m-%d %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%d-%m-%Y %H:%M:%S",
)
_HOME: Final = "Asia/Ho_Chi_Minh"
_DISTINCT_ENOUGH: Final = 3


@dataclass(frozen=True)
class Discovery:
    """Proposals for one stream; nothing in them repeats a value of a sample.

    Attributes:
        stream: `source.stream`.
        samples: number of records.
        contract: JSON Schema that they all meet.
        mapping: text of a first mapping.
        advice: what the samples suggest for `connector.yaml`.
        changes: differences of the existing contract from the samples.
    """

    stream: str
    samples: int
    contract: Node
    mapping: str
    advice: tuple[str, ...]
    changes: tuple[str, ...]
    contract_path: Path
    mapping_path: Path
    samples_path: Path

    def as_mapping(self) -> dict[str, Any]:
        """Return the proposals as a JSON object for a script."""
        names = ("stream", "samples", "contract", "mapping", "advice", "changes")
        return {name: getattr(self, name) for name in names}

    def as_text(self, *, written: bool) -> str:
        """Return the proposals as text for a person."""
        lines = [f"{self.stream}: {self.samples} samples", *(f"  {each}" for each in self.advice)]
        if self.changes:
            lines += ["  the contract in place differs:", *(f"    {each}" for each in self.changes)]
        if written:
            lines += [f"wrote: {self.contract_path}", f"wrote: {self.mapping_path}"]
        else:
            lines += ["", self.mapping, f"to write this and the contract: discover {self.stream} --write"]
        return "\n".join(lines) + "\n"

    def write(self) -> None:
        """Write contract and mapping, and remove the template's sample, which does not meet them."""
        if self.samples_path.exists() and self.samples_path.read_bytes() == as_file(TEMPLATE_SAMPLES):
            self.samples_path.unlink()
        for path, content in (
            (self.contract_path, as_file(self.contract)),
            (self.mapping_path, self.mapping.encode()),
        ):
            write_whole(path, content)


def discovered(
    settings: Settings, namesakes: Namesakes, connector: Connector, stream: str, records: Sequence[Any]
) -> Discovery:
    """Propose contract and mapping from samples; `namesakes` has the fields of the other sources.

    Raises:
        ConfigError: when the contract in place cannot be read.
    """
    within = Path("sources") / connector.source
    path = settings.schemas / within / f"{stream}.json"
    name = f"{connector.source}.{stream}"
    seen = inferred_contract(name, records)
    existing = load_contract(path) if path.exists() else None
    contract = Contract(seen if existing is None else _described(seen, existing.schema))
    spec = connector.streams[stream]
    own = {*spec.key, spec.updated.field}
    return Discovery(
        name,
        len(records),
        contract.schema,
        mapping_text(name, contract, namesakes, records, own=own),
        tuple(_advice(contract, records)),
        tuple(_changes(existing, contract)) if existing else (),
        path,
        settings.mappings / within / f"{stream}.yaml",
        settings.connectors / connector.source / "samples" / f"{stream}.json",
    )


def _advice(contract: Contract, records: Sequence[Any]) -> Iterator[str]:
    keys: list[str] = []
    for path, values in stated_fields(contract, records):
        if len(values) == len(records) and len({str(value) for value in values}) == len(records):
            keys.append(path)
        form = _moment_form(values)
        if form and len(values) == len(records):
            zone = "" if form in ("unix", "unix_ms") else f", zone: {_HOME}"
            yield f"a time in every record: updated: {{field: {path}, format: {flow(form)}{zone}}}"
    if len(records) >= _DISTINCT_ENOUGH and keys:
        yield f"differs from record to record, so may be the key: {', '.join(keys)}"


def _moment_form(values: Sequence[Any]) -> str | None:
    """Return the form in which all values are read as moments; None where there is none."""
    if not values or any(isinstance(value, bool | float) for value in values):
        return None
    frame = pl.DataFrame({"value": [str(value) for value in values]})
    for form in _MOMENTS:
        read = frame.select(dates.datetime(pl.col("value"), form, _HOME).alias("moment"))["moment"]
        plausible = read.dt.year().is_between(1990, 2100)
        if read.null_count() == 0 and plausible.all():
            return form
    return None


def _described(seen: Node, existing: Node) -> Node:
    """Return the inferred schema with the titles and descriptions of the existing one."""
    kept: Node = {key: existing[key] for key in ("title", "description") if key in existing}
    node: Node = {**seen, **kept}
    if "properties" in seen:
        known = existing.get("properties", {})
        node["properties"] = {
            name: _described(part, known.get(name, {})) for name, part in seen["properties"].items()
        }
    if isinstance(seen.get("items"), dict):
        node["items"] = _described(seen["items"], existing.get("items", {}))
    return node


def _changes(existing: Contract, seen: Contract) -> Iterator[str]:
    """Yield the differences between the existing contract and the one of the samples."""
    known, met = dict(_leaves(existing)), dict(_leaves(seen))
    for path in sorted(known.keys() | met.keys()):
        if path not in known:
            yield f"{path}: is not in the contract ({'/'.join(sorted(met[path]))})"
        elif path not in met:
            yield f"{path}: no sample states it"
        elif stray := met[path] - known[path]:
            agreed = "/".join(sorted(known[path]))
            yield f"{path}: is {'/'.join(sorted(stray))} where the contract says {agreed}"


def _leaves(contract: Contract) -> Iterator[tuple[str, set[str]]]:
    waiting: list[tuple[tuple[str, ...], Node]] = [((), contract.schema)]
    while waiting:
        done, node = waiting.pop()
        for name, part in contract.resolve(node).get("properties", {}).items():
            path = (*done, name)
            yield ".".join(path), contract.types(part)
            waiting.append((path, part))
