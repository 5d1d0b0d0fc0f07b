"""What is planted in records, bytes and files does what its description says."""

import gzip
import hashlib
import json
import re
import zlib
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from stubs.hostile.plants.content import BOMB_BYTES

from ..hostile_reading import with_plant

PEOPLE = 100


@pytest.fixture
def planted(hostile):
    """A source that asks for no credentials, with one plant, and its reader."""

    def starting(plant, **variant):
        form = variant.get("format", "json")
        rooms = {} if form in ("json", "xml") else {"total": "none", "pages": "link"}
        return with_plant(hostile(people=PEOPLE, **{"auth": "none", **rooms, **variant}), plant)

    return starting


def number(record):
    return int(record["maSo"][3:])


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_types_change_from_the_fiftieth_record_on(planted, form):
    source, reader = planted("changed_type", format=form)
    truth = {record["maSo"]: record for record in source.records()}
    for record in reader.read():
        changed = number(record) >= 50
        assert isinstance(record["maXa"], int) is isinstance(record["hoTen"], dict) is changed
        assert int(record["maXa"]) == int(truth[record["maSo"]]["maXa"])


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "xml"])
def test_an_unknown_field_comes_from_the_fiftieth_record_on(planted, form):
    _, reader = planted("unknown_field", format=form)
    for record in reader.read():
        assert bool(record.get("ghiChu")) is (number(record) >= 50)


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "xml"])
def test_a_field_is_missing_from_the_fiftieth_record_on(planted, form):
    _, reader = planted("missing_field", format=form)
    for record in reader.read():
        assert bool(record.get("soDinhDanh")) is (number(record) < 50)


def test_a_key_comes_twice_in_a_page_with_another_value(planted):
    _, reader = planted("duplicate_key")
    for page in reader.pages(limit=20):
        records = reader.records(page)
        first, last = records[0], records[-1]
        assert len(records) == 21
        assert {name for name in first if first[name] != last[name]} == {"dienThoai"}


@pytest.mark.parametrize("form", ["json", "csv", "xml"])
def test_a_tenth_of_the_times_cannot_be_read(planted, form):
    _, reader = planted("unreadable_time", format=form)
    for record in reader.read():
        assert (record["capNhat"] == "hôm qua") is (number(record) % 10 == 0)


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_a_tenth_of_the_names_holds_a_nul(planted, form):
    _, reader = planted("nul_characters", format=form)
    for record in reader.read():
        assert ("\0" in record["hoTen"]) is (number(record) % 10 == 0)


def lines_that_read(body):
    for line in body.splitlines():
        json.loads(line)


BROKEN = {
    "json": json.loads,
    "jsonl": lines_that_read,
    "xml": ET.fromstring,
    "csv": lambda body: body.count(b'"') % 2 == 0 or (_ for _ in ()).throw(ValueError("an open quote")),
}


@pytest.mark.parametrize("form", BROKEN)
def test_every_second_body_is_broken_in_its_own_syntax(planted, form):
    _, reader = planted("malformed", format=form)
    sound, broken = reader.get("/holders").content, reader.get("/holders").content
    BROKEN[form](sound)
    with pytest.raises((ValueError, ET.ParseError)):
        BROKEN[form](broken)
    assert broken.startswith(sound)


@pytest.mark.parametrize(
    "form",
    [
        {"format": "json"},
        {"format": "csv"},
        {"format": "xml"},
        {"format": "csv", "encoding": "cp1258"},
    ],
    ids=str,
)
def test_the_text_is_in_another_encoding_than_it_should(planted, form):
    _, reader = planted("wrong_encoding", **form)
    body = reader.get("/holders").content
    with pytest.raises(UnicodeDecodeError):
        body.decode(reader.variant.encoding)
    other = "cp1258" if reader.variant.encoding == "utf-8" else "utf-8"
    assert "Nguyễn" in normalised(body.decode(other))


def test_utf_8_for_utf_16_reads_as_nonsense(planted):
    _, reader = planted("wrong_encoding", format="csv", encoding="utf-16")
    body = reader.get("/holders").content
    assert body.startswith(b"maSo,")
    assert "maSo" not in body.decode("utf-16", errors="replace")


def normalised(text):
    return text.replace("ê\u0303", "ễ")


def test_an_entity_grows_to_a_billion_names(planted):
    _, reader = planted("entity_bomb", format="xml")
    text = reader.get("/holders").text
    growth = [len(re.findall("&n", line)) for line in re.findall(r"<!ENTITY n[1-9][^>]*>", text)]
    assert growth == [10] * 9
    assert text.count("&bay;") == 1
    with pytest.raises(ET.ParseError):
        ET.fromstring(reader.get("/holders").content)


def test_an_external_entity_is_on_another_host(planted):
    source, reader = planted("external_entity", format="xml")
    text = reader.get("/holders").text
    (target,) = re.findall(r'<!ENTITY bay SYSTEM "([^"]+)">', text)
    assert text.count("&bay;") == 1
    reader.session.get(target, timeout=30)
    assert [asked.path for asked in source.strayed()] == ["/entity"]


@pytest.mark.parametrize("compression", ["file", "transfer"])
def test_a_small_body_unpacks_to_half_a_gibibyte(planted, compression):
    source, reader = planted("gzip_bomb", compression=compression)
    with reader.session.get(f"{source.connection['host']}/holders", stream=True, timeout=30) as answer:
        body = answer.raw.read(decode_content=False)
    assert len(body) < BOMB_BYTES // 100
    assert unpacked_members(body) == (BOMB_BYTES, True)


def unpacked_members(body):
    """Bytes of spaces before the records, and whether the records are sound."""
    spaces = 0
    while True:
        member = zlib.decompressobj(wbits=31)
        part = member.decompress(body)
        if part.strip():
            return spaces, bool(json.loads(part)["data"]["items"])
        spaces += len(part)
        body = member.unused_data


def test_the_sum_of_the_last_file_is_not_its_own(planted):
    _, reader = planted("wrong_checksum", transport="files")
    assert matching_sums(reader) == [True, True, False]


def matching_sums(reader):
    return [
        hashlib.sha256(reader.get(f"/files/{entry['name']}").content).hexdigest() == entry["sha256"]
        for entry in reader.get("/files/manifest").json()["files"]
    ]


def test_the_manifest_counts_a_row_too_many(planted):
    _, reader = planted("wrong_row_count", transport="files", format="csv")
    surplus = [
        entry["rows"] - len(reader.records(reader.get(f"/files/{entry['name']}")))
        for entry in reader.get("/files/manifest").json()["files"]
    ]
    assert surplus == [0, 0, 1]


def test_a_wrong_sum_lies_beside_the_last_dropped_file(planted):
    source, _ = planted("wrong_checksum", transport="drop", format="csv")
    source.write_drop()
    files = dropped(source)
    matching = [
        Path(f"{file}.sha256").read_text().split()[0] == hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    ]
    assert matching == [True, True, False]


def test_the_last_dropped_file_is_half_written_until_it_is_whole(planted):
    source, _ = planted("half_written_file", transport="drop", format="jsonl", compression="file")
    source.write_drop()
    *_, last = dropped(source)
    assert not Path(f"{last}.sha256").exists()
    with pytest.raises(EOFError):
        gzip.decompress(last.read_bytes())
    source.clear()
    source.write_drop()
    assert Path(f"{last}.sha256").exists()
    assert gzip.decompress(last.read_bytes())


def dropped(source):
    folder = Path(urlsplit(source.connection["host"]).path)
    return sorted(file for file in folder.iterdir() if file.suffix != ".sha256")
