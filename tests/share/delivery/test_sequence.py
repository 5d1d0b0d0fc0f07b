"""The sequence kernel over a sequence of its own: order, gaps, kills, waiting, pages and consumer offsets."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2 import sql

from oncehub.errors import NotFetched, OutOfSequence, RunBusy, StoreError, StoreUnavailable
from oncehub.settings import Settings
from oncehub.share.delivery.consumer_offsets import (
    Position,
    Published,
    note_acknowledged,
    note_fetched,
    note_page,
    position,
    require_fetched,
)
from oncehub.share.delivery.gap_free_sequence import Sequence, SequencePage, Start, read_page
from oncehub.store.connection import Connection, locked

_TABLES = """
create table share.toy_change (
    change_id bigint generated always as identity,
    transaction xid8 not null default pg_current_xact_id(),
    word text
);
create table share.toy (
    name text primary key, below xid8 not null default '0', last bigint not null default 0
);
create table share.toy_line (sequence bigint primary key, word text);
"""

_APPEND = """
with fresh as (
    select word, row_number() over (order by transaction, change_id) as number
    from share.toy_change, share.toy
    where transaction >= below and transaction < pg_snapshot_xmin(pg_current_snapshot())
),
added as (insert into share.toy_line select last + number, word from fresh, share.toy)
update share.toy set
    last = last + (select count(*) from fresh), below = pg_snapshot_xmin(pg_current_snapshot())
"""

_READ = sql.SQL("""
select toy.last as last_sequence, line.sequence, line.word, null as person_key
from {share}.toy left join lateral (
    select * from {share}.toy_line
    where sequence > %(after)s and word <> %(skipped)s
    order by sequence
    limit %(limit)s
) as line on true
order by line.sequence
""")


@pytest.fixture
def toy(database: Connection) -> Iterator[Sequence]:
    """A sequence of words, each committed with a change."""
    with database, database.cursor() as cursor:
        cursor.execute(_TABLES)
        cursor.execute(
            "insert into share.client (client_id, agreement) values ('one', 'a'), ('two', 'a') "
            "on conflict do nothing"
        )
    yield sequence()
    with database, database.cursor() as cursor:
        cursor.execute("drop table share.toy_change, share.toy, share.toy_line")
        cursor.execute("delete from share.consumer_offset where feed = 'toy'")


def sequence(**parts: Any) -> Sequence:
    given: dict[str, Any] = {
        "name": "toy",
        "prepare": "insert into share.toy (name) values (%(name)s) on conflict do nothing",
        "steps": (_APPEND,),
        "last": "select last from share.toy where name = %(name)s",
        "below": "select below from share.toy where name = %(name)s",
        "waiting": "select count(*) from share.toy_change, share.toy where transaction >= below",
        "values": {"name": "toy"},
    }
    return Sequence(**given | parts)


def say(connection: Connection, *words: str) -> None:
    with connection.cursor() as cursor:
        for word in words:
            cursor.execute("insert into share.toy_change (word) values (%s)", (word,))


def read(
    database: Connection, after: int = 0, limit: int = 100, skipped: str = "", epoch: str | None = None
) -> SequencePage:
    values = {"skipped": skipped, "name": "toy"}

    def line(row: Any) -> dict[str, Any]:
        return {"sequence": row["sequence"], "word": row["word"]}

    with database:
        return read_page(
            database,
            None,
            Published("toy", "select last from share.toy where name = %(name)s", values),
            _READ,
            line,
            start=Start(after, limit, epoch),
        )


def words(page: SequencePage) -> list[str]:
    return [line["word"] for line in page.lines]


def test_lines_are_numbered_without_gaps_in_the_order_of_commits(
    toy: Sequence, settings: Settings, database: Connection
) -> None:
    with database:
        say(database, "a", "b")
    assert toy.publish(settings, database).changes == 2
    with database:
        say(database, "c")
    report = toy.publish(settings, database)
    assert (report.feed, report.changes, report.last_sequence) == ("toy", 1, 3)
    assert read(database).lines == [
        {"sequence": 1, "word": "a"},
        {"sequence": 2, "word": "b"},
        {"sequence": 3, "word": "c"},
    ]


def test_publishing_again_adds_nothing(toy: Sequence, settings: Settings, database: Connection) -> None:
    with database:
        say(database, "a")
    toy.publish(settings, database)
    assert toy.publish(settings, database).changes == 0
    assert toy.extend(database) == (0, 1)


def test_what_commits_after_an_open_transaction_waits_for_it(
    toy: Sequence, settings: Settings, database: Connection, other: Connection
) -> None:
    say(other, "early")
    with database:
        say(database, "late")
    with pytest.raises(StoreUnavailable, match="1 changes wait for an older transaction"):
        toy.publish(settings, database, patience=0)
    assert read(database).lines == []
    other.commit()
    toy.publish(settings, database)
    assert words(read(database)) == ["early", "late"]


def test_publishing_goes_on_as_soon_as_the_older_transaction_ends(
    toy: Sequence, settings: Settings, database: Connection, other: Connection
) -> None:
    say(other, "early")
    with database:
        say(database, "late")
    ending = threading.Timer(0.3, other.commit)
    ending.start()
    assert toy.publish(settings, database, patience=30).changes == 2
    ending.join()


def test_a_kill_in_a_step_loses_nothing_and_leaves_no_gap(
    toy: Sequence, settings: Settings, database: Connection
) -> None:
    with database:
        say(database, "a")
    dying = sequence(steps=(_APPEND + "; select 1 / 0",))
    with pytest.raises(StoreError):
        dying.publish(settings, database)
    assert toy.publish(settings, database).last_sequence == 1


def test_only_one_process_publishes_a_sequence(
    toy: Sequence, settings: Settings, database: Connection, other: Connection
) -> None:
    with locked(other, "publish toy") as got:
        assert got
        with pytest.raises(RunBusy, match="another process publishes"):
            toy.publish(settings, database)


def test_a_sequence_without_steps_stays_as_it_is(
    toy: Sequence, settings: Settings, database: Connection
) -> None:
    with database:
        say(database, "a")
    assert sequence(steps=()).publish(settings, database).changes == 0
    assert toy.publish(settings, database).changes == 1


@pytest.mark.parametrize(("count", "limit"), [(0, 1), (1, 1), (2, 1), (6, 3), (7, 3), (3, 10)])
def test_pages_of_any_size_give_every_line_once(
    toy: Sequence, settings: Settings, database: Connection, count: int, limit: int
) -> None:
    with database:
        say(database, *map(str, range(count)))
    toy.publish(settings, database)
    after, more, found = 0, True, list[str]()
    while more:
        page = read(database, after, limit)
        found, after, more = found + words(page), page.next, page.more
    assert found == [str(number) for number in range(count)]
    assert after == count


def test_a_page_ends_at_the_last_line_of_all_when_the_rest_is_passed_over(
    toy: Sequence, settings: Settings, database: Connection
) -> None:
    with database:
        say(database, "a", "x", "b", "x")
    toy.publish(settings, database)
    page = read(database, limit=1, skipped="x")
    assert (words(page), page.next, page.more) == (["a"], 1, True)
    page = read(database, page.next, skipped="x")
    assert (words(page), page.next, page.more) == (["b"], 4, False)
    assert (read(database, 4).lines, read(database, 4).next) == ([], 4)
    assert [line.sequence for line in read(database).disclosed] == [1, 2, 3, 4]


def test_offsets_go_forward_only(toy: Sequence, database: Connection) -> None:
    with database:
        note_page(database, "toy", "one", 0, 3)
        note_page(database, "toy", "one", 3, 5)
        note_page(database, "toy", "one", 0, 3)
        assert position(database, "toy") == Position(fetched=5, acknowledged=3)


def test_lines_that_were_skipped_do_not_count_as_given_out(toy: Sequence, database: Connection) -> None:
    with database:
        note_fetched(database, "toy", "one", 0, 2)
        note_fetched(database, "toy", "one", 4, 6)
        note_page(database, "toy", "one", 9, 12)
        assert position(database, "toy") == Position(fetched=2, acknowledged=0)


def test_each_client_has_an_offset_and_the_agency_the_furthest(toy: Sequence, database: Connection) -> None:
    with database:
        note_page(database, "toy", "one", 0, 4)
        note_fetched(database, "toy", "two", 0, 2)
        note_acknowledged(database, "toy", "two", 1)
        assert position(database, "toy", "one") == Position(4, 0)
        assert position(database, "toy", "two") == Position(2, 1)
        assert position(database, "toy") == Position(4, 1)
        assert position(database, "toy").lag(6) == 5


def test_nothing_beyond_what_was_given_out_is_acknowledged(toy: Sequence, database: Connection) -> None:
    with database:
        note_fetched(database, "toy", "one", 0, 2)
        assert require_fetched(database, "toy", 2).fetched == 2
        with pytest.raises(NotFetched):
            require_fetched(database, "toy", 3)
        assert note_acknowledged(database, "toy", "one", 0) == Position(2, 0)
        assert note_acknowledged(database, "toy", "one", 2) == Position(2, 2)


def test_no_page_goes_on_from_beyond_the_end_or_from_another_epoch(
    toy: Sequence, settings: Settings, database: Connection
) -> None:
    def refused(after: int, epoch: str | None) -> OutOfSequence:
        with pytest.raises(OutOfSequence, match="after=0") as refusal:
            read(database, after, epoch=epoch)
        database.rollback()
        return refusal.value

    epoch = read(database).epoch
    assert refused(1, None).last_sequence == 0
    with database:
        say(database, "a", "b", "c")
    toy.publish(settings, database)
    assert (refused(4, None).last_sequence, refused(4, epoch).epoch) == (3, epoch)
    assert read(database, 3).lines == []
    assert refused(0, str(uuid.uuid4())).epoch == epoch
    # Who states the epoch goes on from what was given out; the lines between may be others than it has.
    assert "has not given out 2" in str(refused(2, epoch))
    with database:
        note_fetched(database, "toy", "one", 0, 2)
    assert words(read(database, 2, epoch=epoch)) == ["c"]
