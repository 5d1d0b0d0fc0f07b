"""Cases whose faults lie with the connector or the hub rather than with a source's habits."""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from typing import Any

import pytest

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.conformance.cases.overall import limits
from oncehub.conformance.diagnosis import diagnosed
from oncehub.conformance.reach import Reach
from oncehub.conformance.recorder import Interactions, Meter
from oncehub.conformance.subject import Options
from oncehub.conformance.suite import NAMES, judged
from oncehub.errors import ConfigError, SourceUnavailable
from stubs.hostile.client import HostileSource

from .conftest import BRIEF, ROOT

log = logging.getLogger("a.careless.part")


def saying(what: Any) -> Any:
    """Lets something careless log what it should not, once the source has been read."""

    def said(source: HostileSource, case: str) -> None:
        if case == "reads":
            log.debug("about to land %s", what(source))

    return said


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        (lambda source: source.records()[0]["hoTen"], "value_disclosed"),
        (lambda source: source.records()[0]["soDinhDanh"], "value_disclosed"),
        (lambda source: base64.b64encode(source.records()[0]["maSo"].encode()).decode(), "value_disclosed"),
        (lambda source: source.records()[0]["hoTen"].replace(" ", "+"), None),
        (lambda source: source.connection["password"], "secret_disclosed"),
        (lambda source: source.connection["host"], None),
    ],
)
def test_a_value_or_secret_in_a_log_is_found(conform, what, fault: str | None) -> None:
    tested = conform(people=30, only=("quiet",), during=saying(what))
    assert tested.faults().get("quiet") == fault


def test_what_is_logged_meanwhile_is_heard_and_not_shown(conform, caplog) -> None:
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    conform(people=30, only=("reads",), during=saying(lambda source: "nothing"))
    assert caplog.records == []
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)


def test_a_process_is_killed_between_two_pages_and_the_next_one_goes_on(conform) -> None:
    tested = conform(people=40, only=("killed",), options=Options(page_size=10, boundaries=1, kills=2))
    assert tested.outcome("killed") == "passed"
    assert tested.told("killed") == "killed after page 1, page 3: the same rows"


def test_a_flag_that_is_not_the_sources_own_deletes_nothing(conform) -> None:
    told = {"kind": "flag", "field": "trangThai", "equals": "HL"}
    tested = conform(people=30, only=("deletes",), stream={"deletes": told})
    assert tested.outcome("deletes") == "not shown"


@pytest.mark.parametrize("mode", ["evolve", "ignore", "quarantine", "stop"])
def test_every_mode_of_a_contract_is_shown(conform, mode: str) -> None:
    cases = ("unknown_field", "changed_type", "missing_field")
    modes = {"unknown": mode, "changed_type": mode, "missing": mode}
    tested = conform(people=30, only=cases, stream={"contract": modes})
    assert [tested.outcome(case) for case in cases] == ["passed"] * 3, tested.verdicts
    assert all(tested.told(case).startswith(f"{mode}: ") for case in cases)


def test_a_stream_that_cannot_be_read_says_so_once(conform) -> None:
    tested = conform("forbidden_token", people=30)
    assert [each.case for each in tested.verdicts if each.outcome == "failed"] == ["reads"]
    assert "see reads" in tested.told("twice")


def test_what_really_changes_meanwhile_is_compared(conform) -> None:
    def change(source: HostileSource, case: str) -> None:
        if case == "reads":
            source.add(2)
            source.change(3)
            source.delete(1)

    tested = conform(people=40, only=("arrivals", "departures"), options=BRIEF, during=change)
    assert tested.told("arrivals").startswith("5 records")
    assert tested.told("departures").startswith("1 records")


def test_names_of_cases_and_streams_are_checked(conform) -> None:
    with pytest.raises(ConfigError, match="no case 'reades'; there are: samples, reads"):
        conform(people=30, only=("reades",))


class TestLimits:
    def reach(self, connector: Any, begun: list[float], at_once: int = 1) -> Reach:
        meter = Meter()
        meter.begun, meter.most_at_once = begun, at_once
        return Reach(
            connector, Connection("https://a.example"), Interactions(), False, lambda: None, meter=meter
        )

    @pytest.fixture
    def connector(self, connector_file: Path) -> Any:
        return Connector.load(connector_file)

    @pytest.fixture
    def connector_file(self, tmp_path: Path) -> Path:
        path = tmp_path / "connector.yaml"
        path.write_text(
            "source: a\ntitle: A\nschedule: '0 1 * * *'\nauth: {kind: none}\n"
            "limits: {requests: 10/s, concurrency: 2}\n"
            "streams:\n  b:\n    read: {format: json, path: /b}\n    pages: {kind: none}\n"
            "    key: [id]\n    updated: {field: at}\n"
        )
        return path

    def test_requests_within_the_limits_pass(self, connector) -> None:
        reach = self.reach(connector, [number / 10 for number in range(30)], at_once=2)
        assert judged("limits", None, lambda: limits(reach)).outcome == "passed"

    def test_requests_that_come_too_fast_are_a_fault(self, connector) -> None:
        reach = self.reach(connector, [number / 20 for number in range(30)])
        assert judged("limits", None, lambda: limits(reach)).fault == "too_fast"

    def test_too_many_at_a_time_are_a_fault(self, connector) -> None:
        reach = self.reach(connector, [number / 10 for number in range(30)], at_once=3)
        assert judged("limits", None, lambda: limits(reach)).fault == "too_many_at_once"


def test_an_unknown_error_is_reported_as_it_is() -> None:
    fault = diagnosed(SourceUnavailable("landuse.holders: page 3: connection refused; tried 5 times"))
    assert fault.name == "unreachable"
    assert "page 3: connection refused; tried 5 times" in str(fault)


def test_every_case_is_described() -> None:
    text = (ROOT / "docs" / "reference" / "conformance-suite.md").read_text("utf-8")
    assert [name for name in NAMES if f"`{name}`" not in text] == []
