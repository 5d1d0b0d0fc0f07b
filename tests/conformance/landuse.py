"""The hostile register as an engineer would describe it: connector, contract and mapping of every variant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import yaml

from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant

SOURCE, STREAM, CHILDREN = "landuse", "holders", "documents"
NAMESPACE = "urn:vn:dat-dai:so-dia-chinh:1"
HOME = "Asia/Ho_Chi_Minh"

_AUTH = {
    "none": {"kind": "none"},
    "api_key_header": {"kind": "api_key", "header": "X-API-Key"},
    "api_key_query": {"kind": "api_key", "query": "api_key"},
    "api_key_cookie": {"kind": "api_key", "cookie": "api_key"},
    "basic": {"kind": "basic"},
    "bearer": {"kind": "bearer"},
    "oauth2_basic": {"kind": "oauth2", "token_path": "/oauth2/token", "scope": "sodiachinh.read"},
    "hmac": {
        "kind": "hmac",
        "key_id_header": "X-Key-Id",
        "timestamp_header": "X-Timestamp",
        "signature_header": "X-Signature",
    },
    "mutual_tls": {"kind": "mutual_tls"},
}

_TIMES = {
    "iso8601": {"format": "iso8601"},
    "vietnam": {"format": "%d/%m/%Y %H:%M:%S", "zone": HOME},
    "unix": {"format": "unix"},
    "unix_ms": {"format": "unix_ms"},
}

_PROPERTIES: dict[str, Any] = {
    "maSo": {"type": "string", "pattern": "^SDC[0-9]{7}$"},
    "hoTen": {"type": "string", "minLength": 1},
    "soDinhDanh": {"type": "string", "pattern": "^[0-9]{12}$"},
    "ngaySinh": {"type": "string"},
    "gioiTinh": {"type": "string"},
    "dienThoai": {"type": ["string", "null"]},
    "maXa": {"type": "string"},
    "thuaDat": {"type": "array", "items": {"type": "string"}},
    "trangThai": {"type": "string"},
    "capNhat": {"type": "string"},
    "thuTu": {"type": "integer"},
    "daXoa": {"type": ["boolean", "string", "null"]},
}
_REQUIRED = ["maSo", "hoTen", "soDinhDanh", "ngaySinh", "capNhat", "thuTu"]

_MAPPING = """
person:
  personal_id: {from: soDinhDanh, via: [personal_id]}
  full_name: {from: hoTen, via: [nfc, squeeze]}
  birth_date: {from: ngaySinh, via: [{partial_date: [dd/MM/yyyy]}]}
  sex: {from: gioiTinh, codes: sex_1_0}
  phone: {from: dienThoai, via: [phone_vn]}
  permanent_address.unit: {from: maXa}
"""

_DOCUMENTS = {
    "soPhatHanh": {"type": "string"},
    "maSo": {"type": "string"},
    "loai": {"type": "string"},
    "ngayCap": {"type": "string"},
    "dienTich": {"type": "number"},
    "capNhat": {"type": "string"},
    "thuTu": {"type": "integer"},
    "parent": {"type": "object", "properties": {"holder": {"type": "string"}}},
}
_DOCUMENTS_MAPPING = """
document:
  file_id: {from: soPhatHanh}
  name: {from: loai}
"""


LIMITS = {"requests": "1000/s", "burst": 100, "timeout": "5s", "page_bytes": 4 * 1024 * 1024}


def write_root(
    root: Path, origin: Path, source: HostileSource, stream: dict[str, Any], limits: dict[str, Any]
) -> None:
    """Write a project root with this one source; `stream` changes parts of that of holders."""
    for folder in ("schemas/canonical", "mappings/codes", "mappings/rules"):
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        if not (root / folder).exists():
            (root / folder).symlink_to(origin / folder)
    variant = source.variant
    streams = {STREAM: holders(variant) | stream}
    if variant == Variant():
        streams[CHILDREN] = documents(variant)
        _write(root / f"schemas/sources/{SOURCE}/{CHILDREN}.json", _schema(_DOCUMENTS, ["soPhatHanh"]))
        _write(root / f"mappings/sources/{SOURCE}/{CHILDREN}.yaml", _DOCUMENTS_MAPPING)
    document = {
        "source": SOURCE,
        "title": "Sổ địa chính",
        "schedule": "0 3 * * *",
        "auth": _AUTH[variant.auth],
        "limits": LIMITS | limits,
        "streams": streams,
    }
    _write(
        root / "connectors" / SOURCE / "connector.yaml",
        yaml.safe_dump(orjson.loads(orjson.dumps(document)), allow_unicode=True),
    )
    _write(root / f"schemas/sources/{SOURCE}/{STREAM}.json", contract(variant))
    _write(root / f"mappings/sources/{SOURCE}/{STREAM}.yaml", mapping(variant))


def holders(variant: Variant) -> dict[str, Any]:
    """The stream of holders."""
    by_time = {"since": "since", "until": "until"}
    by_sequence = {"kind": "sequence", "field": field(variant, "thuTu"), "since": "afterSeq", "overlap": 5}
    changes = {"time": by_time, "sequence": by_sequence}.get(variant.changes)
    stream: dict[str, Any] = {
        "read": read(variant, "/holders", "chuSuDung"),
        "pages": pages(variant),
        "key": [field(variant, "maSo")],
        "updated": {"field": field(variant, "capNhat"), **_TIMES[variant.time]},
        "deletes": deletes(variant),
    }
    if variant.transport != "pages":
        return stream
    if variant.separate_changes:
        stream["snapshot"] = {"read": stream["read"], "pages": stream["pages"]}
        stream["read"] = read(variant, "/changes", "chuSuDung")
        if variant.changes == "sequence":
            stream["snapshot"]["watermark"] = {"path": "/position", "value": "thuTu"}
    return stream | ({"changes": changes} if changes else {})


def documents(variant: Variant) -> dict[str, Any]:
    """The stream of their documents."""
    return {
        "read": read(variant, "/holders/{holder}/documents", "giayTo"),
        "pages": pages(variant),
        "key": ["soPhatHanh"],
        "updated": {"field": "capNhat", **_TIMES[variant.time]},
        "parent": {"stream": STREAM, "take": {"holder": "maSo"}, "of": "changed"},
    }


def read(variant: Variant, path: str, element: str) -> dict[str, Any]:
    """Where records lie, and in what form."""
    form: dict[str, Any] = {"format": variant.format}
    match variant.format:
        case "json" if not variant.body_is_list:
            form["records"] = "data.items"
        case "csv":
            form |= {"encoding": variant.encoding, "delimiter": variant.delimiter}
        case "xml":
            form |= {"records": f"danhSach/{element}", "lists": ["thuaDat"]}
    if variant.compression == "file":
        form["compression"] = "gzip"
    match variant.transport:
        case "files":
            return form | {"path": "/files/{name}", "listing": {"path": "/files/manifest", "files": "files"}}
        case "drop":
            pattern = f"*.{variant.format}" + (".gz" if variant.compression == "file" else "")
            return form | {"folder": {"files": pattern}}
        case _:
            return form | {"path": path}


def pages(variant: Variant) -> dict[str, Any]:
    """How a listing is cut."""
    if variant.transport != "pages":
        return {"kind": "none"}
    place = "thongTin." if variant.format == "xml" else "data."
    header = {"header": "X-Next-Cursor"}
    following: Any = f"{place}next" if variant.has_envelope else header
    kinds: dict[str, dict[str, Any]] = {
        "none": {},
        "number": {"parameter": "page", "first": variant.first_page},
        "offset": {"parameter": "offset"},
        "cursor": {"parameter": "cursor", "next": following},
        "next_url": {"next": f"{place}next"},
        "link": {},
    }
    stated = {"kind": variant.pages, **kinds[variant.pages]}
    if variant.pages != "none":
        stated["size"] = {"parameter": "limit", "value": 200}
    if variant.total != "none":
        stated["total"] = f"{place}total" if variant.total == "body" else {"header": "X-Total-Count"}
    stated |= {"count": f"{place}count"} if variant.count else {}
    return stated | ({"more": f"{place}more"} if variant.more else {})


def deletes(variant: Variant) -> dict[str, Any]:
    """How deletions are told."""
    true: Any = True if variant.format in ("json", "jsonl") else "true"
    match variant.deletes:
        case "flag" if variant.transport == "pages":
            return {"kind": "flag", "field": "trangThai", "equals": "HUY"}
        case "tombstone" if variant.transport == "pages":
            return {"kind": "tombstone", "field": "daXoa", "equals": true}
        case "separate" if variant.transport == "pages":
            listing = {"read": read(variant, "/deleted", "chuSuDung"), "pages": pages(variant)}
            return {"kind": "stream", **listing}
        case _:
            return {"kind": "absence", "at_most": 0.5}


def contract(variant: Variant) -> str:
    """What a holder looks like in the variant's form."""
    properties = {field(variant, name): _in_form(variant, name, part) for name, part in _PROPERTIES.items()}
    return _schema(properties, [field(variant, name) for name in _REQUIRED])


def mapping(variant: Variant) -> str:
    """Which field goes where."""
    return _MAPPING.replace("from: maSo", f'from: "{field(variant, "maSo")}"')


def field(variant: Variant, name: str) -> str:
    """What a field is called: keys and numbers are attributes in XML."""
    return f"@{name}" if variant.format == "xml" and name in ("maSo", "thuTu") else name


def _in_form(variant: Variant, name: str, part: dict[str, Any]) -> dict[str, Any]:
    if name == "capNhat" and variant.time in ("unix", "unix_ms"):
        part = {"type": "integer"}
    if variant.format in ("json", "jsonl"):
        return part
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    if variant.format == "xml" and kinds == ["array"]:
        return part
    return {"type": ["string", "null"] if "null" in kinds else "string"}


def _schema(properties: dict[str, Any], required: list[str]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": required,
        "properties": properties,
    }
    return orjson.dumps(schema).decode()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
