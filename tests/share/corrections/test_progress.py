"""What became of a source's notices, as `oncehub corrections status` tells it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.share.corrections.progress import SourceProgress, correction_progress
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.share.corrections.read_notices import NoticeResponse, acknowledge, note_read
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.store.connection import Connection
from tests.api.asking import read_notices

AN = {"personal_id": "001084000999", "full_name": "Nguyễn Thị An"}
CLIENT = "tax"

Disagree = Callable[..., int]


class TaxOffice:
    """The source `tax` as it keeps its notices."""

    def __init__(self, settings: Settings, database: Connection) -> None:
        self._settings, self._database = settings, database
        self._agreement = load_agreements(settings)["tax-registration"]
        assert self._agreement.corrections
        self._own = self._agreement.corrections

    def told(self) -> int:
        """Publish what there is; return the last sequence."""
        return publish_corrections(self._settings, "tax", self._database).last_sequence

    def fetch(self, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        with self._database:
            page = read_notices(self._database, self._agreement, Start(after, limit))
            note_read(self._database, self._own, CLIENT, after, page.next)
        return page.lines

    def acknowledge(self, sequence: int, *answers: NoticeResponse) -> None:
        with self._database:
            acknowledge(self._database, self._agreement, self._own, sequence, answers, client_id=CLIENT)

    def progress(self) -> SourceProgress:
        (progress,) = correction_progress(self._database, ["tax"])
        return progress


@pytest.fixture
def tax(editable: Settings, database: Connection, tmp_path: Any) -> TaxOffice:
    add_client(database, CLIENT, "tax-registration", new_client_key(tmp_path / "key.pem"))
    return TaxOffice(editable, database)


@pytest.fixture
def found(tax: TaxOffice, believe: Callable[..., str], disagree: Disagree) -> list[int]:
    """Ids of five discrepancies that tax was told of, in the order of their notices."""
    person = believe(**AN)
    ids = [disagree(person, "full_name", key=f"800{digit}") for digit in range(1, 6)]
    assert tax.told() == 5
    return ids


@pytest.fixture
def long_ago(database: Connection) -> Callable[[str, str], None]:
    """Set back, by a length of time, when a source was given notices or acknowledged them."""

    def move(kind: str, age: str) -> None:
        with database, database.cursor() as cursor:
            cursor.execute(
                "update share.consumer_offset set at = at - %s::interval where kind = %s", (age, kind)
            )

    return move


def test_a_source_that_never_got_a_notice_has_offset_zero(database: Connection) -> None:
    (progress,) = correction_progress(database, ["tax"])
    assert progress == SourceProgress("tax", 0, 0, 0, 0, None, 0, None, 0, 0, 0, 0, None, None, None, None)


def test_fetched_and_acknowledged_offsets_are_distinguished(tax: TaxOffice, found: list[int]) -> None:
    tax.fetch(limit=3)
    tax.acknowledge(2)
    progress = tax.progress()
    assert (progress.open, progress.published, progress.fetched, progress.acknowledged) == (5, 5, 3, 2)
    assert progress.uncorrected == 2
    assert progress.oldest_uncorrected is not None
    assert progress.oldest_unacknowledged is not None
    tax.fetch(3)
    tax.acknowledge(5)
    assert tax.progress().oldest_unacknowledged is None


def test_what_was_acknowledged_and_not_corrected_stays_visible(
    tax: TaxOffice, found: list[int], alter: Callable[..., None]
) -> None:
    tax.fetch()
    tax.acknowledge(5)
    alter(found[0], closed_at=datetime.now(UTC), closed_because="corrected")
    alter(found[1], closed_at=datetime.now(UTC), closed_because="belief_changed")
    tax.told()
    progress = tax.progress()
    assert (progress.open, progress.uncorrected, progress.corrected) == (3, 3, 1)


def test_the_latest_response_to_an_open_notice_is_counted(
    tax: TaxOffice, found: list[int], alter: Callable[..., None]
) -> None:
    tax.fetch()
    tax.acknowledge(
        0,
        NoticeResponse(1, "in_progress"),
        NoticeResponse(2, "in_progress"),
        NoticeResponse(3, "rejected", "documented"),
        NoticeResponse(4, "accepted"),
    )
    tax.acknowledge(0, NoticeResponse(2, "rejected", "other_person"))
    alter(found[3], closed_at=datetime.now(UTC), closed_because="corrected")
    tax.told()
    progress = tax.progress()
    assert (progress.accepted, progress.in_progress, progress.rejected) == (0, 1, 2)


def test_the_time_a_correction_took_is_kept_with_its_closing(
    tax: TaxOffice, found: list[int], alter: Callable[..., None], long_ago: Callable[[str, str], None]
) -> None:
    tax.fetch()
    tax.acknowledge(5)
    long_ago("fetched", "3 days")
    long_ago("acknowledged", "2 days")
    alter(found[0], opened_at="2026-01-01", closed_at=datetime.now(UTC), closed_because="corrected")
    tax.told()
    (closing,) = tax.fetch(5)
    assert (closing["notice"], closing["change"], closing["closed_because"]) == (1, "closed", "corrected")
    opened, closed = (datetime.fromisoformat(closing[name]) for name in ("opened_at", "closed_at"))
    assert closing["resolution_times"]["since_opened"] == round((closed - opened).total_seconds())
    days = [closing["resolution_times"][name] / 86400 for name in ("since_fetched", "since_acknowledged")]
    assert days == pytest.approx([3, 2], abs=0.01)


def test_what_closed_before_its_source_knew_took_it_no_time(
    tax: TaxOffice, found: list[int], alter: Callable[..., None]
) -> None:
    alter(found[0], closed_at=datetime.now(UTC), closed_because="corrected")
    tax.fetch()
    tax.told()
    (closing,) = tax.fetch(5)
    assert closing["resolution_times"]["since_fetched"] is None
    progress = tax.progress()
    assert (progress.corrected, progress.median_days) == (1, None)
    assert progress.median_days_open is not None


def test_half_and_nine_in_ten_corrections_are_timed_from_the_notice_to_the_source(
    tax: TaxOffice, found: list[int], alter: Callable[..., None], database: Connection
) -> None:
    for after in range(5):
        tax.fetch(after, limit=1)
    with database, database.cursor() as cursor:
        cursor.execute("update share.consumer_offset set at = at - (6 - sequence) * interval '1 day'")
    for discrepancy in found:
        alter(discrepancy, closed_at=datetime.now(UTC), closed_because="corrected")
    tax.told()
    progress = tax.progress()
    assert progress.corrected == 5
    assert (progress.median_days, progress.p90_days) == pytest.approx((3, 4.6), abs=0.01)


def test_what_left_the_agreement_is_not_counted_against_the_source(
    tax: TaxOffice, found: list[int], database: Connection
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("update share.correction_feed set attributes = '{person.phone}'")
    progress = tax.progress()
    assert (progress.open, progress.oldest_unacknowledged) == (0, None)
