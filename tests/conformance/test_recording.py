"""Recordings: offline the suite finds the same, and the file says nothing of anybody."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from oncehub.anonymisation.anonymiser import leaves
from oncehub.config.catalogue import load_connector
from oncehub.config.connection import connection_from_document
from oncehub.conformance.hub import Hub
from oncehub.conformance.recording.cassette import cassette_path
from oncehub.conformance.subject import Options
from oncehub.conformance.trial import Trial
from oncehub.conformance.verdict import Verdict
from oncehub.errors import ConfigError
from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant

from .conftest import ROOT
from .landuse import SOURCE, STREAM, write_root

SMALL = Options(pages=10, page_size=10, boundaries=2, kills=0)
CASES = ("reads", "agreement", "twice", "order", "resumes", "since", "until", "truncated", "arrivals")
KEPT = {"gioiTinh", "trangThai", "capNhat", "thuTu"}


@dataclass
class Recorded:
    """A source with the trial that recorded it."""

    source: HostileSource
    trial: Trial
    verdicts: list[Verdict]

    def text(self) -> str:
        """All that the file says, what is packed in it too."""
        document = orjson.loads(gzip.decompress(cassette_path(self.trial.connector).read_bytes()))
        return "\n".join(str(value) for _, value in leaves(document))

    def outcomes(self, verdicts: list[Verdict]) -> list[tuple[str | None, str, str]]:
        return [(each.stream, each.case, each.outcome) for each in verdicts]


@pytest.fixture
def record(tmp_path: Path, hubs_over: Callable[[Path], list[Hub]]) -> Callable[..., Recorded]:
    """Records a hostile source: `record(only=..., variant...)`; it is stopped before the test goes on."""

    def recorded(*, only: tuple[str, ...] = CASES, **variant: Any) -> Recorded:
        source = HostileSource.start(tmp_path / "source", variant=Variant(**variant), people=40)
        root = tmp_path / "root"
        write_root(root, ROOT, source, {}, {})
        scratch, kept = hubs_over(root)
        trial = Trial(load_connector(scratch.settings, SOURCE), (scratch, kept), only=only)
        try:
            verdicts = trial.record(connection_from_document(source.connection, SOURCE), SMALL)
        finally:
            source.stop()
        return Recorded(source, trial, verdicts)

    return recorded


VARIANTS: dict[str, dict[str, Any]] = {
    "children, cursors in the body": {},
    "gzipped csv by number": {
        "auth": "api_key_query",
        "format": "csv",
        "compression": "file",
        "pages": "number",
        "total": "header",
    },
    "xml by offset and sequence": {
        "auth": "hmac",
        "format": "xml",
        "pages": "offset",
        "changes": "sequence",
    },
    "json lines by Link header": {"auth": "bearer", "format": "jsonl", "pages": "link", "total": "none"},
    "next address in the body, snapshot by sequence": {
        "auth": "basic",
        "pages": "next_url",
        "relative_next": True,
        "changes": "sequence",
        "separate_changes": True,
        "deletes": "separate",
    },
    "listed files": {"format": "csv", "encoding": "cp1258", "transport": "files", "deletes": "absence"},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_recording_passes_offline_as_its_source_did(record, name: str) -> None:
    recorded = record(**VARIANTS[name])
    again = recorded.trial.of_recording()
    assert [each for each in again if each.outcome == "failed"] == []
    assert {each.case for each in again if each.outcome == "passed"} >= {"reads", "agreement", "twice"}
    assert recorded.outcomes(again) == recorded.outcomes(recorded.verdicts)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_recording_says_nothing_of_anybody(record, name: str) -> None:
    recorded = record(only=("reads",), **VARIANTS[name])
    text = recorded.text()
    connection = recorded.source.connection
    assert connection["password"] not in text if "password" in connection else True
    told = {
        str(value)
        for each in recorded.source.records()
        for path, value in leaves(each)
        if path not in KEPT and len(str(value)) > 3
    }
    assert len(told) > 150
    assert [value for value in told if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text)] == []
    assert "Bearer" not in text


def test_an_unmatched_request_fails_the_case_that_makes_it(record) -> None:
    recorded = record(only=("reads", "since"))
    path = recorded.trial.connector.path
    document = yaml.safe_load(path.read_text("utf-8"))
    document["streams"][STREAM]["changes"]["since"] = "tuNgay"
    path.write_text(yaml.safe_dump(orjson.loads(orjson.dumps(document)), allow_unicode=True), "utf-8")
    hub = recorded.trial.hubs[0]
    trial = Trial(
        load_connector(hub.settings, SOURCE), recorded.trial.hubs, streams=[STREAM], only=("since",)
    )
    [since] = [each for each in trial.of_recording() if each.case == "since"]
    assert (since.outcome, since.fault) == ("failed", "unmatched_request")
    assert "unmatched request: GET /holders ?limit&tuNgay&until" in since.message


def test_without_a_recording_it_says_how_to_make_one(tmp_path, hubs_over) -> None:
    scratch, kept = hubs_over(ROOT)
    connector = load_connector(scratch.settings, "tax").model_copy()
    connector._path = tmp_path / "connector.yaml"
    with pytest.raises(ConfigError, match="--record"):
        Trial(connector, (scratch, kept)).of_recording()


@pytest.mark.parametrize("name", ["population", "portal", "tax", "customs", "banking"])
def test_the_shipped_recordings_pass_and_are_small(hubs_over, name: str) -> None:
    scratch, kept = hubs_over(ROOT)
    trial = Trial(load_connector(scratch.settings, name), (scratch, kept))
    verdicts = trial.of_recording()
    assert [each for each in verdicts if each.outcome == "failed"] == []
    assert {each.case for each in verdicts if each.outcome == "passed"} >= {
        "reads",
        "twice",
        "deletes",
        "quiet",
    }
    assert cassette_path(trial.connector).stat().st_size < 200_000
