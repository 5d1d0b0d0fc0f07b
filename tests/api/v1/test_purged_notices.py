"""What of notices is purged, and that nobody who reads, counts or verifies them is misled by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extras import Json

from oncehub.audit.log.pseudonyms import pseudonym_key
from oncehub.audit.signing.page_verification import page_findings
from oncehub.settings import Settings
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.share.corrections.progress import correction_progress
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.share.retention.purge import purge
from oncehub.store.connection import Connection

AN = "001084000999"
SENTINEL = "Sentinel-Notice"
NOW = datetime.now(UTC)
LATER, MUCH_LATER = NOW + timedelta(days=100), NOW + timedelta(days=800)


class TaxOffice:
    """The source `tax`, told of three things it states of one person: one changed, one closed, one is open.

    Their lines are 1 and 4, 2 and 5, and 3.
    """

    def __init__(self, settings: Settings, database: Connection, agency: Any) -> None:
        self.settings, self.database, self.agency = settings, database, agency

    def run(self, statement: str, *values: Any) -> None:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)

    def publish(self) -> int:
        return publish_corrections(self.settings, "tax", self.database).changes

    def read(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = self.agency.corrections().json()["notices"]
        return lines

    def acknowledge(self, sequence: int) -> None:
        assert self.agency.acknowledge(sequence).status_code == 200

    def purge(self, moment: datetime) -> dict[str, int]:
        """What of notices goes."""
        removed = purge(self.settings, self.database, now=moment).removed
        return {kind: count for kind, count in removed.items() if kind.endswith("_notices")}

    def emptied(self) -> list[int]:
        return [line["sequence"] for line in self.read() if line["record"]["key"] is None]


@pytest.fixture
def person(believe: Callable[..., str]) -> str:
    return believe(personal_id=AN, full_name="Nguyễn Thị An")


@pytest.fixture
def stated(person: str, disagree: Callable[..., int]) -> list[int]:
    """Ids of the three discrepancies."""
    names = ("phone", "email", "full_name")
    return [
        disagree(
            person, name, stated=f"{SENTINEL} {name}", believed=f"{SENTINEL} believed", key=SENTINEL + name
        )
        for name in names
    ]


@pytest.fixture
def office(
    editable: Settings, database: Connection, tax: Any, stated: list[int], alter: Callable[..., None]
) -> TaxOffice:
    office = TaxOffice(editable, database, tax)
    assert office.publish() == 3
    alter(stated[0], source_value=Json(f"{SENTINEL} anew"))
    alter(stated[1], closed_at=NOW, closed_because="corrected")
    assert office.publish() == 2
    assert len(office.read()) == 5
    return office


def test_what_the_source_keeps_a_settling_line_of_loses_its_statements(office: TaxOffice) -> None:
    assert office.purge(LATER) == {}
    office.acknowledge(4)
    assert office.purge(LATER) == {"settled_notices": 1}
    assert office.emptied() == [1]
    office.acknowledge(5)
    assert office.purge(LATER) == {"settled_notices": 2}
    assert office.emptied() == [1, 2, 5]
    assert office.purge(MUCH_LATER) == {}


def test_no_statement_is_left_in_a_purged_line_and_all_others_are_as_they_were(office: TaxOffice) -> None:
    before = office.read()
    office.acknowledge(5)
    office.purge(LATER)
    after = office.read()
    assert [after[2], after[3]] == [before[2], before[3]]
    for was, line in zip(before, after, strict=True):
        if line["sequence"] in (1, 2, 5):
            assert SENTINEL not in str(line)
            gone = {"source_value": None, "golden_value": None, "asserted_by": None}
            assert line == was | gone | {"record": was["record"] | {"key": None}}


def test_what_a_source_never_acknowledges_goes_after_a_longer_time(office: TaxOffice) -> None:
    assert office.purge(LATER) == {}
    assert office.purge(MUCH_LATER) == {"unacknowledged_notices": 3}
    assert office.emptied() == [1, 2, 5]


def test_time_counts_from_the_line_that_settled_another(office: TaxOffice) -> None:
    office.acknowledge(5)
    office.run("update share.notice set published_at = %s where sequence <= 3", NOW - timedelta(days=3653))
    assert office.purge(NOW) == {}


def test_every_client_of_the_source_must_keep_it_that_may_still_ask(
    office: TaxOffice, tmp_path: Path
) -> None:
    add_client(office.database, "second", "tax-registration", new_client_key(tmp_path / "second.pem"))
    office.acknowledge(5)
    assert office.purge(LATER) == {}
    office.run("update share.client set revoked_at = now() where client_id = 'second'")
    assert office.purge(LATER) == {"settled_notices": 3}


def test_who_counts_looks_up_or_verifies_sees_no_difference(office: TaxOffice, portal: Any) -> None:
    office.acknowledge(5)

    def seen() -> tuple[Any, ...]:
        keys = [pseudonym_key(office.settings.home)]
        usages = portal.usage(AN).json()["usages"]
        return (
            correction_progress(office.database, ["tax"]),
            list(page_findings(office.database, keys)),
            [use for use in usages if use["involvement"] == "appeared"],
        )

    before = seen()
    (progress,), findings, usages = before
    assert (progress.open, progress.corrected, findings, len(usages)) == (2, 1, [], 1)
    assert office.purge(LATER) == {"settled_notices": 3}
    assert seen() == before


def test_publishing_goes_on_after_a_purge_as_if_there_had_been_none(
    office: TaxOffice, stated: list[int], alter: Callable[..., None]
) -> None:
    office.acknowledge(5)
    office.purge(LATER)
    office.run("update share.correction_feed set published_below = '0'")
    assert office.publish() == 0
    alter(stated[0], source_value=Json("0900000000"))
    alter(stated[1], closed_at=None, closed_because=None)
    assert office.publish() == 2
    told = [(line["notice"], line["change"], line["attribute"]) for line in office.read()[5:]]
    assert told == [(1, "changed", "person.phone"), (2, "opened", "person.email")]
