"""What the API counts and times, as Prometheus reads it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from oncehub.settings import Settings
from tests.api.server.processes import await_true, serving

ID = "001084000999"


def samples(text: str) -> list[Sample]:
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def value(text: str, name: str, **labels: str) -> float:
    return sum(
        each.value for each in samples(text) if each.name == name and labels.items() <= each.labels.items()
    )


def test_look_ups_are_counted_by_outcome_and_timed(portal: Any, believe: Callable[..., str]) -> None:
    believe(personal_id=ID, full_name="Nguyễn Thị An")
    portal.lookup({"person.personal_id": ID}, ["person.full_name"])
    portal.lookup({"person.personal_id": "001084000998"}, ["person.full_name"])
    portal.lookup({"person.personal_id": ID}, ["person.religion"])
    answer = portal.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    outcomes = {
        each.labels["outcome"]: each.value
        for each in samples(answer.text)
        if each.name == "oncehub_api_outcomes_total" and each.labels["agreement"] == "portal-residence"
    }
    assert outcomes == {"answered": 1, "not_found": 1, "refused": 1}
    path = "/v1/persons/lookup"
    assert value(answer.text, "oncehub_api_request_seconds_count", path=path) == 3
    assert 0 < value(answer.text, "oncehub_api_request_seconds_sum", path=path) < 60
    assert value(answer.text, "oncehub_api_database_connections") > 0
    assert value(answer.text, "oncehub_api_database_connections_in_use") == 0


def test_no_value_of_a_caller_is_a_label(portal: Any) -> None:
    portal.http.get(f"/v1/persons/{ID}")
    portal.http.request("SENTINEL", "/ready")
    text = portal.http.get("/metrics").text
    assert "oncehub_api_request_seconds_count" in text
    assert ID not in text
    assert "SENTINEL" not in text


def test_the_processes_of_a_server_are_summed_and_an_ended_one_keeps_its_counts(
    settings: Settings, tmp_path: Path
) -> None:
    with serving(settings, tmp_path / "log") as running:

        def read() -> str:
            # Each on a connection of its own, so that any process may answer.
            return requests.get(f"{running.url}/metrics", timeout=30).text

        for _ in range(8):
            requests.get(f"{running.url}/live", timeout=30)
        counted = ("oncehub_api_request_seconds_count",)
        assert value(read(), *counted, path="/live") == 8
        pool = value(read(), "oncehub_api_database_connections")
        killed, *others = running.workers()
        os.kill(killed, signal.SIGKILL)
        await_true(lambda: killed not in running.workers() and len(running.workers()) == len(others) + 1)
        await_true(lambda: value(read(), "oncehub_api_database_connections") == pool)
        assert value(read(), *counted, path="/live") == 8
