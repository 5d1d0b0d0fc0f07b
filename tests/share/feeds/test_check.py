"""What a feed's agency has, held against what was published and what is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies
from hypothesis import settings as hypothesis_settings
from psycopg2 import sql

from oncehub.audit.log.pseudonyms import feed_pseudonym
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.clients.clients import (
    add_client,
    new_client_key,
    revoke_client,
)
from oncehub.share.delivery.consumer_offsets import note_page
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds.check import FeedCheck, FeedChecker
from oncehub.share.feeds.consumer_snapshot import digest
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection
from oncehub.store.history import continue_history
from tests.api.asking import read_changes

FEED, CLIENT, KEY = "residence", "portal", b"k" * 32

Held = dict[str, dict[str, Any]]


class Portal:
    """The agency of the feed `residence`, which keeps what it fetches."""

    def __init__(self, settings: Settings, database: Connection, folder: Path) -> None:
        self._settings, self._database, self._folder = settings, database, folder
        self.agreement = load_agreements(settings)["portal-residence"]
        self.held: Held = {}
        self.sequence, self.epoch = 0, ""

    def published(self) -> None:
        publish(self._settings, FEED, self._database)

    def fetch(self, limit: int = 1000, client: str = CLIENT) -> None:
        with self._database:
            page = read_changes(self._database, self.agreement, Start(self.sequence, limit), KEY)
            note_page(self._database, FEED, client, self.sequence, page.next)
        for line in page.lines:
            if line["kind"] == "removed":
                del self.held[line["person"]]
            else:
                self.held[line["person"]] = line["values"]
        self.sequence, self.epoch = page.next, page.epoch

    def listing(self, *, sequence: int | None = None) -> Path:
        """Write down what it holds."""
        path = self._folder / "held.jsonl"
        lines: list[Any] = [
            {"sequence": self.sequence if sequence is None else sequence, "epoch": self.epoch},
            *({"person": person, "digest": digest(values)} for person, values in self.held.items()),
        ]
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        return path

    def check(self, held: Path | None = None, *, every: bool = False, shown: int = 100) -> FeedCheck:
        checker = FeedChecker(self.agreement, KEY, shown, every=every)
        (checked,) = checker.check(self._database, CLIENT, held)
        return checked


@pytest.fixture
def portal(editable: Settings, database: Connection, tmp_path: Path) -> Portal:
    add_client(database, CLIENT, "portal-residence", new_client_key(tmp_path / "key.pem"))
    return Portal(editable, database, tmp_path)


@pytest.fixture
def people(portal: Portal, believe: Callable[..., str]) -> list[str]:
    """Three people whose lines were published and fetched, and kept."""
    keys = [believe(personal_id=f"00108400099{digit}", full_name="Nguyễn Thị An") for digit in range(3)]
    portal.published()
    portal.fetch()
    portal.fetch()
    return keys


@pytest.fixture
def change(database: Connection) -> Callable[..., None]:
    """Change what is believed of a person, and tell of it unless `silently`."""

    def alter(key: str, attribute: str, value: str, *, silently: bool = False) -> None:
        with database, database.cursor() as cursor:
            cursor.execute(
                sql.SQL("update truth.person set {} = %s where person_key = %s").format(
                    sql.Identifier(attribute)
                ),
                (value, key),
            )
            if not silently:
                cursor.execute(
                    "insert into share.change (person_key, kind, attributes) values (%s, 'changed', %s)",
                    (key, [attribute]),
                )

    return alter


@pytest.fixture
def remove(database: Connection) -> Callable[[str], None]:
    def gone(key: str) -> None:
        with database, database.cursor() as cursor:
            cursor.execute("delete from truth.person where person_key = %s", (key,))
            cursor.execute(
                "insert into share.change (person_key, kind, attributes) values (%s, 'removed', '{}')", (key,)
            )

    return gone


def named(*keys: str) -> list[str]:
    return [feed_pseudonym(KEY, FEED, key) for key in keys]


def findings(checked: FeedCheck) -> dict[str, list[str]]:
    """The persons named, of the kinds that there are any of."""
    kinds = {name: getattr(checked, name) for name in ("in_flight", "stale", "missed", "unpublished")}
    assert all(found is None or found.persons == len(found.keys) for found in kinds.values())
    return {name: found.keys for name, found in kinds.items() if found and found.keys}


def test_an_agency_that_keeps_up_is_in_line(portal: Portal, people: list[str]) -> None:
    checked = portal.check(portal.listing(), every=True)
    assert (checked.published, checked.fetched, checked.acknowledged) == (3, 3, 3)
    assert findings(checked) == {}
    assert checked.sound


def test_in_flight_stale_and_missed_are_distinguished(
    portal: Portal, people: list[str], change: Callable[..., None]
) -> None:
    missing, behind, flying = people
    before = dict(portal.held)
    change(missing, "phone", "+84901234567")
    portal.published()
    portal.fetch()
    portal.fetch()
    portal.held[named(missing)[0]] = before[named(missing)[0]]
    change(behind, "phone", "+84901234568")
    portal.published()
    change(flying, "phone", "+84901234569")
    checked = portal.check(portal.listing(), every=True)
    assert findings(checked) == {
        "in_flight": named(flying),
        "stale": named(behind),
        "missed": named(missing),
    }
    assert checked.oldest_stale is not None
    assert not checked.sound
    portal.fetch()
    portal.published()
    portal.fetch()
    portal.fetch()
    assert findings(portal.check(portal.listing(), every=True)) == {"missed": named(missing)}


def test_who_should_be_gone_who_is_not_there_and_who_was_never_given_are_missed(
    portal: Portal, people: list[str], remove: Callable[[str], None]
) -> None:
    gone, absent, _ = people
    kept = dict(portal.held)
    remove(gone)
    portal.published()
    portal.fetch()
    portal.fetch()
    assert findings(portal.check(portal.listing())) == {}
    stranger = "f" * 64
    portal.held = kept | {stranger: {}}
    del portal.held[named(absent)[0]]
    assert findings(portal.check(portal.listing())) == {"missed": sorted([*named(gone, absent), stranger])}


def test_a_removal_is_in_flight_only_where_the_agency_knows_the_person(
    portal: Portal, people: list[str], believe: Callable[..., str], remove: Callable[[str], None]
) -> None:
    remove(people[0])
    remove(believe(full_name="Nguyễn Văn Cường"))
    assert findings(portal.check(every=True)) == {"in_flight": named(people[0])}


def test_what_the_agreement_does_not_cover_is_not_in_flight(
    portal: Portal, people: list[str], change: Callable[..., None]
) -> None:
    change(people[0], "religion", "01")
    assert findings(portal.check(every=True)) == {}


def test_a_change_that_no_entry_will_report_is_found_only_by_a_full_check(
    portal: Portal,
    people: list[str],
    change: Callable[..., None],
    database: Connection,
    believe: Callable[..., str],
) -> None:
    change(people[0], "phone", "+84901234567", silently=True)
    untold = believe(full_name="Nguyễn Văn Cường")
    believe(religion="01")
    with database, database.cursor() as cursor:
        cursor.execute("delete from truth.person where person_key = %s", (people[1],))
        cursor.execute("delete from share.change where person_key = %s", (untold,))
    assert portal.check().sound
    checked = portal.check(every=True)
    assert sorted(findings(checked)["unpublished"]) == sorted(named(people[0], people[1], untold))
    assert not checked.sound


def test_a_listing_counts_up_to_what_it_says(
    portal: Portal, people: list[str], change: Callable[..., None]
) -> None:
    earlier = portal.listing().read_bytes()
    change(people[0], "phone", "+84901234567")
    portal.published()
    portal.fetch()
    assert findings(portal.check(portal.listing())) == {}
    path = portal.listing()
    path.write_bytes(earlier)
    assert findings(portal.check(path)) == {}
    path.write_bytes(earlier.replace(b'"sequence":3', b'"sequence":4'))
    assert findings(portal.check(path)) == {"missed": named(people[0])}
    path.write_bytes(earlier.replace(b'"sequence":3', b'"sequence":5'))
    with pytest.raises(ConfigError, match=r"held\.jsonl:1: sequence must be a whole number up to 4"):
        portal.check(path)


@pytest.mark.parametrize("first", [b"", b'{"sequence": 3}\n', b'{"sequence": 3, "epoch": 1}\n', b"[]\n"])
def test_a_listing_that_does_not_state_its_epoch_is_not_compared(
    portal: Portal, people: list[str], first: bytes
) -> None:
    path = portal.listing()
    path.write_bytes(first + b"".join(path.read_bytes().splitlines(keepends=True)[1:] if first else ()))
    with pytest.raises(ConfigError, match=r'held\.jsonl:1: write {"sequence": …, "epoch": …} first'):
        portal.check(path)


def test_a_listing_of_an_earlier_epoch_is_not_compared_and_says_what_to_do(
    portal: Portal, database: Connection, people: list[str]
) -> None:
    path = portal.listing()
    former = portal.check(path).epoch
    with database, database.cursor() as cursor:
        epoch = continue_history(cursor, "tests", "a backup was restored")
    with pytest.raises(ConfigError, match=r"another epoch than the feed, .* again from after=0"):
        portal.check(path)
    assert (former != epoch, portal.check().epoch) == (True, epoch)
    portal.sequence, portal.held = 0, {}
    portal.fetch()
    assert findings(portal.check(portal.listing())) == {}


def test_an_agency_that_holds_nothing_names_nobody(portal: Portal, people: list[str]) -> None:
    portal.held = {}
    assert findings(portal.check(portal.listing())) == {"missed": sorted(named(*people))}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"Nguyen Thi An", "is not JSON; write one object a line"),
        (b'{"person": "001084000999", "digest": ""}', "each of 64 hexadecimal digits in lower case"),
        (b'["001084000999"]', "each of 64 hexadecimal digits in lower case"),
    ],
)
def test_a_wrong_line_is_reported_by_its_number_and_not_repeated(
    portal: Portal, people: list[str], line: bytes, told: str
) -> None:
    path = portal.listing()
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(ConfigError, match=f"held.jsonl:5: .*{told}") as error:
        portal.check(path)
    assert "001084000999" not in str(error.value)


def test_a_person_named_twice_is_a_wrong_listing(portal: Portal, people: list[str]) -> None:
    path = portal.listing()
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])
    with pytest.raises(ConfigError, match="names a person twice"):
        portal.check(path)


def test_of_many_persons_the_first_are_named_and_all_counted(portal: Portal, people: list[str]) -> None:
    portal.held = {}
    missed = portal.check(portal.listing(), shown=2).missed
    assert missed is not None
    assert (missed.persons, missed.keys) == (3, sorted(named(*people))[:2])


def test_each_client_has_come_as_far_as_it_has(
    portal: Portal, people: list[str], database: Connection, tmp_path: Path
) -> None:
    for client in ("second", "third"):
        add_client(database, client, "portal-residence", new_client_key(tmp_path / f"{client}.pem"))
    portal.sequence, portal.held = 0, {}
    portal.fetch(limit=1, client="second")
    revoke_client(database, "third")
    checks = FeedChecker(portal.agreement, KEY).check(database)
    assert [(checked.client, checked.fetched, checked.stale.persons) for checked in checks] == [
        ("portal", 3, 0),
        ("second", 1, 2),
    ]


def test_a_client_that_skips_lines_stays_stale(
    portal: Portal, people: list[str], database: Connection, believe: Callable[..., str]
) -> None:
    for digit in range(2):
        believe(personal_id=f"00108400098{digit}")
    portal.published()
    portal.sequence = 4
    portal.fetch()
    checked = portal.check()
    assert (checked.fetched, checked.stale.persons) == (3, 2)


def test_a_feed_that_was_never_published_is_all_in_flight(
    portal: Portal, database: Connection, believe: Callable[..., str]
) -> None:
    key = believe(full_name="Nguyễn Thị An")
    with database, database.cursor() as cursor:
        cursor.execute("delete from share.client_key")
        cursor.execute("delete from share.client")
    (checked,) = FeedChecker(portal.agreement, KEY, every=True).check(database)
    assert (checked.client, checked.published) == (None, 0)
    assert findings(checked) == {"in_flight": named(key)}


def test_checking_changes_nothing_and_can_be_cut_short(
    portal: Portal, people: list[str], database: Connection
) -> None:
    path = portal.listing()
    path.write_bytes(b"no\n")
    with pytest.raises(ConfigError):
        portal.check(path)
    assert findings(portal.check(portal.listing())) == {}
    with database, database.cursor() as cursor:
        cursor.execute("select count(*) from pg_class where relpersistence = 't' and relkind = 'r'")
        assert cursor.fetchone() == (0,)


def told_between(portal: Portal, database: Connection, after: int) -> set[str]:
    """The persons of the lines above `after` that the agency has fetched."""
    with database:
        page = read_changes(database, portal.agreement, Start(after, 1000), KEY)
    return {line["person"] for line in page.lines if line["sequence"] <= portal.sequence}


NUMBERS = range(3)
STEPS = strategies.lists(
    strategies.one_of(
        strategies.tuples(
            strategies.just("change"), strategies.sampled_from(NUMBERS), strategies.sampled_from("12")
        ),
        strategies.tuples(strategies.just("publish")),
        strategies.tuples(strategies.just("fetch"), strategies.sampled_from([1, 2, 9])),
        strategies.tuples(strategies.just("lose"), strategies.sampled_from(NUMBERS)),
    ),
    max_size=14,
)


@hypothesis_settings(max_examples=hypothesis_settings.default.max_examples // 2)
@given(STEPS)
def test_every_difference_is_reported_and_only_what_was_lost_is_called_missed(
    portal: Portal,
    database: Connection,
    believe: Callable[..., str],
    change: Callable[..., None],
    steps: list[tuple[Any, ...]],
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(
            "truncate truth.person, share.change, share.feed_entry, share.feed, share.consumer_offset"
        )
        cursor.execute("truncate truth.identifier")
    portal.sequence, portal.held = 0, {}
    # It knows the epoch from its first page, even an empty one.
    portal.fetch()
    phones = ["0", "0", "0"]
    keys = [believe(phone=phone) for phone in phones]
    lost: set[str] = set()
    for step in steps:
        match step:
            case ("change", number, phone):
                change(keys[number], "phone", phone)
                phones[number] = phone
            case ("publish",):
                portal.published()
            case ("fetch", limit):
                before = portal.sequence
                portal.fetch(limit)
                lost -= told_between(portal, database, before)
            case ("lose", number) if (person := named(keys[number])[0]) in portal.held:
                del portal.held[person]
                lost.add(person)
    found = findings(portal.check(portal.listing(sequence=portal.sequence), every=True))
    differing = {
        person
        for person, phone in zip(named(*keys), phones, strict=True)
        if portal.held.get(person, {}).get("person.phone") != phone
    }
    assert differing <= {person for kind in found.values() for person in kind}
    assert set(found.get("missed", [])) == lost
    assert "unpublished" not in found
