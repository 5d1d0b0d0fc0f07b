"""The customs' nightly files: manifest, checksums, Windows-1258, several files."""

import csv
import io
import unicodedata

import polars as pl
import requests

STREAM = "customs", "declarants"


def rows_of(content):
    text = unicodedata.normalize("NFC", content.decode("cp1258"))
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";", quotechar='"'))


def stated(frame):
    """The rows as text, null as the empty string; a CSV file knows nothing else."""
    wire = frame.drop([column for column in frame.columns if column.startswith("_")])
    return wire.select(pl.all().cast(pl.String).fill_null("")).to_dicts()


def test_the_files_together_are_exactly_the_live_records_in_order(reader, expected):
    _, files = reader.customs()
    live = expected.frame(*STREAM).filter(~pl.col("_deleted"))
    assert [row for content in files for row in rows_of(content)] == stated(live)


def test_the_manifest_counts_what_each_file_holds(reader, world):
    manifest, files = reader.customs()
    assert manifest["ngay"] == "2026-07-06"
    assert [entry["rows"] for entry in manifest["files"]] == [len(rows_of(content)) for content in files]
    names = [entry["name"] for entry in manifest["files"]]
    assert names == [f"declarants-20260706-{number:02d}.csv.gz" for number in range(1, len(names) + 1)]


def test_even_a_small_world_has_no_file_larger_than_its_share(reader, expected):
    manifest, _ = reader.customs()
    live = expected.frame(*STREAM).filter(~pl.col("_deleted")).height
    assert max(entry["rows"] for entry in manifest["files"]) <= max(200, min(5000, live // 3))


def test_lines_end_with_crlf_and_tones_are_combining(reader):
    _, files = reader.customs()
    for content in files:
        assert content.endswith(b"\r\n")
        assert content.count(b"\n") == content.count(b"\r\n")
    assert b"\xec" in files[0]  # U+0301, which Vietnamese names cannot do without


def test_the_same_night_gives_the_same_bytes(reader):
    assert reader.customs() == reader.customs()


def test_without_the_key_nothing_is_said(reader):
    host = reader.connections["customs"]["host"]
    for headers in ({}, {"X-API-Key": "wrong"}):
        for name in ("manifest.json", "declarants-20260706-01.csv.gz"):
            answer = requests.get(f"{host}/exports/{name}", headers=headers, timeout=30)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_key")


def test_a_file_that_is_not_there_is_404(reader):
    assert reader.customs_get("declarants-20260705-01.csv.gz").status_code == 404
    assert reader.customs_get("..%2fmanifest.json").status_code == 404
