"""The suite on the five simulated systems, by their shipped connectors."""

from __future__ import annotations

import pytest

from oncehub.config.catalogue import load_connector
from oncehub.config.connection import connection_from_document
from oncehub.conformance.subject import Options
from oncehub.conformance.trial import Trial

from .conftest import ROOT

FIVE = ["population", "portal", "tax", "customs", "banking"]
BRIEF = Options(pages=3, page_size=25, boundaries=1, kills=0)


@pytest.mark.parametrize("name", FIVE)
def test_every_case_passes_or_cannot_be_shown(systems, hubs_over, name: str) -> None:
    scratch, kept = hubs_over(ROOT)
    systems.clear_faults()
    connector = load_connector(scratch.settings, name)
    limits = connector.limits.model_copy(update={"requests": 200.0})
    trial = Trial(connector.model_copy(update={"limits": limits}), (scratch, kept))
    verdicts = trial.of_source(connection_from_document(systems.connections[name], name), BRIEF)
    assert [each for each in verdicts if each.outcome == "failed"] == []
    shown = {each.case for each in verdicts if each.outcome == "passed"}
    assert shown >= {"samples", "reads", "agreement", "twice", "deletes", "truncated", "long_wait", "quiet"}
