"""Whether contract, mapping and samples agree; no request is made."""

from __future__ import annotations

from oncehub.config.catalogue import load_connector
from oncehub.conformance.subject import Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.normalize.definition import load_definition
from oncehub.normalize.stream_check import sample_faults


def samples(subject: Subject) -> str:
    """The samples beside the connector meet the contract, and the mapping reads each of them."""
    settings = subject.scratch.settings
    definition = load_definition(settings, load_connector(settings, subject.connector.source), subject.stream)
    path = definition.connector.path.parent / "samples" / f"{subject.stream}.json"
    if not path.is_file():
        raise NotShown(f"there are no samples; write a few invented records to {path}")
    if faults := sample_faults(definition):
        raise Fault("bad_samples", f"{faults[0]}; correct it, the contract or the mapping")
    return "contract, mapping and samples agree"
