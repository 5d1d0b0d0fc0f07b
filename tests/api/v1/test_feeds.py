from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oncehub.settings import Settings
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection

TAXPAYER = {"personal_id": "001084000999", "full_name": "Nguyễn Thị An", "religion": "01"}


@pytest.fixture
def published(editable: Settings, database: Connection, believe: Callable[..., str]) -> list[str]:
    keys = [believe(**TAXPAYER | {"personal_id": f"00108400099{digit}"}) for digit in range(5)]
    for feed in ("residence", "taxpayers"):
        publish(editable, feed, database)
    return keys


def test_a_consumer_that_stops_goes_on_where_it_was(portal: Any, published: list[str]) -> None:
    lines: list[dict[str, Any]] = []
    after, more = 0, True
    while more:
        page = portal.changes("residence", after=after, limit=2).json()
        lines += page["changes"]
        after, more = page["next"], page["more"]
    assert [line["sequence"] for line in lines] == [1, 2, 3, 4, 5]
    end = {"changes": [], "next": 5, "epoch": page["epoch"], "more": False}
    assert portal.changes("residence", after=after, epoch=page["epoch"]).json() == end


def test_a_consumer_ahead_of_the_feed_or_of_another_epoch_is_told_to_take_a_new_snapshot(
    portal: Any, published: list[str], log: Any
) -> None:
    epoch = portal.changes("residence", limit=3).json()["epoch"]
    other = "00000000-0000-4000-8000-000000000000"
    for query in (
        {"after": 6},
        {"after": 2**62, "epoch": epoch},
        {"epoch": other},
        {"after": 5, "epoch": epoch},
    ):
        refused = portal.changes("residence", **query)
        problem = refused.json()
        assert refused.status_code == 409, query
        assert (problem["last_sequence"], problem["epoch"]) == (5, epoch)
        assert "after=0" in problem["detail"]
    assert [entry[-1] for entry in log()] == ["answered"] + ["refused"] * 4
    assert portal.changes("residence", after=3, epoch=epoch).status_code == 200


def test_a_line_holds_the_agreements_attributes_and_no_key_of_the_hub(
    portal: Any, tax: Any, published: list[str]
) -> None:
    answer = portal.changes("residence", limit=1)
    (line,) = answer.json()["changes"]
    agreed = portal.http.app.state.hub.agreements["portal-residence"].attributes
    assert set(line["values"]) == set(agreed)
    assert line["kind"] == "created"
    assert line["changed"] == ["person.full_name", "person.personal_id"]
    assert not any(key in answer.text for key in published)
    assert "religion" not in answer.text


def test_two_agencies_cannot_join_their_feeds_by_the_pseudonym(
    portal: Any, tax: Any, published: list[str]
) -> None:
    def pseudonyms(agency: Any, feed: str) -> set[str]:
        return {line["person"] for line in agency.changes(feed).json()["changes"]}

    assert len(pseudonyms(portal, "residence")) == 5
    assert not pseudonyms(portal, "residence") & pseudonyms(tax, "taxpayers")


def test_the_feed_of_another_agreement_is_refused_as_one_that_does_not_exist(
    portal: Any, published: list[str], log: Any
) -> None:
    for feed in ("taxpayers", "no_such", "001084000999"):
        answer = portal.changes(feed)
        assert answer.status_code == 403
        assert answer.json()["detail"] == "the agreement does not entitle to this feed"
    assert [(entry[1], entry[-1]) for entry in log()] == [("feed", "refused")] * 3


def test_each_read_leaves_one_entry(portal: Any, published: list[str], log: Any) -> None:
    portal.changes("residence", limit=1)
    portal.changes("residence", after=1)
    agreed = list(portal.http.app.state.hub.agreements["portal-residence"].attributes)
    assert log() == [(portal.client_id, "feed", None, None, agreed, [], "answered")] * 2


def test_what_left_the_agreement_is_cut_out_of_lines_published_before(
    portal: Any, published: list[str]
) -> None:
    hub = portal.http.app.state.hub
    agreement = hub.agreements["portal-residence"]
    hub.agreements["portal-residence"] = agreement.model_copy(update={"attributes": ("person.sex",)})
    answer = portal.changes("residence")
    assert "Nguyễn" not in answer.text
    assert answer.json()["changes"][0]["values"] == {"person.sex": None}
    assert answer.json()["changes"][0]["changed"] == []


def test_a_query_out_of_bounds_is_a_422(portal: Any) -> None:
    for query in ({"after": -1}, {"limit": 0}, {"limit": 1001}, {"after": 2**63}, {"x": 1}, {"epoch": "x"}):
        assert portal.changes("residence", **query).status_code == 422, query
