"""Whether contract, mapping and samples agree; no request is made."""

from __future__ import annotations

import orjson

from oncehub.conformance.cases.agreement import told_apart
from oncehub.conformance.subject import Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.model.errors import ConfigError


def samples(subject: Subject) -> str:
    """The samples beside the connector meet the contract, and the mapping makes something of each."""
    path = subject.connector.path.parent / "samples" / f"{subject.stream}.json"
    if not path.is_file():
        raise NotShown(f"there are no samples; write a few invented records to {path}")
    try:
        records = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}:{error.colno}: is not valid JSON: {error.msg}") from None
    if not isinstance(records, list) or not records:
        raise ConfigError(f"{path}: must hold a list of records")
    batch = subject.normalizer().normalize(records)
    if differences := told_apart([batch]):
        raise Fault(
            "bad_samples", f"a sample does not land: {differences[0].told}; correct it or the contract"
        )
    return f"{len(records)} samples land"
