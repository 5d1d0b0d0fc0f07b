from pathlib import Path

import pytest

from oncehub.config.agreements import Agreement
from oncehub.config.connector import Connector
from oncehub.config.mapping import StreamMapping
from oncehub.errors import ConfigError

CONNECTOR = """\
source: tax
title: Taxpayer register
schedule: "15 1 * * *"
auth: {kind: none}
streams:
  registrations:
    read: {format: json, path: /v2/taxpayers, records: data.items}
    pages: {kind: number, parameter: trang, size: {parameter: soDong, value: 1000}}
    key: [mst]
    updated: {field: ngayCapNhat}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "connector.yaml"
    path.write_text(text, "utf-8")
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Connector.load(path)
    return str(caught.value).splitlines()


def test_a_right_connector_loads_and_knows_where_its_keys_stand(tmp_path: Path) -> None:
    path = written(tmp_path, CONNECTOR)
    connector = Connector.load(path)
    assert connector.streams["registrations"].key == ("mst",)
    assert connector.where("streams", "registrations", "key") == f"{path}:9:5"
    assert connector.where("streams", "registrations", "key", 7) == f"{path}:9:5"


@pytest.mark.parametrize(
    ("wrong", "right", "place", "advice"),
    [
        ("kind: none}\nstreams", "kind: hmacc}\nstreams", "4:1: auth:", "'hmacc' is not one of 'none'"),
        (
            "parameter: trang",
            "parametr: trang",
            "8:27: streams.registrations.pages.parametr:",
            "did you mean 'parameter'?",
        ),
        ("    key: [mst]\n", "", "6:3: streams.registrations.key:", "is missing; add it"),
        ("value: 1000", "value: many", "8:71: streams.registrations.pages.size.value:", "'many'"),
        ("path: /v2", "path: v2", "7:26: streams.registrations.read.path:", "a path that begins with /"),
        ('"15 1 * * *"', "nightly", "3:1: schedule:", "the five fields of cron"),
        ("key: [mst]", "key: mst", "9:5: streams.registrations.key:", "write a list"),
        ("key: [mst]", "key: [1]", "9:11: streams.registrations.key.0:", "in quotes"),
        (
            "{parameter: soDong, value: 1000}",
            "1000",
            "8:45: streams.registrations.pages.size:",
            "{key: value}",
        ),
        ("streams:", "stream:", "5:1: stream:", "did you mean 'streams'?"),
        ("kind: none}\nstreams", "kind: api_key}\nstreams", "4:1: auth:", "exactly one of header"),
    ],
)
def test_a_wrong_key_is_reported_with_line_column_and_a_way_out(
    tmp_path: Path, wrong: str, right: str, place: str, advice: str
) -> None:
    path = written(tmp_path, CONNECTOR.replace(wrong, right))
    assert any(line.startswith(f"{path}:{place}") and advice in line for line in faults(path)), faults(path)


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, CONNECTOR.replace("title:", "titel:").replace("kind: number", "kind: nummer"))
    assert len(faults(path)) == 3


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("source: [tax\n", ".yaml:2:1: is not valid YAML"),
        (
            "auth:\n\tkind: none\n",
            ".yaml:2:1: is not valid YAML: found character that cannot start any token; it",
        ),
        ("", ":1:1: is empty"),
        ("source: tax\nsource: bank\n", ":2:1: key 'source' is repeated; keep one"),
        ("- 1\n", "this value"),
        ("source: {a: 1, a: 2}\n", ":1:16: key 'a' is repeated"),
    ],
)
def test_what_is_no_document_is_reported_too(tmp_path: Path, text: str, reported: str) -> None:
    assert any(reported in line for line in faults(written(tmp_path, text)))


def test_an_absent_file_and_a_wrong_encoding_are_clear(tmp_path: Path) -> None:
    assert "cannot be read" in faults(tmp_path / "absent.yaml")[0]
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"title: \xe9\xe8\n")
    assert "save it as UTF-8" in faults(path)[0]


def test_a_file_stream_cannot_have_pages_nor_an_absence_stream_changes(tmp_path: Path) -> None:
    text = CONNECTOR + "    deletes: {kind: absence}\n    changes: {since: tuNgay}\n"
    assert "needs a full snapshot" in faults(written(tmp_path, text))[0]


FILES = "{format: json, folder: {files: '*.json'}}"
LISTED = "{format: jsonl, path: '/f/{name}', listing: {path: /f, files: files}}"
TABLE = "{format: sql, table: a.b}"
INCLUDE = "include: {home: {among: included, by: {id: home.id}}}"


@pytest.mark.parametrize(
    ("read", "pages", "advice"),
    [
        (FILES, "{kind: none, total: total}", "pages.total: files and tables declare nothing"),
        (LISTED, "{kind: none, count: n}", "name the rows of each file in listing.rows"),
        (TABLE, "{kind: none, more: more}", "pages.more: files and tables declare nothing"),
        (
            FILES,
            "{kind: none, size: {parameter: n, value: 9}}",
            "pages.size: files are read whole; remove it",
        ),
        (TABLE, "{kind: none, size: {parameter: n, value: 9}}", "write pages.size.value alone"),
        (TABLE, "{kind: none, size: {value: 9}}", None),
        (f"{FILES[:-1]}, {INCLUDE}}}", "{kind: none}", "include joins what a page lists, not what a file"),
        (f"{{format: json, path: /a, compression: zip, {INCLUDE}}}", "{kind: none}", "include joins"),
        (f"{{format: json, path: /a, {INCLUDE}}}", "{kind: none, total: total}", None),
    ],
)
def test_what_files_and_tables_would_not_heed_is_refused(
    tmp_path: Path, read: str, pages: str, advice: str | None
) -> None:
    text = CONNECTOR.replace("{format: json, path: /v2/taxpayers, records: data.items}", read)
    text = text.replace("{kind: number, parameter: trang, size: {parameter: soDong, value: 1000}}", pages)
    path = written(tmp_path, text)
    if advice is None:
        assert Connector.load(path).streams
    else:
        assert any(advice in line for line in faults(path)), faults(path)


def test_an_entity_mapping_keeps_attributes_beside_its_reserved_keys(tmp_path: Path) -> None:
    path = tmp_path / "declarants.yaml"
    path.write_text(
        'person:\n  when: {field: LOAI, equals: "1"}\n  full_name: {from: TEN, via: [nfc]}\n', "utf-8"
    )
    person = StreamMapping.load(path).entities["person"]
    assert list(person.attributes) == ["full_name"]
    assert person.when is not None
    assert person.when.field == "LOAI"


def test_a_field_has_exactly_one_origin(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("person:\n  full_name: {from: a, value: b}\n", "utf-8")
    with pytest.raises(
        ConfigError, match=r"m.yaml:2:3: person.full_name: .*exactly one of from, join and value"
    ):
        StreamMapping.load(path)


def test_an_agreement_cannot_end_before_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nagency: {id: G01, name: Cổng}\npurpose: dpv:RequestedServiceProvision\n"
        "legal_basis: {text: Luật, from: 2026-01-01}\nattributes: [person.full_name]\n"
        "search_by: [person.personal_id]\nlimits: {per_second: 1, per_day: 1}\n"
        "valid: {from: 2026-02-01, until: 2026-01-01}\n",
        "utf-8",
    )
    with pytest.raises(ConfigError, match=r"a.yaml:8:1: valid: .*until lies before from"):
        Agreement.load(path)
