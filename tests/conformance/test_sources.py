"""The suite on sources that behave: in every form and way of paging all is shown, or it is said why not."""

from __future__ import annotations

from typing import Any

import pytest

from oncehub.conformance.subject import Options
from oncehub.conformance.suite import NAMES

STILL = {"arrivals", "departures"}
"""Nothing happens in a source that the test does not touch."""

NO_SAMPLES = {"samples", "killed"}
NO_TIMES = {"since", "until", "same_time", "late_rows"}

CALM: dict[str, tuple[dict[str, Any], set[str]]] = {
    "json, cursor, time, flag, OAuth2": ({}, set()),
    "csv, number, time, tombstone, key in the query": (
        {
            "auth": "api_key_query",
            "format": "csv",
            "compression": "file",
            "pages": "number",
            "total": "header",
            "time": "vietnam",
            "deletes": "tombstone",
        },
        {"changed_type"},
    ),
    "xml, offset, sequence, HMAC": (
        {"auth": "hmac", "format": "xml", "pages": "offset", "changes": "sequence", "total": "none"},
        {"totals", "until", "same_time"},
    ),
    "jsonl, link, snapshot and changes, deletions apart": (
        {
            "auth": "bearer",
            "format": "jsonl",
            "pages": "link",
            "total": "header",
            "time": "unix_ms",
            "separate_changes": True,
            "deletes": "separate",
        },
        {"totals"},
    ),
    "files of csv": (
        {"format": "csv", "encoding": "cp1258", "transport": "files", "deletes": "absence"},
        NO_TIMES | {"order", "changed_type"},
    ),
}


@pytest.mark.parametrize("name", CALM)
def test_a_source_that_behaves_passes(conform, name: str) -> None:
    variant, unshown = CALM[name]
    tested = conform(people=40, options=Options(page_size=15, boundaries=2, kills=0), **variant)
    assert tested.faults() == {}, tested.verdicts
    assert [each.case for each in tested.verdicts] == list(NAMES)
    not_shown = {each.case for each in tested.verdicts if each.outcome == "not shown"}
    assert not_shown == unshown | STILL | NO_SAMPLES
