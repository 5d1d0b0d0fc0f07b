"""The hostile source on its best behaviour: changes, deletions and documents in every variant."""

from datetime import datetime, timedelta, timezone

import pytest

from ..hostile_reading import as_sent, by_key, truth

PEOPLE = 100
VIETNAM = timezone(timedelta(hours=7))


WRITERS = {
    "iso8601": lambda moment: moment.isoformat(),
    "vietnam": lambda moment: moment.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M:%S"),
    "unix": lambda moment: int(moment.timestamp()),
    "unix_ms": lambda moment: int(moment.timestamp()) * 1000,
}


@pytest.mark.parametrize("form", WRITERS)
def test_changes_are_asked_for_by_time_in_every_form(start, form):
    source, reader = start(auth="none", time=form)
    before = source.now + timedelta(seconds=1)
    added, changed = source.add(2), source.change(3)
    until = source.now
    later = source.change(1)
    write = WRITERS[form]
    expected = sorted({*added, *changed, *later})
    assert sorted(record["maSo"] for record in reader.read(since=write(before))) == expected
    window = reader.read(since=write(before), until=write(until))
    last_of_them = changed[-1]
    assert sorted(record["maSo"] for record in window) == sorted({*added, *changed} - {last_of_them})


def test_the_lower_bound_is_inclusive_and_the_upper_exclusive(start):
    source, reader = start(auth="none")
    (key,) = source.add()
    moment = source.now
    since = [record["maSo"] for record in reader.read(since=moment.isoformat())]
    until = [record["maSo"] for record in reader.read(until=moment.isoformat())]
    assert since == [key]
    assert key not in until


@pytest.mark.parametrize("inclusive", [False, True])
def test_changes_are_asked_for_by_sequence(start, inclusive):
    source, reader = start(auth="none", changes="sequence", after_inclusive=inclusive)
    last = max(record["thuTu"] for record in reader.read())
    changed = source.change(4)
    read = [record["maSo"] for record in reader.read(afterSeq=last)]
    assert len(read) == len(changed) + inclusive
    assert set(changed) <= set(read)


def test_the_position_is_the_highest_sequence_there_is(start):
    source, reader = start(auth="none", changes="sequence")
    source.change(2)
    position = reader.get("/position").json()
    assert position["thuTu"] == max(record["thuTu"] for record in source.records())
    assert datetime.fromisoformat(position["thoiDiem"]) == source.now


@pytest.mark.parametrize("changes", ["time", "sequence"])
def test_a_snapshot_and_its_changes_can_come_apart(start, changes):
    source, reader = start(auth="none", changes=changes, separate_changes=True)
    position = reader.get("/position").json()
    snapshot = {record["maSo"]: record for record in reader.read()}
    source.advance(timedelta(seconds=1))
    changed, deleted, added = source.change(3), source.delete(2), source.add(2)
    asked = {"since": position["thoiDiem"]} if changes == "time" else {"afterSeq": position["thuTu"]}
    for record in reader.read("/changes", **asked):
        snapshot[record["maSo"]] = record
    living = {key: record for key, record in snapshot.items() if record["trangThai"] == "HL"}
    assert by_key(living.values()) == truth(source)
    assert set(changed) - set(deleted) | set(added) <= living.keys()
    assert reader.get("/holders", **asked).status_code == 400


DELETES = [
    ("flag", lambda record: record["trangThai"] == "HUY" and "hoTen" in record),
    ("tombstone", lambda record: set(record) == {"maSo", "daXoa", "capNhat", "thuTu"} and record["daXoa"]),
]


@pytest.mark.parametrize(("deletes", "is_deleted"), DELETES)
def test_deleted_records_are_listed_among_the_changes(start, deletes, is_deleted):
    source, reader = start(auth="none", deletes=deletes)
    since = source.now
    deleted = source.delete(3)
    changes = reader.read(since=since.isoformat())
    assert sorted(record["maSo"] for record in changes if is_deleted(record)) == sorted(deleted)
    assert by_key(reader.read()) == truth(source)


def test_deleted_records_are_listed_in_a_listing_of_their_own(start):
    source, reader = start(auth="none", deletes="separate")
    first = source.delete(2)
    since = source.now + timedelta(seconds=1)
    second = source.delete(2)
    assert [record["maSo"] for record in reader.read("/deleted", limit=1)] == [*first, *second]
    assert [record["maSo"] for record in reader.read("/deleted", since=since.isoformat())] == second
    assert not set(first) & {record["maSo"] for record in reader.read(since="2000-01-01T00:00:00Z")}


def test_deleted_records_may_only_be_absent(start):
    source, reader = start(auth="none", deletes="absence", changes="none")
    deleted = source.delete(3)
    assert by_key(reader.read()) == truth(source)
    assert not set(deleted) & {record["maSo"] for record in reader.read()}


@pytest.mark.parametrize("form", [{}, {"format": "xml"}], ids=str)
def test_each_holder_has_documents(start, form):
    source, reader = start(auth="none", **form)
    source.add_document("SDC0000007")
    for record in source.records():
        expected = [as_sent(document, source.variant) for document in source.documents(record["maSo"])]
        assert reader.read(f"/holders/{record['maSo']}/documents", limit=1) == expected
    assert sum(len(source.documents(record["maSo"])) for record in source.records()) > PEOPLE
    assert reader.get("/holders/SDC9999999/documents").status_code == 404


def test_a_new_document_states_its_holder_anew(start):
    source, reader = start(auth="none")
    since = source.now + timedelta(seconds=1)
    source.add_document("SDC0000007")
    assert [record["maSo"] for record in reader.read(since=since.isoformat())] == ["SDC0000007"]
    documents = reader.read("/holders/SDC0000007/documents", since=since.isoformat())
    assert documents == source.documents("SDC0000007")[-1:]
