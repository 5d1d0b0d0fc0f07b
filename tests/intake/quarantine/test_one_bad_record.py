"""One record that cannot land is rejected alone, in every form, and those around it land."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from oncehub.config.connection import connection_from_document
from oncehub.errors import SourceUnavailable
from oncehub.intake.quarantine.replay import ReplayReport, replay, show_rejected
from oncehub.intake.sync import sync
from oncehub.store.connection import connect
from tests.connect.serving import Reply, Served

from ..conftest import Land
from ..register import SOURCE, STREAM

AT = b"2026-01-01T00:00:00+07:00"
UNREADABLE = "holds bytes or an escape that is no Unicode text"
BEYOND = "is a number beyond the range of numbers"

JSON_FAULTS: dict[str, tuple[bytes, str | None, str, str]] = {
    "lone surrogate": (b'{"id":"b","at":"%s","name":"\\ud800"}' % AT, "b", UNREADABLE, "name"),
    "lone surrogate in a field nobody reads": (
        b'{"id":"b","at":"%s","name":"B","more":{"x":["\\udfff"]}}' % AT,
        *("b", UNREADABLE, "more.x[]"),
    ),
    "lone surrogate in a name": (b'{"id":"b","at":"%s","\\ud800":1}' % AT, "b", "has a name that is no", ""),
    "lone surrogate in the key": (b'{"id":"\\ud800","at":"%s"}' % AT, None, UNREADABLE, "id"),
    "bytes that are no UTF-8": (b'{"id":"b","at":"%s","name":"\xff\xfe"}' % AT, "b", UNREADABLE, "name"),
    "U+0000": (b'{"id":"b","at":"%s","name":"\\u0000"}' % AT, "b", "holds U+0000", "person.full_name"),
    "number beyond double": (b'{"id":"b","at":"%s","no":1e400}' % AT, "b", BEYOND, "no"),
    "huge integer": (b'{"id":"b","at":"%s","no":%s}' % (AT, b"9" * 5000), "b", BEYOND, "no"),
    "integer beyond 64 bits": (b'{"id":"b","at":"%s","no":%s}' % (AT, b"9" * 30), "b", "breaks 'type'", "no"),
    "not a number": (b'{"id":"b","at":"%s","name":NaN}' % AT, "b", "is not a number", "name"),
    "a name twice": (b'{"id":"b","at":"%s","name":"B","name":"C"}' % AT, None, "gives a name twice", ""),
    "nesting without end": (
        b'{"id":"b","at":"%s","more":%s%s}' % (AT, b"[" * 20_000, b"]" * 20_000),
        *("b", "nests deeper than 253 levels", "more"),
    ),
    "no object": (b'"b"', None, "breaks 'type' of the contract", ""),
    "no object at all": (b"null", None, "breaks 'type' of the contract", ""),
    "no key": (b'{"at":"%s"}' % AT, None, "breaks 'required' of the contract", "id"),
    "key too long": (b'{"id":"%s","at":"%s"}' % (b"b" * 3000, AT), None, "the key is too long", "id"),
    "time out of range": (
        b'{"id":"b","at":"9999-12-31T23:59:59Z"}',
        *("b", "the time of statement cannot be read", "at"),
    ),
    "text too long": (
        b'{"id":"b","at":"%s","name":"%s"}' % (AT, b"x" * 20_000),
        *("b", "is longer than 10000 bytes", "person.full_name"),
    ),
}


@pytest.fixture
def served() -> Iterator[Served]:
    running = Served(lambda _: Reply())
    yield running
    running.stop()


def record(key: str) -> bytes:
    return b'{"id":"%s","at":"%s","name":"%s"}' % (key.encode(), AT, key.upper().encode())


def body_of(form: str, records: list[bytes]) -> bytes:
    match form:
        case "json":
            return b"[" + b",".join(records) + b"]"
        case "envelope":
            return b'{"data":{"total":%d,"ds":[%s]}}' % (len(records), b", ".join(records))
        case "jsonl":
            return b"".join(each + b"\n" for each in records)
        case "csv":
            return b"id,at,name\n" + b"".join(each + b"\n" for each in records)
    return b"<kq><ds>" + b"".join(b"<r>%s</r>" % each for each in records) + b"</ds></kq>"


READS: dict[str, dict[str, Any]] = {
    "json": {"format": "json"},
    "envelope": {"format": "json", "records": "data.ds"},
    "jsonl": {"format": "jsonl"},
    "csv": {"format": "csv"},
    "xml": {"format": "xml", "records": "ds/r"},
}


def take(land: Land, served: Served, form: str, records: list[bytes]) -> Any:
    land.configure(
        read={"path": "/holders", **READS[form]}, pages={"kind": "none"}, quarantine={"at_most": 1}
    )
    land.agree(name={"type": "string"})
    body = body_of(form, records)
    served.answering = lambda _: Reply(body=body)
    connection = connection_from_document({"host": served.host}, SOURCE)
    [report] = sync(land.settings, land.land, connection, full=True)
    return report


def rejected(land: Land) -> list[tuple[Any, ...]]:
    return land.query("select source_key, reason, path, rejected_id from intake.rejected order by 4")


@pytest.mark.parametrize("form", ["json", "envelope", "jsonl"])
def test_json_and_json_lines(form: str, new_land: Any, served: Served) -> None:
    land = new_land()
    bad = [fault[0] for fault in JSON_FAULTS.values()]
    report = take(land, served, form, [record("a"), *bad, record("c")])
    assert (report.done, report.read, report.quarantined) == (True, len(JSON_FAULTS) + 2, len(JSON_FAULTS))
    assert land.living() == {"a": "A", "c": "C"}
    found = rejected(land)
    for (name, (_, *expected)), (key, reason, path, _) in zip(JSON_FAULTS.items(), found, strict=True):
        assert [key, path] == [expected[0], expected[2]], name
        assert reason.startswith(expected[1]), name
    # Each can be shown, and is rejected once more when it is replayed.
    with closing(connect(str(land.settings.database_url))) as store:
        for *_, number in found:
            assert show_rejected(land.settings, store, number).rejected_id == number
    assert replay(land.settings, land.land, STREAM) == ReplayReport(len(found), 0, 0, len(found))
    assert [row[:3] for row in rejected(land)] == [row[:3] for row in found]
    assert land.living() == {"a": "A", "c": "C"}


def test_csv(new_land: Any, served: Served) -> None:
    land = new_land()
    faults = [b"b,%s,\xff" % AT, b"b", b"b,%s,\x00" % AT, b"b,%s,%s" % (AT, b"x" * 200_000), b",%s,B" % AT]
    take(land, served, "csv", [b"a,%s,A" % AT, *faults, b"c,%s,C" % AT])
    assert land.living() == {"a": "A", "c": "C"}
    assert [row[:3] for row in rejected(land)] == [
        ("b", UNREADABLE, "name"),
        (None, "breaks 'type' of the contract", ""),
        ("b", "holds U+0000", "person.full_name"),
        ("b", "is longer than 10000 bytes", "person.full_name"),
        (None, "breaks 'minLength' of the contract", "id"),
    ]


def test_xml(new_land: Any, served: Served) -> None:
    land = new_land()
    plain = b"<id>%s</id><at>%s</at><name>%s</name>"
    deep = b"<x>" * 5000 + b"</x>" * 5000
    faults = [b"\xff", b"\x01", b"&#xD800;", b"&#2;"]
    records = [plain % (b"a", AT, b"A"), *(plain % (b"b", AT, each) for each in faults)]
    take(land, served, "xml", [*records, b"<id>b</id>" + deep, b"no element", plain % (b"c", AT, b"C")])
    assert land.living() == {"a": "A", "c": "C"}
    assert [row[:3] for row in rejected(land)] == [
        *[("b", UNREADABLE, "name")] * 4,
        ("b", "nests deeper than 253 levels", "x"),
        (None, "breaks 'type' of the contract", ""),
    ]


def test_what_nobody_thought_of_but_the_database_refuses(new_land: Any, served: Served) -> None:
    land = new_land()
    with_a_limit = "alter table record.person add constraint odd check (full_name not like 'B%%')"
    land.query(with_a_limit)
    keys = [f"{letter}{number}" for letter in "abc" for number in range(20)]
    random.Random(7).shuffle(keys)
    report = take(land, served, "json", [record(key) for key in keys])
    assert (report.read, report.quarantined, report.done) == (60, 20, True)
    assert sorted(land.living()) == sorted(key for key in keys if key[0] != "b")
    assert {row[1:3] for row in rejected(land)} == {
        ("the database refuses it: CheckViolation", "person_land")
    }
    assert sorted(row[0] for row in rejected(land)) == sorted(key for key in keys if key[0] == "b")
    assert replay(land.settings, land.land, STREAM) == ReplayReport(20, 0, 0, 20)
    land.query("alter table record.person drop constraint odd")
    assert replay(land.settings, land.land, STREAM) == ReplayReport(20, 20, 0, 0)
    assert sorted(land.living()) == sorted(keys)


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("json", b'[{"id":"a"}'),
        ("json", b'[{"id":"\\ud800"},{"id":}]'),
        ("jsonl", b'{"id":"a"}\n{"id":'),
        ("csv", b"id,at,name\na,b"),
        ("xml", b"<kq><ds><r>\xff</r>"),
    ],
)
def test_a_page_that_is_cut_or_no_page_lands_nothing(
    form: str, body: bytes, new_land: Any, served: Served
) -> None:
    land = new_land()
    land.configure(read={"path": "/holders", **READS[form]}, pages={"kind": "none"})
    served.answering = lambda _: Reply(body=body)
    connector = land.land.model_copy(update={"limits": land.land.limits.model_copy(update={"attempts": 1})})
    with pytest.raises(SourceUnavailable):
        sync(land.settings, connector, connection_from_document({"host": served.host}, SOURCE), full=True)
    assert (land.living(), rejected(land)) == ({}, [])
