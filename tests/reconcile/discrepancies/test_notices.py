"""A source is told of what reconciling finds, corrects itself, and is told that it is in line."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from oncehub.reconcile.run import link_changes, settle_people
from oncehub.reconcile.shards import Shard
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.share.corrections.read_notices import acknowledge, note_read
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.store.connection import connect
from tests.api.asking import read_notices

from ..conftest import Hub

ID = "001184000001"
PEOPLE, MOST_SHARDS = 24, 3


@pytest.fixture(scope="module")
def told_hub(new_hub: Callable[[str], Hub]) -> Hub:
    """A hub of its own, for notices are left standing by the others."""
    return new_hub("told")


@pytest.fixture
def agreed(told_hub: Hub, editable: Settings) -> Settings:
    """Its settings, over agreements that do not expire."""
    told_hub.forget()
    told_hub.execute("truncate share.notice, share.correction_feed, share.consumer_offset cascade")
    return replace(told_hub.settings, root=editable.root)


def state(hub: Hub, number: int, day: int, *, told_name: str) -> None:
    person = {"personal_id": f"0011840000{number:02}", "birth_date": "1984-05-07", "sex": "female"}
    hub.state("population", f"CD{number}", 1, full_name="Nguyễn Thị Ánh", **person)
    hub.state("tax", f"80{number:02}", day, full_name=told_name, **person)


def test_a_source_that_corrects_itself_is_notified_with_the_resolution_time(
    told_hub: Hub, agreed: Settings, tmp_path
) -> None:
    agreement = load_agreements(agreed)["tax-registration"]
    own = agreement.corrections
    add_client(told_hub.database, "office", agreement.name, new_client_key(tmp_path / "key.pem"))

    def fetched(after: int) -> list[dict]:
        publish_corrections(agreed, "tax", told_hub.database)
        with told_hub.database:
            page = read_notices(told_hub.database, agreement, Start(after, 10))
            note_read(told_hub.database, own, "office", after, page.next)
        return page.lines

    state(told_hub, 1, 0, told_name="Nguyễn Thu Ánh")
    told_hub.reconcile()
    (opening,) = fetched(0)
    assert (opening["source_value"], opening["golden_value"]) == ("Nguyễn Thu Ánh", "Nguyễn Thị Ánh")
    assert opening["asserted_by"]["source"] == "population"
    with told_hub.database:
        acknowledge(told_hub.database, agreement, own, 1, [], client_id="office")

    state(told_hub, 1, 2, told_name="Nguyễn Thị Ánh")
    told_hub.reconcile()
    (closing_line,) = fetched(1)
    assert (closing_line["notice"], closing_line["change"]) == (1, "closed")
    assert closing_line["closed_because"] == "corrected"
    took = closing_line["resolution_times"]
    assert took["since_opened"] >= took["since_fetched"] >= took["since_acknowledged"] >= 0
    assert told_hub.open() == {}


def test_shards_settled_side_by_side_leave_no_gap_in_the_outbox(told_hub: Hub, agreed: Settings) -> None:
    for number in range(PEOPLE):
        state(told_hub, number, 0, told_name=f"Nguyễn Thị {'OA'[number % 2]}nh")
    link_changes(told_hub.settings, told_hub.database)

    def settle(number: int) -> int:
        with closing(connect(str(agreed.database_url))) as connection:
            return settle_people(told_hub.settings, Shard(number, MOST_SHARDS), connection).opened

    with ThreadPoolExecutor(MOST_SHARDS) as workers:
        settling = [workers.submit(settle, number) for number in range(MOST_SHARDS)]
        while not all(shard.done() for shard in settling):
            publish_corrections(agreed, "tax", told_hub.database)
        opened = sum(shard.result() for shard in settling)
    publish_corrections(agreed, "tax", told_hub.database)

    told = told_hub.rows("select sequence, notice, discrepancy_id from share.notice order by sequence")
    assert opened > 0
    numbers = list(range(1, opened + 1))
    assert [line["sequence"] for line in told] == [line["notice"] for line in told] == numbers
    assert {line["discrepancy_id"] for line in told} == {
        row["discrepancy_id"] for row in told_hub.rows("select discrepancy_id from truth.discrepancy")
    }
