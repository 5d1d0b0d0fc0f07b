"""Records as bytes: JSON, JSON Lines, CSV and XML, in an encoding, gzipped or not."""

import csv
import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

import orjson

from stubs.hostile.variant import Variant
from stubs.hostile.wire import FIELDS, Record
from stubs.servers.protocol.windows1258 import encode_windows_1258

NAMESPACE = "urn:vn:dat-dai:so-dia-chinh:1"
XML_ENCODINGS = {"utf-8": "UTF-8", "cp1258": "windows-1258", "utf-16": "UTF-16"}
LIST_SEPARATOR = "|"
"""Between the values of a list in one CSV column."""

_ATTRIBUTES = ("maSo", "soPhatHanh", "thuTu")
_MEDIA_TYPES = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv"}

PageFacts = Mapping[str, object]
"""What an envelope says beside the records: `total`, `count`, `next`, `more`, as the variant has them."""


def media_type(variant: Variant) -> str:
    """The Content-Type of a body."""
    if variant.compression == "file":
        return "application/gzip"
    charset = variant.encoding if variant.format in ("csv", "xml") else None
    name = _MEDIA_TYPES.get(variant.format, "application/xml")
    return f"{name}; charset={XML_ENCODINGS[charset].lower()}" if charset else name


def rendered(records: Sequence[Record], element: str, facts: PageFacts, variant: Variant) -> bytes:
    """A body that is not compressed yet; `element` names a record in XML."""
    match variant.format:
        case "json":
            content = list(records) if variant.body_is_list else {"data": {"items": records, **facts}}
            return orjson.dumps(content)
        case "jsonl":
            return b"".join(orjson.dumps(record) + b"\n" for record in records)
        case "csv":
            return encoded(_csv_text(records, element, variant), variant)
        case "xml":
            return encoded(_xml_text(records, element, facts, variant), variant)


def encoded(text: str, variant: Variant) -> bytes:
    """Text in the variant's encoding; UTF-16 always has its byte order mark."""
    if variant.encoding == "cp1258":
        return encode_windows_1258(text)
    return text.encode("utf-8-sig" if variant.bom else variant.encoding)


def packed(body: bytes, variant: Variant) -> bytes:
    """The body, gzipped where the variant says so."""
    return body if variant.compression == "none" else gzip.compress(body, mtime=0)


def _csv_text(records: Sequence[Record], element: str, variant: Variant) -> str:
    # An empty listing has its header too.
    columns = list(dict.fromkeys([*FIELDS[element], *(name for record in records for name in record)]))
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=variant.delimiter,
        quoting=csv.QUOTE_ALL if variant.quoting == "all" else csv.QUOTE_MINIMAL,
        lineterminator="\r\n",
    )
    writer.writerow(columns)
    writer.writerows([_csv_value(record.get(name)) for name in columns] for record in records)
    return text.getvalue()


def _csv_value(value: object) -> str:
    if isinstance(value, list):
        return LIST_SEPARATOR.join(map(str, value))
    return "" if value is None else _text(value)


def _xml_text(records: Sequence[Record], element: str, facts: PageFacts, variant: Variant) -> str:
    lines = [
        f'<?xml version="1.0" encoding="{XML_ENCODINGS[variant.encoding]}"?>',
        f'<dd:ketQua xmlns:dd="{NAMESPACE}">',
        "<dd:thongTin>",
        *_elements(facts),
        "</dd:thongTin>",
        "<dd:danhSach>",
        *(line for record in records for line in _xml_record(record, element)),
        "</dd:danhSach>",
        "</dd:ketQua>",
    ]
    return "\n".join(lines)


def _xml_record(record: Record, element: str) -> Iterable[str]:
    attributes = "".join(
        f" {name}={quoteattr(_text(record[name]))}" for name in _ATTRIBUTES if name in record
    )
    yield f"<dd:{element}{attributes}>"
    yield from _elements({name: value for name, value in record.items() if name not in _ATTRIBUTES})
    yield f"</dd:{element}>"


def _elements(values: Mapping[str, object]) -> Iterable[str]:
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                yield f"<dd:{name}>{escape(_text(one))}</dd:{name}>"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
