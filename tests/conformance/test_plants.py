"""The suite on a source that misbehaves: each plant is named, or survived and shown to have been met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from stubs.hostile.client import HostileSource
from stubs.hostile.plants import KNOWN

EVERYTHING_READ = ("reads", "agreement", "quiet")


@dataclass(frozen=True)
class Named:
    """A plant that the suite names: by which case, as which fault, and on which variant.

    Attributes:
        during: what happens in the source after a case.
    """

    case: str
    fault: str
    variant: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[HostileSource], object] = lambda source: None
    during: Callable[[HostileSource, str], object] = lambda source, case: None


@dataclass(frozen=True)
class Survived:
    """A plant that a good reader survives.

    Attributes:
        cases: tried, and passed.
        met: whether the source really misbehaved.
    """

    met: Callable[[HostileSource, Any], bool]
    cases: tuple[str, ...] = EVERYTHING_READ
    variant: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)


def meanwhile(deed: Callable[[HostileSource], object]) -> Callable[[HostileSource, str], object]:
    """Does something in the source once it has been read for the first time."""
    return lambda source, case: deed(source) if case == "reads" else None


def refused(*statuses: int | None) -> Callable[[HostileSource, Any], bool]:
    """Whether such answers were given."""
    return lambda source, _: {each.status for each in source.requests()} >= set(statuses)


def asked_again(source: HostileSource, _: Any) -> bool:
    """Whether more was asked than the pages of one full reading."""
    return len([each for each in source.requests() if each.path == "/holders"]) > 100 // 25


def change_the_newest(source: HostileSource) -> None:
    newest = sorted(source.records(), key=lambda record: record["thuTu"])[-10:]
    source.change([record["maSo"] for record in newest])


XML = {"format": "xml"}
COUNTED = {"count": True, "more": True}

EXPECTED: dict[str, Named | Survived] = {
    # While it is read.
    "rate_limited": Survived(refused(429)),
    "rate_limited_date": Survived(refused(429)),
    "rate_limited_long": Named("reads", "throttled_too_long"),
    "flaky": Survived(refused(500, 502)),
    "slow": Survived(asked_again, limits={"timeout": "1s"}),
    "truncated": Survived(asked_again),
    "malformed": Survived(asked_again),
    "maintenance_page": Survived(asked_again),
    "dropped": Survived(asked_again),
    "token_dies_early": Survived(refused(401)),
    "endless": Named("reads", "endless"),
    "redirects": Named("reads", "redirects"),
    "forbidden_token": Named("reads", "refused_credentials"),
    "secret_in_error": Named("reads", "refused_request"),
    # From page to page.
    "repeated_token": Named("reads", "repeated_token"),
    "circling_token": Named("reads", "repeated_token"),
    "next_elsewhere": Named("reads", "next_elsewhere", {"pages": "link"}),
    "promises_more": Named("reads", "promises_more"),
    "short_page": Named("reads", "short_page", COUNTED),
    "more_without_token": Named("reads", "more_without_token", COUNTED),
    "shrinking_total": Named("totals", "shrinking_total"),
    "unstable_order": Named("order", "unstable_order", {"pages": "number", "total": "none"}),
    "overlapping_pages": Survived(
        lambda source, tested: "came again" in tested.told("doubles"), ("reads", "totals", "doubles")
    ),
    "capped_page": Survived(
        lambda source, tested: "pages: 9; it was asked for 25 records a page" in tested.told("reads"),
        ("reads", "totals", "order"),
    ),
    # What changed.
    "since_exclusive": Named("since", "since_exclusive"),
    "ignores_since": Named("since", "ignores_since"),
    "ignores_until": Named("until", "ignores_until"),
    "same_timestamp": Survived(
        lambda source, tested: tested.told("same_time").startswith("50 records"),
        ("reads", "resumes", "since", "same_time"),
    ),
    "late_rows": Survived(
        lambda source, tested: tested.told("arrivals").startswith("5 records"), ("reads", "arrivals")
    ),
    "very_late_rows": Named("arrivals", "late_rows"),
    "backwards_clock": Named("arrivals", "backwards_clock", during=meanwhile(change_the_newest)),
    "silent_deletes": Named(
        "departures", "silent_deletes", during=meanwhile(lambda source: source.delete(3))
    ),
    "restless": Named("twice", "restless"),
    "expired_cursor": Named("resumes", "expired_cursor"),
    # What records say.
    "changed_type": Named("agreement", "changed_type"),
    "unknown_field": Named("agreement", "unknown_field"),
    "missing_field": Named("agreement", "missing_field"),
    "duplicate_key": Named("doubles", "duplicate_key"),
    "unreadable_time": Named("agreement", "unreadable_time"),
    "nul_characters": Named("agreement", "nul_characters"),
    "wrong_encoding": Named("reads", "wrong_encoding", {"format": "csv", "total": "header"}),
    "entity_bomb": Named("reads", "document_type", XML),
    "external_entity": Named("reads", "document_type", XML),
    "gzip_bomb": Named("reads", "gzip_bomb", {"compression": "file"}),
    # In files.
    "wrong_checksum": Named("reads", "wrong_checksum", {"transport": "files"}),
    "wrong_row_count": Named("reads", "wrong_row_count", {"transport": "files"}),
    "half_written_file": Named("reads", "half_written_file", {"transport": "drop", "auth": "none"}),
}


def test_every_plant_is_named_or_survived() -> None:
    assert EXPECTED.keys() == KNOWN.keys()


@pytest.mark.parametrize(
    ("plant", "expected"), [pair for pair in EXPECTED.items() if isinstance(pair[1], Named)]
)
def test_a_fault_of_the_source_is_named(conform, plant: str, expected: Named) -> None:
    tested = conform(
        plant,
        only=(expected.case, "quiet"),
        prepare=expected.prepare,
        during=expected.during,
        **expected.variant,
    )
    assert tested.faults() == {expected.case: expected.fault}, tested.verdicts


@pytest.mark.parametrize(
    ("plant", "expected"), [pair for pair in EXPECTED.items() if isinstance(pair[1], Survived)]
)
def test_an_injected_fault_that_a_reader_survives_passes(conform, plant: str, expected: Survived) -> None:
    tested = conform(plant, only=expected.cases, limits=expected.limits, **expected.variant)
    assert tested.faults() == {}
    assert [tested.outcome(case) for case in expected.cases] == ["passed"] * len(expected.cases)
    assert expected.met(tested.source, tested)


CALM = {f"{each.case} {each.variant}": each for each in EXPECTED.values() if isinstance(each, Named)}


@pytest.mark.parametrize("named", CALM)
def test_without_the_plant_the_case_finds_nothing(conform, named: str) -> None:
    expected = CALM[named]
    tested = conform(only=(expected.case,), during=expected.during, **expected.variant)
    assert tested.faults() == {}
