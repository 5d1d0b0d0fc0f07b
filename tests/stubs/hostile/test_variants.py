"""The hostile source on its best behaviour: a plain reader gets the whole truth of every variant."""

import gzip
import hashlib
from datetime import timedelta, timezone
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import pytest
from pydantic import ValidationError

from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant

from ..hostile_reading import by_key, parsed, truth

PEOPLE = 100
VIETNAM = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    "auth",
    [
        "none",
        "api_key_header",
        "api_key_query",
        "api_key_cookie",
        "basic",
        "bearer",
        "oauth2_basic",
        "oauth2_post",
        "oauth2_jwt",
        "hmac",
        "signature_ed25519",
        "signature_hmac",
        "mutual_tls",
    ],
)
@pytest.mark.parametrize("pages", ["cursor", "next_url"])
def test_an_authenticated_reader_reads_everything(start, auth, pages):
    source, reader = start(auth=auth, pages=pages)
    assert by_key(reader.read()) == truth(source)
    assert all(asked.status == 200 for asked in source.requests())


FORMATS = [
    {},
    {"body_is_list": True},
    {"format": "jsonl"},
    {"format": "csv"},
    {"format": "csv", "delimiter": ";", "quoting": "all"},
    {"format": "csv", "delimiter": "\t", "encoding": "cp1258"},
    {"format": "csv", "encoding": "utf-16"},
    {"format": "csv", "bom": True},
    {"format": "xml"},
    {"format": "xml", "encoding": "cp1258"},
    {"format": "xml", "encoding": "utf-16"},
]


def shown(form):
    return " ".join(map(str, form.values())) or "json"


@pytest.mark.parametrize("compression", ["none", "file", "transfer"])
@pytest.mark.parametrize("form", FORMATS, ids=shown)
def test_records_come_whole_in_every_format(start, form, compression):
    envelope = not (form.get("body_is_list") or form.get("format") in ("csv", "jsonl"))
    source, reader = start(
        auth="none", pages="link", total="body" if envelope else "header", compression=compression, **form
    )
    assert by_key(reader.read()) == truth(source)
    assert [reader.total(page) for page in reader.pages(limit=60)] == [PEOPLE, PEOPLE]


def test_vietnamese_letters_come_in_the_code_page_that_is_declared(start):
    source, reader = start(auth="none", format="csv", encoding="cp1258", pages="none", total="none")
    body = reader.get("/holders").content
    with pytest.raises(UnicodeDecodeError):
        body.decode()
    assert any(not record["hoTen"].isascii() for record in source.records())


def test_an_empty_csv_listing_still_has_its_header(start):
    source, reader = start(auth="none", format="csv", pages="none", total="none")
    source.delete(PEOPLE)
    lines = reader.get("/holders").text.splitlines()
    assert lines == ["maSo,hoTen,soDinhDanh,ngaySinh,gioiTinh,dienThoai,maXa,thuaDat,trangThai,capNhat,thuTu"]


PAGES = [
    {"pages": "none"},
    {"pages": "none", "total": "none"},
    {"pages": "number"},
    {"pages": "number", "first_page": 0, "total": "none"},
    {"pages": "offset", "total": "header", "count": True},
    {"pages": "offset", "more": True},
    {"pages": "cursor", "total": "none", "more": True},
    {"pages": "cursor", "count": True, "total": "header"},
    {"pages": "next_url"},
    {"pages": "next_url", "relative_next": True},
    {"pages": "link"},
    {"pages": "link", "relative_next": True},
    {"pages": "cursor", "body_is_list": True, "total": "header"},
]


@pytest.mark.parametrize("pages", PAGES, ids=shown)
def test_a_listing_is_read_through_every_kind_of_pages(start, pages):
    source, reader = start(auth="none", **pages)
    answers = list(reader.pages(limit=30))
    assert by_key([record for answer in answers for record in reader.records(answer)]) == truth(source)
    for answer in answers if source.variant.total != "none" else ():
        assert reader.total(answer) == PEOPLE
    for answer in answers if source.variant.count else ():
        assert reader.fact(answer, "count") == len(reader.records(answer))
    if source.variant.more:
        facts = [reader.fact(answer, "more") for answer in answers if reader.records(answer)]
        assert facts == [True, True, True, False]


@pytest.mark.parametrize("pages", ["number", "offset", "cursor", "link"])
def test_a_page_is_never_longer_than_the_source_allows(start, pages):
    source, reader = start(auth="none", pages=pages, page_cap=20)
    answers = list(reader.pages(limit=1000))
    assert max(len(reader.records(answer)) for answer in answers) == 20
    assert by_key([record for answer in answers for record in reader.records(answer)]) == truth(source)


def test_a_relative_next_url_is_a_path(start):
    _, reader = start(auth="none", pages="next_url", relative_next=True)
    assert reader.fact(next(reader.pages()), "next").startswith("/holders?")


def test_the_next_url_does_not_repeat_a_key_that_came_in_the_query(start):
    _, reader = start(auth="api_key_query", pages="next_url")
    assert "api_key" not in reader.fact(next(reader.pages()), "next")


@pytest.mark.parametrize("compression", ["none", "file", "transfer"])
@pytest.mark.parametrize("form", FORMATS, ids=shown)
def test_files_are_listed_with_their_sums_and_rows(start, form, compression):
    source, reader = start(
        auth="basic", transport="files", compression=compression, deletes="absence", **form
    )
    source.delete(1)
    manifest = reader.get("/files/manifest").json()["files"]
    answers = [reader.get(f"/files/{entry['name']}") for entry in manifest]
    for entry, answer in zip(manifest, answers, strict=True):
        assert hashlib.sha256(answer.content).hexdigest() == entry["sha256"]
        assert len(reader.records(answer)) == entry["rows"]
    assert len(manifest) == 3
    assert by_key([record for answer in answers for record in reader.records(answer)]) == truth(source)


@pytest.mark.parametrize("form", [{"format": "csv"}, {"format": "jsonl", "compression": "file"}], ids=shown)
def test_files_are_dropped_with_their_sums_beside_them(start, form):
    source, _ = start(auth="none", transport="drop", deletes="absence", **form)
    source.change(5)
    source.write_drop()
    folder = dropped_into(source)
    files = sorted(file for file in folder.iterdir() if file.suffix != ".sha256")
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert Path(f"{file}.sha256").read_text() == f"{digest}  {file.name}\n"
    bodies = [
        gzip.decompress(each.read_bytes()) if each.suffix == ".gz" else each.read_bytes() for each in files
    ]
    records = [record for body in bodies for record in parsed(body, source.variant)]
    assert by_key(records) == truth(source)


def dropped_into(source):
    return Path(url2pathname(unquote(urlsplit(source.connection["host"]).path)))


def test_a_seed_gives_one_register(tmp_path):
    same = []
    for seed in (1, 1, 2):
        with HostileSource.start(tmp_path, people=30, seed=seed) as source:
            source.change(2)
            same.append(source.records())
    assert same[0] == same[1] != same[2]


def test_numbers_and_communes_are_of_the_right_form_and_never_repeat(start):
    source, _ = start()
    numbers = [record["soDinhDanh"] for record in source.records()]
    assert len(set(numbers)) == PEOPLE
    for record in source.records():
        birth, number = record["ngaySinh"], record["soDinhDanh"]
        century_and_sex = str((int(birth[6:8]) - 19) * 2 + (record["gioiTinh"] == "0"))
        assert number[3:6] == century_and_sex + birth[8:]
        assert len(record["maXa"]) == 5


def test_some_records_share_their_instant(start):
    source, _ = start()
    assert len({record["capNhat"] for record in source.records()}) < PEOPLE


@pytest.mark.parametrize(
    "variant",
    [
        {"format": "csv", "total": "body", "pages": "link"},
        {"format": "jsonl", "pages": "next_url", "total": "none"},
        {"body_is_list": True},
        {"format": "csv", "body_is_list": True, "pages": "link", "total": "none"},
        {"format": "json", "encoding": "cp1258"},
        {"format": "xml", "bom": True},
        {"changes": "none", "deletes": "separate"},
        {"changes": "none", "separate_changes": True},
    ],
    ids=shown,
)
def test_a_variant_that_cannot_be_is_refused(variant):
    with pytest.raises(ValidationError):
        Variant(**variant)
