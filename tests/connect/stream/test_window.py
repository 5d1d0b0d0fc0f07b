"""Windows are asked for in the source's own form of time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from oncehub.config.connector import Connector, Updated
from oncehub.connect.stream.high_water_mark import stated_time
from oncehub.connect.stream.window import Window, rendered_time, window_parameters
from oncehub.errors import ConfigError

SINCE = datetime(2026, 7, 5, 18, 30, 59, 123456, tzinfo=UTC)
UNTIL = datetime(2026, 7, 6, 17, 0, tzinfo=UTC)
CHANGES = {"changes": {"since": "from", "until": "to"}}


@pytest.mark.parametrize(
    ("form", "zone", "written"),
    [
        ("iso8601", "UTC", "2026-07-05T18:30:59.123456Z"),
        ("iso8601", "Asia/Ho_Chi_Minh", "2026-07-06T01:30:59.123456+07:00"),
        ("%d/%m/%Y %H:%M:%S", "Asia/Ho_Chi_Minh", "06/07/2026 01:30:59"),
        ("%Y%m%d%H%M%S", "UTC", "20260705183059"),
        ("unix", "UTC", "1783276259"),
        ("unix_ms", "Asia/Ho_Chi_Minh", "1783276259123"),
    ],
)
def test_a_time_is_written_as_the_source_writes_its_own(form: str, zone: str, written: str) -> None:
    assert rendered_time(SINCE, Updated(field="at", format=form, zone=zone)) == written


def test_the_zone_of_the_given_time_does_not_matter() -> None:
    updated = Updated(field="at")
    elsewhere = SINCE.astimezone(timezone(timedelta(hours=-5)))
    assert rendered_time(elsewhere, updated) == rendered_time(SINCE, updated)


def test_both_bounds_are_sent(connector_of: Callable[..., Connector]) -> None:
    stream = connector_of(CHANGES).streams["items"]
    assert window_parameters(Window(SINCE, UNTIL), "tax.items", stream) == {
        "from": "2026-07-05T18:30:59.123456Z",
        "to": "2026-07-06T17:00:00Z",
    }


def test_a_full_read_asks_for_no_bound(connector_of: Callable[..., Connector]) -> None:
    stream = connector_of(CHANGES).streams["items"]
    assert window_parameters(Window(None, None), "tax.items", stream) == {}


def test_an_upper_bound_is_not_sent_to_a_source_that_knows_none(
    connector_of: Callable[..., Connector],
) -> None:
    stream = connector_of({"changes": {"since": "from"}}).streams["items"]
    assert list(window_parameters(Window(SINCE, UNTIL), "tax.items", stream)) == ["from"]


def test_changes_cannot_be_requested_of_a_stream_without_changes(
    connector_of: Callable[..., Connector],
) -> None:
    with pytest.raises(ConfigError, match=r"tax\.items: has no `changes`"):
        window_parameters(Window(SINCE, None), "tax.items", connector_of().streams["items"])


BY_SEQUENCE = {"changes": {"kind": "sequence", "field": "no", "since": "after", "until": "before"}}


def test_numbers_of_changes_are_sent_as_they_are(connector_of: Callable[..., Connector]) -> None:
    stream = connector_of(BY_SEQUENCE).streams["items"]
    assert window_parameters(Window(0, 12), "tax.items", stream) == {"after": "0", "before": "12"}
    assert window_parameters(Window(None, None), "tax.items", stream) == {}


@pytest.mark.parametrize(
    ("stream", "window", "kind"),
    [
        (CHANGES, Window(5, None), "times"),
        (BY_SEQUENCE, Window(SINCE, None), "sequence numbers"),
        (BY_SEQUENCE, Window(None, UNTIL), "sequence numbers"),
    ],
)
def test_a_window_of_the_other_kind_is_refused(
    stream: dict[str, object], window: Window, kind: str, connector_of: Callable[..., Connector]
) -> None:
    with pytest.raises(ConfigError, match=f"knows its changes by {kind}"):
        window_parameters(window, "tax.items", connector_of(stream).streams["items"])


def test_a_window_of_both_kinds_is_none() -> None:
    with pytest.raises(ValueError, match="not by both"):
        Window(SINCE, 5)


@pytest.mark.parametrize(
    ("form", "zone"),
    [
        ("iso8601", "UTC"),
        ("iso8601", "Asia/Ho_Chi_Minh"),
        ("%d/%m/%Y %H:%M:%S", "Asia/Ho_Chi_Minh"),
        ("unix", "UTC"),
        ("unix_ms", "UTC"),
    ],
)
def test_what_a_source_writes_is_read_back(form: str, zone: str) -> None:
    updated = Updated(field="at", format=form, zone=zone)
    moment = UNTIL.astimezone(timezone(timedelta(hours=2)))
    assert stated_time(rendered_time(moment, updated), updated) == moment


@pytest.mark.parametrize("value", [None, True, "", "hôm qua", [], {}, "99999999999999999999", float("nan")])
@pytest.mark.parametrize("form", ["iso8601", "unix", "%d/%m/%Y"])
def test_what_is_no_time_is_none(value: object, form: str) -> None:
    assert stated_time(value, Updated(field="at", format=form)) is None


def test_a_bound_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Window(datetime(2026, 7, 1), None)  # noqa: DTZ001 - the very mistake
